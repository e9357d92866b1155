#!/usr/bin/env bash
# Software:  Linux 6.18, packet sockets on a veth. Needs root for network namespaces of its own.
# Behaviour: a packet socket for IPv4 (ETH_P_IP) sees received packets only. One for all protocols (ETH_P_ALL) sees
#            both directions. The difference is not one of protocol: nothing that the host sends is seen by the first.
# One would guess otherwise: the third argument of socket() is a filter for the protocol, IPv4 is the protocol of both
#            directions, and asking for less should be the cheaper way to the same packets.
# Seen:      one exchange by TCP, ten packets, on the client's veth: ETH_P_ALL has sent and received ones, among them
#            the request and the answer; ETH_P_IP the received ones alone: the answer, no request.
# Source:    Linux net/core/dev.c, dev_queue_xmit_nit(): sent packets are offered to the list of those who want all
#            (ptype_all), not to those by type. packet(7) says "incoming packets of that protocol".
# Date:      2026-11-30
# So, for a passive observer: the socket that asks for IPv4 to save work has answers without requests, and no error or
#            counter says so. Ask for ETH_P_ALL with a filter program for IPv4 and TCP.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
for tool in ip unshare; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 util-linux >/dev/null
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/protocols.py" <<'PY'
import os
import socket
import subprocess
import sys

ETH_P_IP, ETH_P_ALL = 0x0800, 0x0003
REQUEST, ANSWER = b"GET /item HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"
PEER = """
import socket
with socket.create_server(("10.9.9.2", 8080)) as server:
    print("ready", flush=True)
    sock, _ = server.accept()
    sock.recv(100)
    sock.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    sock.recv(1)
"""


def packets(observer):
    """(sent, received, request seen, answer seen) of the IPv4 packets."""
    sent, received, request, answer = 0, 0, False, False
    observer.settimeout(0.3)
    try:
        while True:
            packet, address = observer.recvfrom(65536)
            if address[1] != ETH_P_IP:
                continue
            sent += address[2] == socket.PACKET_OUTGOING
            received += address[2] != socket.PACKET_OUTGOING
            request = request or packet.endswith(REQUEST)
            answer = answer or packet.endswith(ANSWER)
    except TimeoutError:
        return sent, received, request, answer


def run(command):
    subprocess.run(command.split(), check=True)


pod = subprocess.Popen(["unshare", "--net", "sleep", "60"])
while os.stat(f"/proc/{pod.pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
    pass
inside = f"nsenter --net=/proc/{pod.pid}/ns/net "
run(f"ip link add v0 type veth peer name v1 netns {pod.pid}")
run("ip link set v0 up")
run("ip addr add 10.9.9.1/24 dev v0")
run(inside + "ip link set v1 up")
run(inside + "ip addr add 10.9.9.2/24 dev v1")
with subprocess.Popen([*inside.split(), sys.executable, "-c", PEER], stdout=subprocess.PIPE) as server:
    server.stdout.readline()
    observers = {}
    for name, protocol in (("ETH_P_ALL", ETH_P_ALL), ("ETH_P_IP", ETH_P_IP)):
        observers[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        observers[name].bind(("v0", protocol))
    with socket.create_connection(("10.9.9.2", 8080), timeout=5) as client:
        client.sendall(REQUEST)
        client.recv(100)
    results = {name: packets(observer) for name, observer in observers.items()}
pod.kill()
pod.wait()
for name, (sent, received, request, answer) in results.items():
    print(f"{name:9} sent {sent}, received {received}, request {request}, answer {answer}")
(all_sent, all_received, *whole), (ip_sent, ip_received, *part) = results.values()
holds = all_sent > 2 and ip_sent == 0 and all_received == ip_received > 2 and whole == [True, True]
sys.exit(0 if holds and part == [False, True] else "CHANGED")
PY
unshare --net bash -euc '
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    exec timeout 30 python3 "$1"
' bash "$tmp/protocols.py"
echo 'PASS: a packet socket for IPv4 sees one direction'
