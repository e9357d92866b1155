#!/usr/bin/env bash
# Software:  Linux 6.18, SCHED_CLS programs on TCX (6.6 and later) and the helper bpf_redirect_peer (5.10 and later),
#            which Cilium uses for pods. Needs root for namespaces of its own and packet sockets.
# Behaviour: a program on the node's other device hands packets to the pod by bpf_redirect_peer. They arrive in the pod
#            without passing the host's end of its veth: no program, no packet socket and no counter of this device
#            sees them. What the pod sends is seen there as usual.
# One would guess otherwise: a veth is a pair, so that each packet of the one end passes the other, and the device's
#            counters are right without any program.
# Seen:      one exchange. Host's end of the veth, plain: programs on TCX count packets in both directions, and the
#            request and the answer pass. With the redirect: none out, the answer alone, and the device has sent 0
#            packets. The pod's end has both in both cases.
# Source:    bpf-helpers(7), bpf_redirect_peer: the packet switches to the peer "without going through the CPU's backlog
#            queue"; the host's end is only named in the call.
# Date:      2026-11-30
# So, for a passive observer on the host's end: half of each connection to the pod is missing, and that half is the
#            requests; connections between pods of one node lose both halves if both are redirected. An observer that
#            was attached to the other device before the redirecting program sees them there. One direction without the
#            other, for all pods of a node, is this and no packet loss.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
. "$(dirname "$0")/lib/pod.sh"
cat >"$tmp/peer.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

from bpf import TCX_EGRESS, TCX_INGRESS, attach_tcx, count, counter, instruction, leave, load
from wire import Wire

POD = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from wire import Wire
with socket.create_server(("10.9.9.2", 8080)) as server:
    while True:
        wire = Wire("v1")
        print("ready", flush=True)
        sock, _ = server.accept()
        sock.recv(100)
        sock.sendall(b"answer")
        sock.recv(1)
        sock.close()
        print(*sorted({segment.payload.decode() for segment in wire.segments() if segment.payload}), flush=True)
"""
IPV4 = 0x0008


def hand_over():
    """A program that hands IPv4 packets to the pod."""
    return load(
        instruction(0x61, 2, 1, 16),  # skb->protocol
        instruction(0x15, 2, 0, 2, IPV4),
        leave(),
        instruction(0xB7, 1, 0, 0, socket.if_nametoindex("v0")),
        instruction(0xB7, 2, 0, 0, 0),
        instruction(0x85, 0, 0, 0, 155),  # bpf_redirect_peer
        instruction(0x95),
    )


def sent_by_device():
    line = next(line for line in open("/proc/net/dev", encoding="ascii") if line.strip().startswith("v0:"))
    return int(line.split()[10])


def exchange(client, pod):
    """TCX at v0 (in, out), whether the device counted packets, payloads seen at v0, and in the pod."""
    pod.stdout.readline()
    counters = [counter(), counter()]
    links = [attach_tcx(one[0], "v0", hook) for one, hook in zip(counters, (TCX_INGRESS, TCX_EGRESS))]
    before, wire = sent_by_device(), Wire("v0")
    code = "import socket; c = socket.create_connection(('10.9.9.2', 8080), 5); c.sendall(b'request'); c.recv(100)"
    subprocess.run(["nsenter", f"--net=/proc/{client}/ns/net", sys.executable, "-c", code], check=True)
    in_pod = pod.stdout.readline().split()
    time.sleep(0.2)
    for link in links:
        os.close(link)
    seen = sorted({segment.payload.decode() for segment in wire.segments() if segment.payload})
    return *(count(one[1]) > 0 for one in counters), sent_by_device() > before, seen, in_pod


client = os.environ["CLIENT"]
command = ["nsenter", f"--net=/proc/{sys.argv[1]}/ns/net", sys.executable, "-c", POD, os.environ["PYTHONPATH"]]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pod:
    results = [exchange(client, pod)]
    link = attach_tcx(hand_over(), "c0", TCX_INGRESS)
    results.append(exchange(client, pod))
    pod.kill()
for name, (inward, outward, counted, seen, in_pod) in zip(("plain", "redirected"), results):
    print(f"{name:10} host's end: in {inward}, out {outward}, counted {counted}, saw {seen}; pod's end: saw {in_pod}")
BOTH = ["answer", "request"]
expected = [(True, True, True, BOTH, BOTH), (True, False, False, ["answer"], BOTH)]
sys.exit(0 if results == expected else "CHANGED")
PY
# One hardware address everywhere, so that a packet that changes its device is still addressed to it.
with_pod "$tmp/peer.py" '
    sysctl -qw net.ipv4.ip_forward=1
    unshare --net sleep 100 &
    export CLIENT=$!
    trap "kill $pod $CLIENT" EXIT
    until [[ $(readlink "/proc/$CLIENT/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.05; done
    C="nsenter --net=/proc/$CLIENT/ns/net"
    ip link add c0 type veth peer name c1 netns "$CLIENT"
    ip link set v0 address 02:00:00:00:00:01
    ip link set c0 address 02:00:00:00:00:01 up
    $P ip link set v1 address 02:00:00:00:00:01
    ip addr add 10.8.8.1/24 dev c0
    $C ip link set c1 up
    $C ip addr add 10.8.8.2/24 dev c1
    $C ip route add default via 10.8.8.1
    $P ip route add default via 10.9.9.1
'
echo 'PASS: the host end of the veth sees one direction'
