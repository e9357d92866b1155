#!/usr/bin/env bash
# Software:  Linux 6.18, a veth of which one end is moved to another network namespace, as a container runtime does;
#            TCX (6.6 and later), tc of iproute2 6.1.0 for the clsact side. Needs root for namespaces of its own.
# Behaviour: the move takes the clsact qdisc and its filters off the device without a word. A TCX program stays: it
#            runs on in the other namespace, where neither tc nor the bpftool of Debian 12 shows it.
# One would guess otherwise: both are the same kind of program on the same hook of the same device, the device keeps
#            its name and hardware address, and what a pod's namespace runs is what its own tools show.
# Seen:      10 frames each. Before the move: TCX 10, clsact 10. After it: TCX 10, clsact 0, and `tc qdisc show` in the
#            new namespace has no clsact. After the link was detached: TCX 0.
# Source:    Linux __dev_change_net_namespace() shuts the queueing disciplines down; TCX entries belong to the device
#            and end with it (unregister_netdevice).
# Date:      2026-11-30
# So, for a passive observer: an agent that attaches to a veth as soon as it appears is blind by clsact once the
#            runtime has moved the end that it chose, though nothing reported an error, and by TCX it looks into the
#            pod, with ingress and egress as the pod sees them. Attach after the move, look again at each RTM_NEWLINK,
#            and take a TCX link off by its link, not by the name of the device in the host.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/move.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

from bpf import TCX_INGRESS, attach_tcx, count, counter, pin

FRAMES = 10
KIND = 0x88B5  # local experimental
folder = sys.argv[1]


def run(command):
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


def frames():
    """Frames counted by the TCX program and by the clsact filter."""
    before = count(by_tcx), count(by_clsact)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("v0", 0))
        for _ in range(FRAMES):
            sender.send(b"\xff" * 6 + bytes(6) + KIND.to_bytes(2, "big") + bytes(60))
    time.sleep(0.2)
    return count(by_tcx) - before[0], count(by_clsact) - before[1]


(tcx_program, by_tcx), (clsact_program, by_clsact) = counter(), counter()
link = attach_tcx(tcx_program, "v1", TCX_INGRESS)
pin(clsact_program, f"{folder}/program")
run("tc qdisc add dev v1 clsact")
run(f"tc filter add dev v1 ingress prio 1 protocol all bpf da object-pinned {folder}/program")
results = [frames()]
pod = subprocess.Popen(["unshare", "--net", "sleep", "60"])
while os.stat(f"/proc/{pod.pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
    time.sleep(0.01)
inside = f"nsenter --net=/proc/{pod.pid}/ns/net "
run(f"ip link set v1 netns {pod.pid}")
run(inside + "ip link set v1 up")
time.sleep(0.2)
results.append(frames())
qdiscs = run(inside + "tc qdisc show dev v1")
os.close(link)
results.append(frames())
pod.kill()
pod.wait()
print(f"TCX and clsact: before {results[0]}, after the move {results[1]}, link closed {results[2]}; qdiscs {qdiscs!r}")
expected = [(FRAMES, FRAMES), (FRAMES, 0), (0, 0)]
sys.exit(0 if results == expected and "clsact" not in qdiscs else f"CHANGED: expected {expected}")
PY
mkdir "$tmp/bpf"
unshare --net --mount --propagation private bash -euc '
    mount -t bpf bpf "$1/bpf"
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip link add v0 type veth peer name v1
    ip link set v0 up
    ip link set v1 up
    exec timeout 30 python3 "$1/move.py" "$1/bpf"
' bash "$tmp"
echo 'PASS: TCX moves with the device, clsact does not'
