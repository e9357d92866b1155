#!/usr/bin/env bash
# Software:  CNI plugins 1.1.1 (Debian 12): ptp and portmap, which a runtime uses for a pod's hostPort; iptables 1.8.9;
#            Linux 6.18. Needs root for namespaces of its own and packet sockets.
# Behaviour: a process on the node connects to 127.0.0.1:8080, a pod's hostPort. Its socket says 127.0.0.1 at both
#            ends. No packet of the connection is on lo: it goes out of the pod's veth, from the gateway's address to
#            the pod's address and port.
# One would guess otherwise: 127.0.0.0/8 never leaves the host's lo (RFC 1122, section 3.2.1.3), ss shows lo's
#            addresses, and the destination would be rewritten on the way, after lo.
# Seen:      client 127.0.0.1:N to 127.0.0.1:8080: no segment on lo; on the veth 10.77.1.1:N to 10.77.1.2:80, with the
#            request; the pod's accept() says 10.77.1.1. A connection to a port without a pod: all on lo.
# Source:    portmap's README ("masquerade"), and net.ipv4.conf.*.route_localnet, which it sets. The OUTPUT chain of
#            nat comes before the device, and the kernel routes the packet anew.
# Date:      2026-11-30
# So, for a passive observer: lo with "port 8080" sees nothing of what curl does against 127.0.0.1:8080, and "no
#            traffic on lo" is no proof that there was none. The pair of addresses from ss or a log of the client
#            appears on no interface. Match at the pod's end, by the pod's address and its own port.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
[[ -x /usr/lib/cni/portmap ]] || apt-get -o DPkg::Lock::Timeout=300 install -y containernetworking-plugins >/dev/null
command -v iptables >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iptables >/dev/null
dpkg-query -W containernetworking-plugins
tmp=$(mktemp -d)
node=findnode$$ pod=findpod$$ server=
cleanup() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    for name in "$node" "$pod"; do ip netns del "$name" 2>/dev/null || true; done
    rm -rf "$tmp"
}
trap cleanup EXIT
for name in "$node" "$pod"; do ip netns add "$name"; done
ip -n "$node" link set lo up

plugin() { # name: runs it in the node's namespace with the configuration on stdin, as a runtime does
    CNI_COMMAND=ADD CNI_CONTAINERID="c$pod" CNI_NETNS=/run/netns/$pod CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        timeout 20 ip netns exec "$node" "/usr/lib/cni/$1"
}
plugin ptp >"$tmp/ptp.json" <<JSON
{"cniVersion": "0.4.0", "name": "shop", "type": "ptp", "ipMasq": true, "ipam":
 {"type": "host-local", "subnet": "10.77.1.0/24", "dataDir": "$tmp/ipam"}}
JSON
python3 -c '
import json, sys
ports = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
before = json.load(open(sys.argv[1]))
print(json.dumps({"cniVersion": "0.4.0", "name": "shop", "type": "portmap", "capabilities": {"portMappings": True},
                  "runtimeConfig": {"portMappings": ports}, "prevResult": before}))
' "$tmp/ptp.json" | plugin portmap >"$tmp/portmap.json"
veth=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["interfaces"][0]["name"])' "$tmp/ptp.json")

cat >"$tmp/server.py" <<'PY'
import socket
import sys

with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
    while True:
        sock, peer = server.accept()
        with sock:
            if sock.recv(4096):
                sock.sendall(peer[0].encode())
PY
cat >"$tmp/observe.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

veth, server = sys.argv[1:]


def segments(observer):
    """Source and destination of the TCP segments so far, and whether one has the request."""
    pairs, request = {}, False
    observer.settimeout(0.3)
    try:
        while True:
            packet, address = observer.recvfrom(65535)
            if packet[12:14] != b"\x08\0" or packet[23] != socket.IPPROTO_TCP:
                continue
            # On lo each packet passes twice.
            if observer is lo and address[2] == socket.PACKET_OUTGOING:
                continue
            ends = [socket.inet_ntoa(packet[at : at + 4]) for at in (26, 30)]
            ports = [int.from_bytes(packet[at : at + 2], "big") for at in (34, 36)]
            pair = " > ".join(f"{end}:{port}" for end, port in zip(ends, ports))
            pairs[pair] = pairs.get(pair, 0) + 1
            request = request or b"GET /item" in packet
    except TimeoutError:
        return pairs, request


def observe(name):
    observer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    observer.bind((name, 0))
    return observer


def ask(port):
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(b"GET /item HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                return client.getsockname(), client.getpeername(), client.recv(100).decode()
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("no server")


print(f"Linux {os.uname().release.split('-')[0]}")
plain = subprocess.Popen([sys.executable, server, "8081"])
holds = True
try:
    for port in (8080, 8081):
        ask(port)  # it listens
        time.sleep(0.3)
        lo, outside = observe("lo"), observe(veth)
        own, peer, seen = ask(port)
        (on_lo, lo_request), (on_veth, veth_request) = segments(lo), segments(outside)
        print(f"client {own[0]}:{own[1]} to {peer[0]}:{peer[1]}; the server sees {seen}")
        print(f"    on lo   {on_lo}\n    on veth {on_veth}")
        if port == 8080:
            wanted = f"10.77.1.1:{own[1]} > 10.77.1.2:80"
            holds = holds and not on_lo and veth_request and wanted in on_veth and seen == "10.77.1.1"
            holds = holds and own[0] == peer[0] == "127.0.0.1"
        else:
            holds = holds and lo_request and not on_veth
finally:
    plain.terminate()
    plain.wait()
sys.exit(0 if holds else "CHANGED")
PY
timeout 60 ip netns exec "$pod" python3 "$tmp/server.py" 80 &
server=$!
sleep 0.5
timeout -s INT -k 10 60 ip netns exec "$node" python3 "$tmp/observe.py" "$veth" "$tmp/server.py"
echo 'PASS: a connection between two addresses of lo, and nothing on lo'
