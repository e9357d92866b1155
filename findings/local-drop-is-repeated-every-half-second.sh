#!/usr/bin/env bash
# Software:  Linux 6.18, TCP on loopback, SCHED_CLS programs on TCX (6.6 and later). Needs root for a network namespace
#            of its own.
# Behaviour: a segment that a program on egress drops is sent again every half second, for as long as it lasts. The same
#            segment, dropped by a program on ingress, is sent again after pauses that double.
# One would guess otherwise: TCP doubles its timeout after each loss (RFC 6298, section 5.5), and does not know who
#            dropped a segment and where.
# Seen:      within four seconds on egress: 0.2, then 0.5 s between any two copies, nine in all. On ingress: 0.2, 0.2
#            (the probe for a lost tail), 0.4, 0.8, 1.7 s, six in all.
# Source:    Linux net/ipv4/tcp_timer.c, tcp_retransmit_timer(): what the host itself did not take is "local
#            congestion", which is tried again every TCP_RESOURCE_PROBE_INTERVAL (HZ/2) without backing off. TC_ACT_SHOT
#            on egress is reported to the sender as NET_XMIT_DROP; on ingress no one is informed.
# Date:      2026-11-30
# So, for a passive observer on egress: its own place in the list decides what it sees when a policy (or a full queue)
#            behind it drops: a stalled connection that never backs off is no broken TCP and no attack. And a fault that
#            is injected on egress is no model of a lossy network: inject it on ingress.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/drop.py" <<'PY'
import os
import socket
import struct
import sys
import time

from bpf import HASH, TCX_EGRESS, TCX_INGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load

SHOT = 2
PAYLOAD_ONLY = [instruction(0xBF, 6, 1), instruction(0x61, 7, 6, 0), instruction(0x35, 7, 0, 2, 67), leave()]


def times_of_copies(hook):
    """Seconds at which a segment is handed to egress while a program at `hook` drops it."""
    times = create_map(HASH, 8, 8, 64)
    stamp = instruction(0x85, 0, 0, 0, 5) + instruction(0x7B, 10, 0, -16)  # bpf_ktime_get_ns
    observer = load(*PAYLOAD_ONLY, stamp, insert(times, -16), leave())
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        links = [attach_tcx(observer, "lo", TCX_EGRESS), attach_tcx(load(*PAYLOAD_ONLY, leave(SHOT)), "lo", hook)]
        client.sendall(bytes(100))
        time.sleep(4)
        found = sorted(struct.unpack("Q", key)[0] / 1e9 for key in keys(times, 8))
        for link in links:
            os.close(link)
    return [second - found[0] for second in found]


results = {}
for name, hook in (("egress", TCX_EGRESS), ("ingress", TCX_INGRESS)):
    copies = times_of_copies(hook)
    results[name] = [later - earlier for earlier, later in zip(copies, copies[1:])]
    print(f"dropped on {name:7}: pauses of", *(f"{pause:.2f}" for pause in results[name]))
steady = len(results["egress"]) >= 5 and all(0.4 < pause < 0.8 for pause in results["egress"][1:])
doubling = results["ingress"][-1] > 1.2
sys.exit(0 if steady and doubling else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 40 python3 "$1"' bash "$tmp/drop.py"
echo 'PASS: a local drop is repeated every half second'
