#!/usr/bin/env bash
# Software:  Linux 6.18, MPTCP sockets (IPPROTO_MPTCP) at both ends, one path, loopback. Needs root for a packet socket
#            and for a network namespace of its own.
# Behaviour: when the server closes its socket, no TCP FIN is sent. The end is a flag in a TCP option (DATA_FIN in the
#            DSS option) of a segment without data, and the client's read() returns "end of stream" from it. The FINs
#            of both sides come only after the client has closed, too.
# One would guess otherwise: with one path, MPTCP has the bytes of plain TCP on the wire, in order and complete, so a
#            reassembler needs to know nothing of it; and close() sends FIN.
# Seen:      the server answers and closes; the client has read the answer to its end; a second later: no FIN from the
#            server (plain TCP: 1). After the client has closed: FINs of both.
# Source:    RFC 8684, section 3.3.3: DATA_FIN ends the connection, FIN only a subflow. Linux commit f755be0b1ff4: FINs
#            once both DATA_FINs are acknowledged. Go's net.Listen makes MPTCP sockets by default since 1.24.
# Date:      2026-11-30
# So, for a passive observer: a body that ends with the connection (HTTP/1.0, no Content-Length) ends seconds later
#            than the client saw it, or never, where the client keeps its socket; latency to the last byte is wrong by
#            as much. Read DATA_FIN, or at least mark connections whose SYN and SYN-ACK carry option 30.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
[[ -e /proc/sys/net/mptcp/enabled ]] || { echo 'this kernel has no MPTCP'; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/half.py" <<'PY'
import os
import socket
import sys
import time

MPTCP = 262
REQUEST, ANSWER = b"GET /item HTTP/1.0\r\n\r\n", b'HTTP/1.0 200 OK\r\n\r\n{"stock": 3}'


def read_to_end(sock):
    found = b""
    while piece := sock.recv(4096):
        found += piece
    return found


def segments(observer, port):
    """Direction, FIN flag and bytes of data of the segments so far."""
    observer.settimeout(0.3)
    found = []
    try:
        while True:
            packet, address = observer.recvfrom(70000)
            tcp = packet[34:]
            if address[2] == socket.PACKET_OUTGOING or port.to_bytes(2, "big") not in (tcp[:2], tcp[2:4]):
                continue
            side = "client" if tcp[2:4] == port.to_bytes(2, "big") else "server"
            found.append((side, tcp[13] & 1, len(tcp) - (tcp[12] >> 4) * 4))
    except TimeoutError:
        return found


def run(protocol):
    """FINs by side when the client has read the answer's end, a second later, and after the client has closed, too."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
        observer.bind(("lo", 0))
        with socket.socket(proto=protocol) as listener, socket.socket(proto=protocol) as client:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            client.settimeout(10)
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            port = listener.getsockname()[1]
            client.sendall(REQUEST)
            assert server.recv(4096) == REQUEST
            server.sendall(ANSWER)
            server.close()
            assert read_to_end(client) == ANSWER
            time.sleep(1)
            open_ = segments(observer, port)
        closed = segments(observer, port)
        return [[side for side, fin, _ in stage if fin] for stage in (open_, closed)]


print(f"Linux {os.uname().release.split('-')[0]}")
found = {}
for name, protocol in (("TCP", socket.IPPROTO_TCP), ("MPTCP", MPTCP)):
    found[name] = run(protocol)
    early, late = found[name]
    print(f"{name:5} FINs a second after the client has read to the end: {early}; after it has closed: {late}")
expected = {"TCP": [["server"], ["client"]], "MPTCP": [[], ["client", "server"]]}
sys.exit(0 if {name: [stages[0], sorted(stages[1])] for name, stages in found.items()} == expected else "CHANGED")
PY
timeout 60 unshare --net bash -euc 'ip link set lo up; exec python3 "$1/half.py"' bash "$tmp"
echo 'PASS: the client read the end of the stream, and no FIN was on the wire'
