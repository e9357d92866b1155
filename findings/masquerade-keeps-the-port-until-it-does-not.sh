#!/usr/bin/env bash
# Software:  Linux 6.18 and nftables 1.0.6: pods in network namespaces of their own whose connections leave the node by
#            `masquerade`, as CNI plugins and kube-proxy set it up. Needs root for the namespaces and a packet socket.
# Behaviour: a pod's source port is kept, as long as no other pod has a connection with the same port to the same
#            server. If one has, the second gets another port, from anywhere in the range. Nothing in the packets says
#            which is the case.
# One would guess otherwise: a translation either keeps ports or picks new ones, and which it is can be found out by
#            looking at a few connections.
# Seen:      first pod from ports 40000, 40001 and 40002: the same on the node's other side. Second pod with the same
#            ports: three others. With `masquerade random`: six others.
# Source:    nft(8), MASQUERADE; Linux nf_nat_l4proto_unique_tuple() keeps the port if the tuple is free.
# Date:      2026-11-30
# So, for a tool that joins what it saw at a pod with what it saw at the node's uplink by the port: it is right in every
#            test and in most of production, and joins two pods' exchanges wrongly under load, when ports meet. Join by
#            conntrack's table, or by the TCP sequence number, which translation leaves as it is.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
command -v nft >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nftables >/dev/null
cat >"$tmp/ports.py" <<'PY'
import subprocess
import sys
import time

from wire import SYN, Wire

SERVER = """
import socket
with socket.create_server(("10.1.3.2", 80)) as server:
    print("ready", flush=True)
    kept = [server.accept() for _ in range(12)]
"""
CLIENT = """
import socket, sys
kept = []
first = int(sys.argv[1])
for port in range(first, first + 3):
    sock = socket.socket()
    sock.bind(("", port))
    sock.connect(("10.1.3.2", 80))
    kept.append(sock)
print("connected", flush=True)
sys.stdin.read()
"""


def start(pod, code, *arguments):
    command = ["nsenter", f"--net=/proc/{pod}/ns/net", sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline()
    return process


def connections(pods, first, option=""):
    """The source ports of both pods as the server's side sees them, and whether the numbers of TCP are kept."""
    subprocess.run(["nft", "flush ruleset"], check=True)
    chain = f"type nat hook postrouting priority 100; oifname v3 masquerade {option};"
    subprocess.run(["nft", f"table ip t {{ chain p {{ {chain} }}; }}"], check=True)
    inside, outside = [Wire("v1"), Wire("v2")], Wire("v3")
    clients = [start(pod, CLIENT, str(first)) for pod in pods]
    time.sleep(0.2)
    numbers = [one.sequence for wire in inside for one in wire.segments() if one.flags == SYN]
    syns = [one for one in outside.segments() if one.flags == SYN]
    for client in clients:
        client.communicate()
    assert {one.source[0] for one in syns} == {"10.1.3.1"}
    ports = [one.source[1] for one in syns]
    return ports[:3], ports[3:], [one.sequence for one in syns] == numbers


*pods, last = sys.argv[1:]
server = start(last, SERVER)
kept, changed, numbers = connections(pods, 40000)
random = connections(pods, 41000, "random")
server.kill()
print("first pod", kept, "second pod", changed, "numbers of TCP kept", numbers)
print("masquerade random:", *random[:2])
PORTS = [40000, 40001, 40002]
holds = kept == PORTS and len(set(changed) - set(PORTS)) == 3 and numbers and random[2]
sys.exit(0 if holds and len({*random[0], *random[1]} - {41000, 41001, 41002}) >= 5 else "CHANGED")
PY
unshare --net bash -euc '
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    pods=()
    trap "kill \${pods[*]}" EXIT
    for number in 1 2 3; do
        unshare --net sleep 60 &
        pods+=($!)
        until [[ $(readlink "/proc/$!/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.05; done
        ip link add "v$number" type veth peer name e0 netns $!
        ip link set "v$number" up
        ip addr add "10.1.$number.1/24" dev "v$number"
        nsenter "--net=/proc/$!/ns/net" ip link set e0 up
        nsenter "--net=/proc/$!/ns/net" ip addr add "10.1.$number.2/24" dev e0
        nsenter "--net=/proc/$!/ns/net" ip route add default via "10.1.$number.1"
    done
    timeout 30 python3 "$1" "${pods[@]}"
' bash "$tmp/ports.py"
echo 'PASS: a port is kept until two pods have it'
