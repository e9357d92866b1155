#!/usr/bin/env bash
# Software:  Linux 6.18, SCHED_CLS programs on TCX (6.6 and later) that read skb->tstamp, on loopback. Needs root for a
#            network namespace of its own.
# Behaviour: on ingress skb->tstamp is 0 for a program that reads this field alone. For a program that reads
#            skb->tstamp_type anywhere, the same field of the same packet has a time: the one at which the sender's TCP
#            let it go, by the monotonic clock. On egress both read that time.
# One would guess otherwise: what a program reads does not depend on what else it reads; a timestamp on ingress is the
#            time of arrival, by the wall clock, as for packet sockets; and 0 means that there is none.
# Seen:      one segment, four programs. Egress: the same time twice. Ingress: 0 without tstamp_type; with it the time
#            of egress, to the nanosecond, in either order of the two programs, also while a packet socket asks for
#            timestamps.
# Source:    Linux net/core/filter.c, bpf_convert_tstamp_read(): the verifier notes whether a program uses tstamp_type;
#            if not, a delivery time is hidden from it, since old programs would take it for a time of arrival.
# Date:      2026-11-30
# So, for a program that stamps what it copies: skb->tstamp needs no time of its own to be read and is no time of
#            arrival: 0, or older than the packet by the queue's delay. A change in another line of the program changes
#            it. Use bpf_ktime_get_ns.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/tstamp.py" <<'PY'
import os
import socket
import struct
import sys
import time

from bpf import HASH, TCX_EGRESS, TCX_INGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load
from wire import Wire

TSTAMP, TSTAMP_TYPE, MONOTONIC = 152, 180, 1


def observe(hook, with_type):
    """The map with skb->tstamp of segments with payload, and the link. If `with_type` is
    set, it also reads the type and does nothing with it."""
    seen = create_map(HASH, 8, 8, 64)
    program = load(
        instruction(0xBF, 6, 1),
        instruction(0x61, 7, 6, 0),
        instruction(0x35, 7, 0, 2, 67),
        leave(),
        instruction(0x71, 8, 6, TSTAMP_TYPE) if with_type else b"",
        instruction(0x79, 7, 6, TSTAMP),
        instruction(0x7B, 10, 7, -16),
        insert(seen, -16),
        leave(),
    )
    return seen, attach_tcx(program, "lo", hook)


def exchange(order):
    """skb->tstamp as the programs see it for one segment."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        observers = {key: observe(*key) for key in order}
        client.sendall(b"request")
        accepted.recv(100)
        time.sleep(0.1)
        accepted.close()
    found = {}
    for key, (seen, link) in observers.items():
        (found[key],) = (struct.unpack("Q", one)[0] for one in keys(seen, 8))
        os.close(link)
    return found


order = [(hook, with_type) for hook in (TCX_EGRESS, TCX_INGRESS) for with_type in (False, True)]
results = [exchange(order), exchange(order[::-1])]
wire = Wire("lo")
results.append(exchange(order))
NAMES = {TCX_EGRESS: "egress", TCX_INGRESS: "ingress"}
for name, found in zip(("one order", "the other order", "beside a packet socket"), results):
    shown = (f"{NAMES[hook]}{', with type' * typed} {found[hook, typed]}" for hook, typed in order)
    print(f"{name}:", *shown, sep="\n    ")
holds = all(
    found[TCX_INGRESS, False] == 0
    and 0 < found[TCX_EGRESS, False] == found[TCX_EGRESS, True] == found[TCX_INGRESS, True] < time.monotonic_ns()
    for found in results
)
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 30 python3 "$1"' bash "$tmp/tstamp.py"
echo 'PASS: tstamp depends on whether tstamp_type is read'
