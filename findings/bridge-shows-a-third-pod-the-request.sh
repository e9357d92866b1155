#!/usr/bin/env bash
# Software:  Linux 6.18 bridge with three network namespaces on veths, as the CNI plugin `bridge` connects pods;
#            iproute2 6.1.0. Needs root for the namespaces and a packet socket. The bridge's ageing time is 1 second
#            instead of the default 300, so that nobody has to wait five minutes.
# Behaviour: a connection between two pods is idle for longer than the ageing time. Its next request is then sent out
#            on every port of the bridge: it passes the veth of a third pod, which has nothing to do with it. The
#            answer goes to its receiver alone.
# One would guess otherwise: a bridge is a switch, the connection is established, and the pods still know each other's
#            hardware address, so the bridge should know where it is.
# Seen:      five requests on one connection with pauses of 2.5 s: two to four of them pass the third pod's veth, but
#            no answer and no segment of the handshake. With pauses of 0.2 s: none.
# Source:    ip-link(8), ageing_time. A neighbour entry lives on as STALE and is used without a new ARP exchange, which
#            would teach the bridge anew.
# Date:      2026-11-30
# So, for a passive observer on `veth*`: the first request after a pause is captured once per pod of the node, and by
#            the name of the veth it is a request to each. It looks like a connection that is older than the capture
#            and has no answers. Let a request count (and be replayed) only where the destination is the pod's own
#            address.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
command -v ip >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 >/dev/null
tmp=$(mktemp -d)
node=findnode$$ server=
cleanup() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    for name in "$node" "$node"-{1,2,3}; do ip netns del "$name" 2>/dev/null || true; done
    rm -rf "$tmp"
}
trap cleanup EXIT
ip netns add "$node"
ip -n "$node" link add br0 type bridge ageing_time 100
ip -n "$node" link set br0 up
for pod in 1 2 3; do
    ip netns add "$node-$pod"
    ip -n "$node" link add "veth$pod" type veth peer name eth0 netns "$node-$pod"
    ip -n "$node" link set "veth$pod" master br0 up
    ip -n "$node-$pod" link set eth0 up
    ip -n "$node-$pod" addr add "10.79.0.$pod/24" dev eth0
done

cat >"$tmp/server.py" <<'PY'
import socket

with socket.create_server(("10.79.0.2", 8080)) as server:
    while True:
        sock, _ = server.accept()
        with sock:
            while sock.recv(4096):
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
PY
timeout 60 ip netns exec "$node-2" python3 "$tmp/server.py" &
server=$!

cat >"$tmp/observe.py" <<'PY'
import ctypes
import os
import socket
import sys
import time

CLONE_NEWNET = 0x40000000


def enter(name):
    """A packet or TCP socket belongs to the namespace that it was made in."""
    with open(f"/run/netns/{name}", "rb") as file:
        assert ctypes.CDLL(None).setns(file.fileno(), CLONE_NEWNET) == 0


def passed(observer):
    """Segments on the third pod's veth so far: with a request, with an answer, others."""
    found = [0, 0, 0]
    observer.settimeout(0.1)
    try:
        while True:
            packet = observer.recv(4096)
            if packet[12:14] == b"\x08\0" and packet[23] == socket.IPPROTO_TCP:
                found[0 if b"GET /" in packet else 1 if b"HTTP/1.1 200" in packet else 2] += 1
    except TimeoutError:
        return tuple(found)


def run(pause):
    with socket.create_connection(("10.79.0.2", 8080), timeout=10) as client:
        seen = [passed(observer)]
        for number in range(5):
            client.sendall(f"GET /{number} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())
            assert client.recv(4096).endswith(b"ok")
            seen.append(passed(observer))
            time.sleep(pause)
    return seen


node = sys.argv[1]
enter(node)
observer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
observer.bind(("veth3", 0))
enter(f"{node}-1")
for _ in range(100):
    try:
        socket.create_connection(("10.79.0.2", 8080), timeout=5).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
time.sleep(0.3)
passed(observer)
print(f"Linux {os.uname().release.split('-')[0]}; on the third pod's veth: requests, answers, other segments")
busy, idle = run(0.2), run(2.5)
for name, seen in (("pause 0.2 s", busy), ("pause 2.5 s", idle)):
    print(f"    {name}: handshake {seen[0]}, then per request {seen[1:]}")
flooded = sum(requests for requests, _, _ in idle)
holds = busy == [(0, 0, 0)] * 6 and idle[:2] == [(0, 0, 0)] * 2 and flooded >= 2
sys.exit(0 if holds and all(answers == 0 for _, answers, _ in idle) else "CHANGED")
PY
timeout 60 python3 "$tmp/observe.py" "$node"
echo 'PASS: after a pause the request passed the veth of a pod that it is not for'
