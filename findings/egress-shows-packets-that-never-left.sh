#!/usr/bin/env bash
# Software:  Linux 6.18, TCX (6.6 and later) and a packet socket, as tcpdump has one, on one device with a tbf queue,
#            as the CNI plugin bandwidth makes it; iproute2 6.1.0. Needs root for a network namespace of its own.
# Behaviour: a program on egress sees packets before the queue. Those that the queue then drops were never sent, and
#            are seen like others; those that wait are seen too early. The sender gets no error.
# One would guess otherwise: the hook is called egress, tcpdump on the same device shows what leaves, and send()
#            reports a packet that the host itself has dropped.
# Seen:      100 datagrams of 900 bytes, rate 8 Mbit/s, limit 20,000 bytes: TCX egress 100, packet socket and TCX
#            ingress (the receiver) about 26, errors 0. By the packet socket the last comes 15 ms or more after the
#            first; all 100 passed the hook within a part of that time.
# Source:    Linux __dev_queue_xmit(): sch_handle_egress() comes first, then the queue, then dev_hard_start_xmit(),
#            where packet sockets get their copy. UDP errors of a full queue are hidden unless IP_RECVERR is set.
# Date:      2026-11-30
# So, for a passive observer: bytes seen on egress are bytes that the host wanted to send. With TCP the dropped segment
#            comes again, which looks like a loss behind the host; latency to the last byte is too short by the time in
#            the queue; and a test against tcpdump finds a difference that is neither's fault.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/queue.py" <<'PY'
import socket
import struct
import sys
import time

from bpf import TCX_EGRESS, TCX_INGRESS, attach_tcx, count, counter

PACKETS = 100
(egress, at_hook), (ingress, arrived) = counter(), counter()
links = [attach_tcx(egress, "lo", TCX_EGRESS), attach_tcx(ingress, "lo", TCX_INGRESS)]
errors, times = 0, []
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
    observer.bind(("lo", 0))
    observer.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
    with socket.socket(type=socket.SOCK_DGRAM) as sender, socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        for _ in range(PACKETS):
            try:
                sender.sendto(bytes(900), receiver.getsockname())
            except OSError:
                errors += 1
        sending = time.monotonic() - begin
        passed = count(at_hook)
        observer.settimeout(0.5)
        try:
            while True:
                _, control, _, address = observer.recvmsg(2048, 64)
                if address[2] == socket.PACKET_OUTGOING:
                    seconds, nanoseconds = struct.unpack("qq", control[0][2])
                    times.append(seconds + nanoseconds / 1e9)
        except TimeoutError:
            pass
span = times[-1] - times[0]
print(f"TCX egress {passed} within {1000 * sending:.0f} ms; packet socket {len(times)} within {1000 * span:.0f} ms")
print(f"TCX ingress {count(arrived)}; errors {errors}")
holds = passed == PACKETS and len(times) == count(arrived) < PACKETS / 2 and errors == 0
sys.exit(0 if holds and span > sending else "CHANGED")
PY
unshare --net bash -euc '
    ip link set lo up mtu 1500
    tc qdisc add dev lo root tbf rate 8mbit burst 5000 limit 20000
    exec timeout 30 python3 "$1"
' bash "$tmp/queue.py"
echo 'PASS: egress shows packets that never left'
