#!/usr/bin/env bash
# Software:  Linux 6.18: both ends of a TCP connection on one host in a BPF sockmap with an SK_MSG program, as service
#            meshes have it to shorten the way between local sockets. Needs root for a packet socket and for a
#            network namespace of its own.
# Behaviour: a whole exchange takes place on an ordinary TCP connection, and no segment of it has payload. SYN, SYN-ACK
#            and both FIN are sent, and the sequence numbers are those of a connection on which nothing was said.
# One would guess otherwise: both programs use read() and write() on TCP sockets, ss shows the connection, and what is
#            written to TCP has to be sent, numbered and acknowledged.
# Seen:      a request of 18 bytes and an answer of 6000 bytes are received. Six segments without payload; FIN of the
#            client at its SYN's sequence number + 1. The same without the program: 18 and 6000 bytes of payload.
# Source:    bpf_msg_redirect_map with BPF_F_INGRESS puts the data into the other socket's queue (bpf-helpers(7));
#            docs.kernel.org/bpf/map_sockmap.html.
# Date:      2026-11-30
# So, for a tool that captures on a device: such connections are complete, free of gaps and empty. They must not be
#            taken for idle ones: connections that were opened and closed without a byte, of a service with traffic, are
#            the sign. What is missing cannot be got back below the socket.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/sockmap.py" <<'PY'
import socket
import struct
import sys
import time

from bpf import bpf, create_map, instruction, load, map_of, update
from wire import FIN, SYN, Wire

SOCKMAP, SK_MSG, SK_MSG_VERDICT, PROG_ATTACH, LOCAL_PORT = 15, 16, 7, 8, 64
REQUEST, ANSWER = b"GET / HTTP/1.1\r\n\r\n", bytes(6000)


def shorten(server_port, client, accepted):
    """What one of the sockets sends is put into the queue of the other. Key 0 is the client, 1 the server."""
    sockets = create_map(SOCKMAP, 4, 4, 2)
    program = load(
        instruction(0x61, 2, 1, LOCAL_PORT),
        instruction(0xB7, 3, 0, 0, 0),
        instruction(0x15, 2, 0, 1, server_port),
        instruction(0xB7, 3, 0, 0, 1),
        map_of(2, sockets),
        instruction(0xB7, 4, 0, 0, 1),  # BPF_F_INGRESS
        instruction(0x85, 0, 0, 0, 60),  # bpf_msg_redirect_map
        instruction(0x95),
        kind=SK_MSG,
    )
    bpf(PROG_ATTACH, struct.pack("4I", sockets, program, SK_MSG_VERDICT, 0))
    for key, sock in enumerate((client, accepted)):
        update(sockets, struct.pack("I", key), struct.pack("I", sock.fileno()))
    return sockets


def read(sock, size):
    """How many bytes came, up to size."""
    data = b""
    while len(data) < size and (piece := sock.recv(size)):
        data += piece
    return len(data)


def exchange(shortened):
    """Bytes received by server and client, bytes of payload on the wire of each, numbers used by the client."""
    wire = Wire("lo")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            accepted, _ = server.accept()
            kept = shorten(port, client, accepted) if shortened else None
            client.sendall(REQUEST)
            received = read(accepted, len(REQUEST))
            accepted.sendall(ANSWER)
            answered = read(client, len(ANSWER))
            client.shutdown(socket.SHUT_WR)
            accepted.recv(1)
            accepted.close()
            time.sleep(0.2)
    segments = [segment for segment in wire.segments() if segment.sent]
    on_wire = [sum(len(one.payload) for one in segments if (one.source[1] == port) == side) for side in (False, True)]
    del kept
    syn, fin = ([one.sequence for one in segments if one.flags & flag and one.source[1] != port] for flag in (SYN, FIN))
    return (received, answered), tuple(on_wire), (fin[0] - syn[0] - 1) % 2**32


plain, shortened = exchange(False), exchange(True)
print("               received     on the wire  between SYN and FIN of the client")
print("plain         ", *plain)
print("in a sockmap  ", *shortened)
SIZES = len(REQUEST), len(ANSWER)
sys.exit(0 if plain == (SIZES, SIZES, SIZES[0]) and shortened == (SIZES, (0, 0), 0) else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 30 python3 "$1"' bash "$tmp/sockmap.py"
echo 'PASS: an exchange without a byte on the wire'
