#!/usr/bin/env bash
# Software:  Linux 6.18, TCP on loopback with default settings. Needs root for a packet socket and for a network
#            namespace of its own.
# Behaviour: a client on a kept connection writes a request in two parts (head, then content) to a server that thinks
#            for a while. The second part is sent twice, a few milliseconds apart, though nothing was lost or delayed:
#            the receiver holds its acknowledgement back for 40 ms, and the sender's probe for a lost tail does not wait
#            for so long.
# One would guess otherwise: loopback loses nothing, a retransmission takes at least the minimal timeout of 200 ms, and
#            a pause of 40 ms for acknowledgements is older than the probe, which should know of it.
# Seen:      ten connections, 40 exchanges on each, then a request in two writes: its second part twice on nine or ten
#            of them, and the acknowledgement reports the copy as a duplicate (D-SACK). With a request in one write:
#            never.
# Source:    RFC 8985, section 7.2: the probe comes after two round trips; only for a single segment in flight the worst
#            delay of an acknowledgement is added. Linux tcp_schedule_loss_probe() does so.
# Date:      2026-11-30
# So, for a passive observer: a retransmission is no sign of loss, nor of a slow network, nor of a fault of the capture.
#            Count those that a D-SACK has named apart, and do not call a connection incomplete for them. Clients that
#            write head and content separately have them on each slow request.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/tail.py" <<'PY'
import socket
import sys
import time

from wire import Wire

ROUNDS, SACK = 10, 5


def request(server, wire, parts):
    """How often the last part is sent, and whether an acknowledgement names a duplicate."""
    with socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        for sock in (client, accepted):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(40):  # until both ends take the connection for one of questions and answers
            client.sendall(b"question")
            accepted.recv(100)
            accepted.sendall(b"answer")
            client.recv(100)
        time.sleep(0.1)
        before = len(wire.segments())
        for part in parts:
            client.sendall(part)
        time.sleep(0.15)  # the server thinks
        segments = [one for one in wire.segments()[before:] if one.sent]
        accepted.close()
    duplicate = any(
        int.from_bytes(one.options[SACK][:4], "big") < one.acknowledgement for one in segments if SACK in one.options
    )
    return sum(one.payload.endswith(parts[-1]) for one in segments), duplicate


with socket.create_server(("127.0.0.1", 0)) as server:
    wire = Wire("lo")
    results = {}
    for name, parts in (("two writes", [b"head", b"content"]), ("one write", [b"head and content"])):
        found = [request(server, wire, parts) for _ in range(ROUNDS)]
        results[name] = sum(copies > 1 for copies, _ in found), sum(duplicate for _, duplicate in found)
for name, (twice, duplicate) in results.items():
    print(f"{name:10}: sent twice on {twice} of {ROUNDS} connections, named a duplicate on {duplicate}")
(twice, duplicate), once = results.values()
sys.exit(0 if twice >= 5 and duplicate >= 5 and once == (0, 0) else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 40 python3 "$1"' bash "$tmp/tail.py"
echo 'PASS: a part of a request is sent twice without loss'
