#!/usr/bin/env bash
# Software:  Linux 6.18, IPv6 TCP, default net.ipv6.auto_flowlabels (1); iptables 1.8.9. Needs root for two namespaces
#            of its own and a packet socket.
# Behaviour: the flow label of a TCP connection changes while it lives: each retransmission timeout picks a new one, at
#            both ends, and the connection keeps the last one after it has recovered.
# One would guess otherwise: RFC 6437 has the label name a flow, the kernel computes it from the connection, and
#            addresses and ports stay as they are.
# Seen:      1 label each way; then answers were dropped for 1.5 seconds: 3 new ones in each direction, of which the
#            last one stayed.
# Source:    Linux commits 3acf3ec3f4b0 ("Change txhash on every SYN and RTO retransmit", to route around a failed
#            path) and 7788174e8726 (a receiver of spurious retransmissions changes its label, too).
# Date:      2026-11-30
# So, for a passive observer: a key or a sample by flow label splits one connection in two, and exactly the lossy ones.
#            Key by addresses and ports. ECMP that hashes the label moves the connection to another link, so a tap on
#            one link sees its tail vanish without FIN: call that a gap, not an end.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
command -v ip6tables >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 iptables >/dev/null
tmp=$(mktemp -d)
a=finda$$ b=findb$$ server=
cleanup() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
ip netns add "$a"
ip netns add "$b"
ip link add e0 netns "$a" type veth peer name e0 netns "$b"
for side in "$a 1" "$b 2"; do
    read -r name number <<<"$side"
    ip -n "$name" link set e0 up
    ip -n "$name" addr add "fd00::$number/64" dev e0 nodad
done

ip netns exec "$b" python3 -c '
import socket
with socket.create_server(("::", 8080), family=socket.AF_INET6) as server:
    sock, _ = server.accept()
    while data := sock.recv(4096):
        sock.sendall(data)' &
server=$!

cat >"$tmp/client.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

observer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
observer.bind(("e0", 0))
observer.settimeout(0.3)
for _ in range(100):
    try:
        client = socket.create_connection(("fd00::2", 8080), timeout=20)
        break
    except OSError:
        time.sleep(0.1)


def exchange(text, lost_for=0.0):
    """Sends and reads back; answers are dropped for so long, after the observer and before TCP."""
    if lost_for:
        subprocess.run("ip6tables -A INPUT -p tcp -j DROP".split(), check=True)
    client.sendall(text)
    if lost_for:
        time.sleep(lost_for)
        subprocess.run("ip6tables -F INPUT".split(), check=True)
    assert client.recv(4096) == text
    labels = {"request": [], "answer": []}
    try:
        while True:
            packet, address = observer.recvfrom(70000)
            ip, own_port = packet[14:], client.getsockname()[1].to_bytes(2, "big")
            if ip[0] >> 4 == 6 and ip[6] == 6 and own_port in (ip[40:42], ip[42:44]):
                label = int.from_bytes(ip[1:4], "big") & 0xFFFFF
                side = labels["request" if address[2] == socket.PACKET_OUTGOING else "answer"]
                if label not in side:
                    side.append(label)
    except TimeoutError:
        return labels


print(f"Linux {os.uname().release.split('-')[0]}; labels in order of appearance")
before, lossy, after = exchange(b"one"), exchange(b"two", 1.5), exchange(b"three")
for name, labels in (("before", before), ("answers lost", lossy), ("after", after)):
    print(f"{name:12}", {side: [f"{label:05x}" for label in found] for side, found in labels.items()})
holds = all(
    len(before[side]) == 1
    and len(lossy[side]) >= 3
    and lossy[side][0] == before[side][0]
    and after[side] == [lossy[side][-1]]
    for side in before
)
sys.exit(0 if holds else "CHANGED")
PY
timeout 60 ip netns exec "$a" python3 "$tmp/client.py"
echo 'PASS: one connection had several flow labels in each direction'
