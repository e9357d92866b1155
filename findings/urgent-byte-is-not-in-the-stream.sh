#!/usr/bin/env bash
# Software:  Linux 6.18, TCP urgent data (MSG_OOB) on loopback. Needs root for a packet socket and a network namespace
#            of its own.
# Behaviour: of what was sent with MSG_OOB the last byte is in the packets, has a sequence number of its own and is
#            acknowledged, and read() does not return it. A second urgent byte makes the first one ordinary: then read()
#            does return the first. With SO_OOBINLINE read() returns all.
# One would guess otherwise: TCP is one stream of bytes, what is acknowledged is delivered, and urgent data is what
#            MSG_OOB was called with, not its last byte.
# Seen:      "abc", urgent "D", "ef": read() "abcef". Urgent "D" and then urgent "E": read() has D and not E. Urgent
#            "xyD": read() has "xy". Inline: "abcDef". In the packets all bytes each time, and the flag URG.
# Source:    RFC 6093 (on the implementation of TCP urgent data), which advises against its use; tcp(7), SO_OOBINLINE.
# Date:      2026-11-30
# So, for a passive observer: the stream that it puts together has a byte more than the one that the application has
#            read, and which byte depends on what follows and on an option of the receiver's socket, which no packet
#            has. Mark a connection with URG as one that cannot be read for certain, and leave its exchanges out of a
#            comparison.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/urgent.py" <<'PY'
import socket
import sys
import time

from wire import URG, Wire

CASES = {
    "one urgent byte": ([b"abc", b"!D", b"ef"], False, b"abcef"),
    "two of them": ([b"abc", b"!D", b"!E", b"fg"], False, b"abcDfg"),
    "three bytes": ([b"abc", b"!xyD", b"fg"], False, b"abcxyfg"),
    "inline": ([b"abc", b"!D", b"ef"], True, b"abcDef"),
}


def transfer(wire, parts, inline):
    """What read() returns, and the payload of the packets. A part with ! is sent as urgent data."""
    before = len(wire.segments())
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, inline)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            client.send(part.lstrip(b"!"), socket.MSG_OOB if part.startswith(b"!") else 0)
            time.sleep(0.05)
        client.shutdown(socket.SHUT_WR)
        with accepted:
            read = b"".join(iter(lambda: accepted.recv(100), b""))
    segments = [one for one in wire.segments()[before:] if one.sent and one.payload]
    assert any(one.flags & URG for one in segments)
    return read, b"".join(one.payload for one in {one.sequence: one for one in segments}.values())


wire, holds = Wire("lo"), True
for name, (parts, inline, expected) in CASES.items():
    read, sent = transfer(wire, parts, inline)
    print(f"{name:15} in the packets {sent}, read {read}")
    holds = holds and read == expected and sent == b"".join(parts).replace(b"!", b"")
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 30 python3 "$1"' bash "$tmp/urgent.py"
echo 'PASS: an acknowledged byte is not read'
