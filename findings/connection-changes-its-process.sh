#!/usr/bin/env bash
# Software:  Linux 6.18, TCP_REPAIR, which CRIU uses to move a container with its connections. Needs root for a packet
#            socket and for a network namespace of its own.
# Behaviour: the server's process saves a connection, closes its socket and ends. Another process makes a socket from
#            what was saved, and the client goes on. Neither FIN, RST nor SYN is sent; there is one segment without
#            data and its acknowledgement, as in a keep-alive.
# One would guess otherwise: close() of a connected socket always sends something, a connection begins with SYN, and a
#            new process is a new connection.
# Seen:      question and answer with the first process, then with the second: 2 processes, 1 SYN, no FIN, no RST, the
#            sequence numbers without a gap. The timestamp option is gone after the change.
# Source:    Linux commit ee9952831cfd ("tcp: Initial repair mode"); lwn.net/Articles/495304. Options have to be given
#            back one by one (TCP_REPAIR_OPTIONS).
# Date:      2026-11-30
# So, for a passive observer: state that is kept per connection and process (which pod, which version answered) is
#            wrong after a move, and one that is kept by socket cookie has lost the connection: the new socket has
#            another. On the new host the connection begins in the middle, and on the old one it never ends: let idle
#            time end it, and do not count it as a loss.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
for tool in ip unshare; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 util-linux >/dev/null
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/repair.py" <<'PY'
import socket
import struct
import subprocess
import sys

FIN, SYN, RST, ACK = 1, 2, 4, 16
REPAIR, REPAIR_QUEUE, QUEUE_SEQ = 19, 20, 21
RECEIVE, SEND = 1, 2
SO_COOKIE = 57


def answer(sock, text):
    """One question and its answer; the cookie of the socket."""
    assert sock.recv(16) == b"question"
    sock.sendall(text)
    return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]


if len(sys.argv) > 1:  # the second process
    local, remote, receive, send = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
        sock.bind(("127.0.0.1", local))
        for queue, number in ((RECEIVE, receive), (SEND, send)):
            sock.setsockopt(socket.IPPROTO_TCP, REPAIR_QUEUE, queue)
            sock.setsockopt(socket.IPPROTO_TCP, QUEUE_SEQ, struct.pack("i", number))
        sock.connect(("127.0.0.1", remote))
        sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 0)
        print("ready", flush=True)
        print(answer(sock, b"second"), flush=True)
        sock.recv(1)
    sys.exit()

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
    observer.bind(("lo", 0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    client.sendall(b"question")
    first = answer(accepted, b"first")
    answers = [client.recv(16)]
    accepted.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
    numbers = []
    for queue in (RECEIVE, SEND):
        accepted.setsockopt(socket.IPPROTO_TCP, REPAIR_QUEUE, queue)
        numbers.append(accepted.getsockopt(socket.IPPROTO_TCP, QUEUE_SEQ))
    ports = accepted.getsockname()[1], client.getsockname()[1]
    accepted.close()
    command = [sys.executable, __file__, *map(str, (*ports, *numbers))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        client.sendall(b"question")
        answers.append(client.recv(16))
        second = int(process.stdout.readline())
        segments = []
        observer.settimeout(0.3)
        try:
            while True:
                packet, address = observer.recvfrom(65536)
                if address[2] != socket.PACKET_OUTGOING:
                    source, _, number, _, offset, flags = struct.unpack("!HHIIBB", packet[34:48])
                    payload = packet[34 + (offset >> 4) * 4 :]
                    segments.append((source == ports[0], number, flags, offset >> 4, payload))
        except TimeoutError:
            pass
        client.close()
for of_server, number, flags, words, payload in segments:
    print(f"  {'server' if of_server else 'client'} flags {flags:#04x}, header {4 * words} bytes, {payload!r}")
by_server = [(number, 4 * words, payload) for of_server, number, _, words, payload in segments if of_server and payload]
start = by_server[0][0]
counts = [sum(1 for _, _, flags, _, _ in segments if flags & flag) for flag in (SYN, FIN, RST)]
print(f"answers {answers}, sockets {'differ' if first != second else 'equal'}; SYN, FIN, RST {counts}")
holds = (
    answers == [b"first", b"second"]
    and first != second
    and counts == [2, 0, 0]  # SYN and SYN-ACK
    and by_server == [(start, 32, b"first"), (start + 5, 20, b"second")]
)
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; exec timeout 30 python3 "$1"' bash "$tmp/repair.py"
echo 'PASS: a connection changes its process, and no packet says so'
