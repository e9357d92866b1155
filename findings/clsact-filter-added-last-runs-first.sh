#!/usr/bin/env bash
# Software:  Linux 6.18, tc of iproute2 6.1.0: two clsact filters on one hook, added without `prio`. Needs root for a
#            network namespace of its own.
# Behaviour: each filter that is added without a priority runs before all that are there. The first gets priority
#            49152, the next 49151, and the lowest number runs first.
# One would guess otherwise: a list to which one adds without a place grows at its end, as it does for routes, for
#            iptables -A, and for programs on TCX.
# Seen:      first a filter that lets 7 packets pass and counts them, then one that drops them and counts them: the
#            first sees 0, the second 7. On TCX in the same order: 7 and 7.
# Source:    Linux net/sched/cls_api.c, tcf_auto_prio(): one less than the lowest priority there is.
# Date:      2026-11-30
# So, for a passive observer on clsact: whoever comes later decides whether the agent sees a packet, and a restart of
#            the agent changes the order in which it and a firewall (a CNI's, say) see packets: what it could not see
#            yesterday it copies today. Give `prio`, record which filters came before, and compare after a restart.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/order.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

from bpf import TCX_INGRESS, attach_tcx, count, counter, pin

PACKETS = 7
DROP = 2  # TC_ACT_SHOT, TCX_DROP
folder = sys.argv[1]


def run(command):
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


def send():
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for _ in range(PACKETS):
            sender.sendto(b"x", ("127.0.0.1", 9))
    time.sleep(0.1)


observer, seen = counter()
firewall, dropped = counter(DROP)
run("tc qdisc add dev lo clsact")
for place, program in enumerate((observer, firewall)):
    pin(program, f"{folder}/{place}")
    run(f"tc filter add dev lo ingress protocol all bpf da object-pinned {folder}/{place}")
send()
clsact = count(seen), count(dropped)
shown = run("tc filter show dev lo ingress")
priorities = [int(line.split("pref ")[1].split()[0]) for line in shown.splitlines() if "handle" in line]
run("tc qdisc del dev lo clsact")
links = [attach_tcx(program, "lo", TCX_INGRESS) for program in (observer, firewall)]
send()
tcx = count(seen) - clsact[0], count(dropped) - clsact[1]
for link in links:
    os.close(link)
print(f"clsact: observer {clsact[0]}, firewall {clsact[1]}, priorities {priorities}; TCX: {tcx[0]}, {tcx[1]}")
expected = (0, PACKETS), (PACKETS, PACKETS), [49151, 49152]
sys.exit(0 if (clsact, tcx, priorities) == expected else f"CHANGED: expected {expected}")
PY
mkdir "$tmp/bpf"
unshare --net --mount --propagation private bash -euc '
    mount -t bpf bpf "$1/bpf"
    ip link set lo up
    exec timeout 30 python3 "$1/order.py" "$1/bpf"
' bash "$tmp"
echo 'PASS: the filter that was added last runs first'
