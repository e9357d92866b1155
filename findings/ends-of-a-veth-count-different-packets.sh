#!/usr/bin/env bash
# Software:  Linux 6.18, SCHED_CLS programs on TCX (6.6 and later) at both ends of a veth, ethtool 6.1. Needs root for
#            namespaces of its own.
# Behaviour: a program on egress of one end and one on ingress of the other count different numbers of packets for one
#            transfer without loss, by a factor of 30, when segmentation is turned off at the sender's end. The program
#            on egress still sees large packets: it comes before the segmentation. With GRO at the receiver's end both
#            are about the same again.
# One would guess otherwise: a veth hands over each packet, egress is the last hook before the device, and with "gso
#            off, tso off" there are no large packets.
# Seen:      2,000,000 bytes. Default: 41 and 41. Sender's end with gso and tso off: egress 44, ingress 1386. Receiver's
#            end with gro on in addition: 42 and 41.
# Source:    Linux __dev_queue_xmit(): programs on egress, then validate_xmit_skb(), which cuts into segments. GRO of
#            veth (5.13 and later): commit d3256efd8e8b.
# Date:      2026-11-30
# So, for a tool that counts loss between two hooks by packets: a switch of ethtool at one end makes 97 % of loss or the
#            contrary out of none. Compare bytes of payload, or numbers of TCP. And a program on egress must cope with
#            64 KiB, whatever the device's features say.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
. "$(dirname "$0")/lib/pod.sh"
command -v ethtool >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y ethtool >/dev/null
cat >"$tmp/ends.py" <<'PY'
import os
import socket
import subprocess
import sys

from bpf import TCX_EGRESS, attach_tcx, count, counter

SIZE = 2_000_000
POD = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from bpf import TCX_INGRESS, attach_tcx, count, counter
program, packets = counter()
link = attach_tcx(program, "v1", TCX_INGRESS)
with socket.create_server(("10.9.9.2", 8080)) as server:
    while True:
        before = count(packets)
        print("ready", flush=True)
        sock, _ = server.accept()
        size = sum(len(piece) for piece in iter(lambda: sock.recv(1 << 20), b""))
        print(size, count(packets) - before, flush=True)
        sock.close()
"""
inside = ["nsenter", f"--net=/proc/{sys.argv[1]}/ns/net"]


def transfer(pod):
    pod.stdout.readline()
    program, packets = counter()
    link = attach_tcx(program, "v0", TCX_EGRESS)
    with socket.create_connection(("10.9.9.2", 8080), timeout=10) as client:
        client.sendall(bytes(SIZE))
        client.shutdown(socket.SHUT_WR)
        client.recv(1)
    os.close(link)
    size, ingress = map(int, pod.stdout.readline().split())
    assert size == SIZE
    return count(packets), ingress


with subprocess.Popen([*inside, sys.executable, "-c", POD, os.environ["PYTHONPATH"]], stdout=-1, text=True) as pod:
    results = {"default": transfer(pod)}
    subprocess.run(["ethtool", "-K", "v0", "gso", "off", "tso", "off"], check=True)
    results["sender without gso and tso"] = transfer(pod)
    subprocess.run([*inside, "ethtool", "-K", "v1", "gro", "on"], check=True)
    results["and receiver with gro"] = transfer(pod)
    pod.kill()
for name, (egress, ingress) in results.items():
    print(f"{name:27} egress {egress:4}, ingress of the other end {ingress:4}")
(a, b), (c, d), (e, f) = results.values()
sys.exit(0 if max(a, b, c, e) < 150 and d > 1200 and f < d / 2 else "CHANGED")
PY
with_pod "$tmp/ends.py"
echo 'PASS: the two ends count different packets'
