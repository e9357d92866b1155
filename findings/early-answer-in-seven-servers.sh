#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, lighttpd 1.4.69, h2o 2.2.5, nghttpx 1.52.0 (Debian 12) as
#            proxies, and Node 20: HTTP/2 without TLS to the client.
# Behaviour: a client has sent a part of its content when the application answers 413. HAProxy sends the whole answer
#            and leaves the stream half open. Caddy, lighttpd, nghttpx and Node send it and then RST_STREAM with
#            NO_ERROR. Apache and h2o send nothing before the client has sent all of its content.
# One would guess otherwise: an early answer is what 413 and 401 are for, HTTP/2 has a rule for it, and a stream that
#            was reset has failed.
# Seen:      two bytes of content and no end of it. Within five seconds: HEADERS and DATA with END_STREAM (HAProxy); the
#            same and RST_STREAM code 0 (four); nothing (Apache, h2o), where the answer comes as soon as the content
#            ends.
# Source:    RFC 9113, section 8.1: a server "MAY request" by RST_STREAM with NO_ERROR that the client stops, and
#            clients must not discard the answer for it.
# Date:      2026-11-30
# So, for a passive observer: RST_STREAM after a complete answer is a success, whoever counts each reset as an aborted
#            request is wrong; a request without an end is then complete, too, and its content is not all that the
#            client had. A replay sends what was captured as if it were whole: mark such requests. Behind Apache and h2o
#            the same client uploads everything first, and the times differ.
set -euo pipefail

. "$(dirname "$0")/lib/h2servers.sh"
cat >"$tmp/early.py" <<'PY'
import contextlib
import socket
import sys
import threading
import time

from h2servers import END_HEADERS, END_STREAM, GOAWAY, HEADERS, IS_ACK, NAMES, PREFACE, RST_STREAM, SETTINGS
from h2servers import frame, frames, running

DATA = 0
NODE = """
require('http2').createServer((request, response) => {
  response.statusCode = 413;
  response.end('no');
}).listen(Number(process.argv[1]), '127.0.0.1');
"""


def upstream(sock):
    """Answers as soon as it has the head."""
    data = b""
    with contextlib.suppress(OSError):
        while piece := sock.recv(65536):
            data += piece
            if b"\r\n\r\n" in data:
                fields = b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
                sock.sendall(b"HTTP/1.1 413 Content Too Large\r\n" + fields + b"no")
                while sock.recv(65536):
                    pass


def accept(listener):
    while True:
        threading.Thread(target=upstream, args=(listener.accept()[0],), daemon=True).start()


def events(sock):
    """What happens on stream 1 in five seconds, or in the second after the answer: "answer" when it is complete, and
    codes of resets."""
    found, data, end = [], b"", time.monotonic() + 5
    sock.settimeout(0.1)
    while time.monotonic() < end:
        try:
            if not (piece := sock.recv(65536)):
                break
        except TimeoutError:
            continue
        whole, data = frames(data + piece)
        for kind, flags, stream, payload in whole:
            assert kind != GOAWAY, payload
            if kind == SETTINGS and not flags & IS_ACK:
                sock.sendall(frame(SETTINGS, IS_ACK, 0))
            if stream == 1 and kind in (DATA, HEADERS) and flags & END_STREAM:
                found.append("answer")
                end = time.monotonic() + 1
            if stream == 1 and kind == RST_STREAM:
                found.append(int.from_bytes(payload, "big"))
    return found


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
results = {}
for name in NAMES:
    with running(name, sys.argv[1], listener.getsockname()[1], NODE) as port:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            post = frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84\x01\x09shop.test")
            sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + post + frame(DATA, 0, 1, b"hi"))
            early = events(sock)
            late = []
            if not early:
                sock.sendall(frame(DATA, END_STREAM, 1, b"!"))
                late = events(sock)
    results[name] = early, late
    print(f"{name:8} before the end of the content {early or 'nothing'}, after it {late or 'nothing more'}")
expected = {name: (["answer", 0], []) for name in ("Caddy", "lighttpd", "nghttpx", "Node")}
expected |= {"HAProxy": (["answer"], []), "Apache": ([], ["answer"]), "h2o": ([], ["answer"])}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout -k 10 90 python3 "$tmp/early.py" "$tmp"
echo 'PASS: an early answer is sent, sent and reset, or held back'
