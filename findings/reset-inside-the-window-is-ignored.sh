#!/usr/bin/env bash
# Software:  Linux 6.18, TCP on loopback. Needs root for a raw socket, a packet socket and a network namespace of its
#            own.
# Behaviour: a segment with RST whose sequence number is in the receiver's window, but not exactly the next one, does
#            not end the connection. The receiver answers it with an acknowledgement, and the exchange goes on. The same
#            segment with exactly the next number ends it.
# One would guess otherwise: RFC 793 let each RST in the window end a connection, most descriptions of TCP still do, and
#            RST is the one segment that is never answered.
# Seen:      RST at next + 1: one ACK as the answer, then data are received as before. RST at next: ECONNRESET.
# Source:    RFC 5961, section 3.2 (challenge ACK), now in RFC 9293, section 3.10.7.4.
# Date:      2026-11-30
# So, for a passive observer: "RST seen, connection closed" drops the rest of a live connection, and the next bytes look
#            like one that is older than the capture. Such RSTs come from middleboxes and from a peer that lost its
#            state and answers an old segment. Compare the number with what the other side has acknowledged, and close
#            when it fits.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/reset.py" <<'PY'
import socket
import struct
import sys
import time

from wire import ACK, RST, Wire


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def send_reset(source, destination, sequence, acknowledgement):
    head = struct.pack("!HHIIBBH", source[1], destination[1], sequence, acknowledgement, 5 << 4, RST | ACK, 1000)
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    value = checksum(addresses + struct.pack("!HH", socket.IPPROTO_TCP, 20) + head + bytes(4))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.sendto(head + struct.pack("!HH", value, 0), (destination[0], 0))


def after_reset(wire, offset):
    """What the receiver sends at once, and what its application reads afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        accepted.settimeout(5)
        client.sendall(b"hello")
        accepted.recv(100)
        time.sleep(0.1)
        last = [one for one in wire.segments() if one.payload == b"hello"][-1]
        before = len(wire.segments())
        ends = client.getsockname(), accepted.getsockname()
        send_reset(*ends, (last.sequence + 5 + offset) % 2**32, last.acknowledgement)
        time.sleep(0.2)
        answers = [one.flags for one in wire.segments()[before:] if one.sent and one.source == ends[1]]
        try:
            client.sendall(b"more")
            read = accepted.recv(100)
        except ConnectionResetError:
            read = "ECONNRESET"
        accepted.close()
    return answers, read


wire = Wire("lo")
results = [after_reset(wire, offset) for offset in (1, 0)]
for offset, (answers, read) in zip((1, 0), results):
    print(f"RST at next + {offset}: answers {['ACK' if one == ACK else one for one in answers]}, then {read}")
sys.exit(0 if results == [([ACK], b"more"), ([], "ECONNRESET")] else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 30 python3 "$1"' bash "$tmp/reset.py"
echo 'PASS: a reset in the window is answered and ignored'
