#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, lighttpd 1.4.69, h2o 2.2.5, nghttpx 1.52.0 (Debian 12) as
#            proxies, and Node 20: HTTP/2 without TLS to the client, ten equal requests on one connection.
# Behaviour: how much of the tenth answer can be read without the first nine depends on the server's software alone.
#            From HAProxy everything; from Caddy and lighttpd the status and nothing else; from the others two or three
#            fields, which are not the same ones.
# One would guess otherwise: HPACK is one format with one purpose, equal answers are encoded alike, and the proxies were
#            given the same answer by the same server.
# Seen:      fields of the tenth answer, and those that need no history: HAProxy 5 and 5; Apache and nghttpx 7 and 3;
#            h2o 7 and 3; Node 5 and 2; Caddy 7 and 1; lighttpd 8 and 1. HAProxy inserts three fields into the table
#            each time and never uses one; its strings are never Huffman-coded.
# Source:    RFC 7541, section 6 and appendix A: an encoder may choose any form for any field.
# Date:      2026-11-30
# So, for a tool that joins a connection late (after its start, or after a gap): "a late join loses all fields" and "a
#            late join loses little" are both wrong in general. Decide field by field, keep what is literal or static,
#            and mark the rest as unknown. A test of this with one server says nothing of the others.
set -euo pipefail

. "$(dirname "$0")/lib/h2servers.sh"
cat >"$tmp/late.py" <<'PY'
import contextlib
import socket
import sys
import threading

from h2servers import END_HEADERS, END_STREAM, GOAWAY, HEADERS, IS_ACK, NAMES, PREFACE, SETTINGS, frame, frames, running

STATIC = 61
FIELDS = b"Content-Type: text/plain\r\nX-Shop: abc\r\nSet-Cookie: id=0123456789\r\nContent-Length: 2\r\n"
NODE = """
require('http2').createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.setHeader('x-shop', 'abc');
  response.setHeader('set-cookie', 'id=0123456789');
  response.end('ok');
}).listen(Number(process.argv[1]), '127.0.0.1');
"""


def number(data, at, bits):
    """An integer of HPACK, and the place after it."""
    value, at, shift = data[at] & ((1 << bits) - 1), at + 1, 0
    if value == (1 << bits) - 1:
        while True:
            value += (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if not data[at - 1] & 128:
                break
    return value, at


def forms(data):
    """For each field: whether it needs history, is inserted, and has a string with Huffman coding."""
    at, found = 0, []
    while at < len(data):
        first = data[at]
        if first & 0xE0 == 0x20:  # another size of the table
            _, at = number(data, at, 5)
            continue
        bits = 7 if first & 128 else 6 if first & 64 else 4
        index, at = number(data, at, bits)
        huffman = False
        for _ in range(0 if first & 128 else 1 if index else 2):
            huffman |= bool(data[at] & 128)
            size, at = number(data, at, 7)
            at += size
        found.append((index > STATIC, first & 0xC0 == 64, huffman))
    return found


def late_answers(port):
    """The header blocks of the last five of ten answers. Each request is the same, without use of the table."""
    request = b"\x82\x86\x84\x01\x09shop.test"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
        data, blocks = b"", []
        for stream in range(1, 21, 2):
            sock.sendall(frame(HEADERS, END_STREAM | END_HEADERS, stream, request))
            ended = False
            while not ended:
                found, data = frames(data + sock.recv(65536))
                for kind, flags, of, payload in found:
                    assert kind != GOAWAY, payload
                    if kind == SETTINGS and not flags & IS_ACK:
                        sock.sendall(frame(SETTINGS, IS_ACK, 0))
                    if kind == HEADERS and of == stream:
                        blocks.append(payload)
                    ended |= of == stream and kind in (0, HEADERS) and bool(flags & END_STREAM)
    return blocks[5:]


def upstream(sock):
    data = b""
    with contextlib.suppress(OSError):
        while piece := sock.recv(65536):
            data += piece
            if data.endswith(b"\r\n\r\n"):
                sock.sendall(b"HTTP/1.1 200 OK\r\n" + FIELDS + b"\r\nok")
                data = b""


def accept(listener):
    while True:
        threading.Thread(target=upstream, args=(listener.accept()[0],), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
results = {}
for name in NAMES:
    with running(name, sys.argv[1], listener.getsockname()[1], NODE) as port:
        # An answer in which the Date has just changed has one field more that can be read.
        fields = max(map(forms, late_answers(port)), key=lambda one: sum(history for history, _, _ in one))
    results[name] = len(fields), sum(not history for history, _, _ in fields)
    inserted, huffman = (sum(one[place] for one in fields) for place in (1, 2))
    print(f"{name:8} fields {len(fields)}, without history {results[name][1]}, inserted {inserted}, Huffman {huffman}")
    if name == "HAProxy" and (inserted, huffman) != (3, 0):
        sys.exit("CHANGED")
expected = {"HAProxy": (5, 5), "Apache": (7, 3), "nghttpx": (7, 3), "h2o": (7, 3), "Node": (5, 2)}
sys.exit(0 if results == expected | {"Caddy": (7, 1), "lighttpd": (8, 1)} else "CHANGED")
PY
timeout -k 10 60 python3 "$tmp/late.py" "$tmp"
echo 'PASS: what a late reader has depends on the server'
