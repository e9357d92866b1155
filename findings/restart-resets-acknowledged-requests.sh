#!/usr/bin/env bash
# Software:  Linux 6.18, a listening socket with SO_REUSEPORT in two processes, as servers have for a restart without a
#            gap; net.ipv4.tcp_migrate_req at its default (0). No root needed.
# Behaviour: the old process closes its listening socket while the new one listens on the same address. Connections
#            that the kernel has put into the old one's queue are reset, although their requests have been acknowledged
#            and the new process waits for work.
# One would guess otherwise: SO_REUSEPORT is what restarts "without losing a connection" are built on, the two sockets
#            share one address, and an acknowledged request is one that the server has.
# Seen:      40 connections, each with a request that the server's kernel has acknowledged; nobody has called accept().
#            The old socket is closed: 20 or so are reset. The new one accepts the others and reads their requests.
# Source:    Linux Documentation/networking/ip-sysctl.rst, tcp_migrate_req (5.14): "the kernel ... aborts connections".
#            lwn.net/Articles/837506.
# Date:      2026-11-30
# So, for a passive observer: a request, its acknowledgement, then RST with no byte of an answer is no crash and no
#            refusal by the application, which never saw the request: the client may send it again without risk. Count
#            such resets that come at one instant as a restart of production, not as a fault that the shadow lacks.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/restart.py" <<'PY'
import socket
import struct
import sys
import time

CONNECTIONS = 40
REQUEST = b"GET /item HTTP/1.1\r\nHost: shop.test\r\n\r\n"


def listen(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock


def unacknowledged(sock):
    """tcpi_unacked of struct tcp_info: segments that are sent and not acknowledged."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0]


old = listen(0)
new = listen(old.getsockname()[1])
clients = [socket.create_connection(old.getsockname()) for _ in range(CONNECTIONS)]
for client in clients:
    client.sendall(REQUEST)
    client.setblocking(False)
time.sleep(0.1)
waiting = sum(unacknowledged(client) for client in clients)
old.close()
time.sleep(0.1)
reset = 0
for client in clients:
    try:
        client.recv(1)
    except ConnectionResetError:
        reset += 1
    except BlockingIOError:
        pass
new.settimeout(1)
served = 0
for _ in range(CONNECTIONS - reset):
    sock, _ = new.accept()
    served += sock.recv(1000) == REQUEST
with open("/proc/sys/net/ipv4/tcp_migrate_req", encoding="ascii") as file:
    migrate = file.read().strip()
print(f"tcp_migrate_req {migrate}: {CONNECTIONS} requests, {waiting} not acknowledged")
print(f"the old socket closed: {reset} reset, {served} read by the new process")
holds = migrate == "0" and waiting == 0 and 0 < reset < CONNECTIONS and served == CONNECTIONS - reset
sys.exit(0 if holds else "CHANGED")
PY
timeout 30 python3 "$tmp/restart.py"
echo 'PASS: acknowledged requests are reset by a restart'
