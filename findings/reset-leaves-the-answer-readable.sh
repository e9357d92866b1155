#!/usr/bin/env bash
# Software:  Linux 6.18 TCP on loopback; Python's http.server, which answers 413 before it has read the body; curl
#            7.88.1 for comparison. No root needed.
# Behaviour: a server that answers and closes with unread data sends its answer and then RST. The client's kernel keeps
#            what came before the RST: when the connection is gone, read() still returns the whole answer, and after it
#            a clean end, no error.
# One would guess otherwise: RFC 9112 warns that an RST can make the client's TCP erase what its application has not
#            read yet, servers linger for that reason, and a connection that was reset counts as failed.
# Seen:      client in the middle of a write: error, state CLOSE; it then reads the 413 in full, and the end. Client
#            that only waits: no error at all, state CLOSE, the same. curl, ten times: sometimes exit code 0 and status
#            413, sometimes 55 and no status, with the same segments on the wire.
# Source:    RFC 9112, section 9.6 says what may happen.
# Date:      2026-11-30
# So, for a passive observer: RST after a complete answer is no reason to drop the exchange or to count it as an error
#            of production: between Linux hosts the answer was there to be read. Whether the program did so cannot be
#            seen from the wire. Decide by the answer's framing, and let a reset end only what was not complete.
set -euo pipefail

command -v curl >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y curl >/dev/null
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
head -c 8000000 /dev/zero >"$tmp/body"

cat >"$tmp/reset.py" <<'PY'
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLOSE = 7  # TCP_INFO's state after an RST; after a FIN alone it is CLOSE_WAIT (8)
HEAD = b"POST /upload HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 8000000\r\n\r\n"


class TooLarge(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.send_response(413)
        self.send_header("Content-Length", "10")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"too large\n")
        self.close_connection = True

    def log_message(self, *_):
        pass


def read_to_end(sock):
    """What can still be read, and how it ends."""
    found = b""
    try:
        while piece := sock.recv(4096):
            found += piece
        return found, "end"
    except ConnectionResetError:
        return found, "ECONNRESET"


def upload(port, rest):
    """Sends the head and the rest; reads only after the connection is gone."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        written = "ok"
        try:
            sock.sendall(HEAD)
            sock.sendall(rest)
        except (ConnectionResetError, BrokenPipeError) as error:
            written = type(error).__name__
        for _ in range(100):
            if (state := sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]) == CLOSE:
                break
            time.sleep(0.05)
        answer, end = read_to_end(sock)
    whole = answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"\r\n\r\ntoo large\n")
    return written, state == CLOSE, whole, end


server = ThreadingHTTPServer(("127.0.0.1", 0), TooLarge)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"Linux {os.uname().release.split('-')[0]}; write(), connection gone, whole answer read afterwards, then")
writing = upload(server.server_port, bytes(8_000_000))
waiting = upload(server.server_port, bytes(40_000))
print("    client that writes on:", writing)
print("    client that waits:    ", waiting)
url = f"http://127.0.0.1:{server.server_port}/upload"
command = ["curl", "-q", "-sS", "--noproxy", "*", "--max-time", "20", "-H", "Expect:", "-o", f"{sys.argv[1]}.out"]
command += ["-w", "%{http_code}", "--data-binary", f"@{sys.argv[1]}", url]
results = []
for _ in range(10):
    curl = subprocess.run(command, capture_output=True, text=True, check=False)
    results.append(f"exit code {curl.returncode}, status {curl.stdout}")
print("    curl, for comparison:", {result: results.count(result) for result in sorted(results)})
holds = writing[0] != "ok" and waiting[0] == "ok" and writing[1:] == waiting[1:] == (True, True, "end")
sys.exit(0 if holds else "CHANGED")
PY
timeout 60 python3 "$tmp/reset.py" "$tmp/body"
echo 'PASS: the answer could be read after the reset'
