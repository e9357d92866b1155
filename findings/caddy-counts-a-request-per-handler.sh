#!/usr/bin/env bash
# Software:  Caddy 2.6.2 (Debian 12) with `metrics`: one site with two directives, `header` and `reverse_proxy` in a
#            `route`.
# Behaviour: caddy_http_requests_total has the label `handler`, and each request is counted once for each handler that
#            it passes. The sum over the label is a multiple of the requests, and which multiple depends on the number
#            of directives. The handler that answers need not be among them.
# One would guess otherwise: a counter named requests_total is summed over its labels for the rate of requests, and a
#            label splits a total into parts.
# Seen:      5 requests. `reverse_proxy` alone: 5 in all. With `header X-Shop 1` in front: 10, by handlers "headers" 5
#            and "reverse_proxy" 5. With the proxy in a `route`: 10, by "headers" 5 and "subroute" 5: no reverse_proxy.
# Source:    github.com/caddyserver/caddy/pull/3709, which brought the metrics and the label.
# Date:      2026-11-30
# So, for a tool that checks its coverage against such a counter: "captured 50 % of the requests" may be all of them.
#            To add a header to a site doubles its rate on the dashboard. Select one handler that each request passes
#            once, and check the figure with a known number of requests.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/bin/caddy ]] || apt-get -o DPkg::Lock::Timeout=300 install -y caddy >/dev/null
echo "Caddy $(/usr/bin/caddy version)" | grep -F 'Caddy 2.6.2' || { echo 'this finding is about Caddy 2.6.2'; exit 2; }
cat >"$tmp/count.py" <<'PY'
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket

REQUESTS = 5
tmp = sys.argv[1]


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def counters(site):
    """caddy_http_requests_total by handler, after the requests."""
    port, admin = free_port(), free_port()
    with open(f"{tmp}/Caddyfile", "w", encoding="ascii") as file:
        file.write(
            f"{{\n admin 127.0.0.1:{admin}\n auto_https off\n servers {{\n  metrics\n }}\n}}\n:{port} {{\n{site}\n}}\n"
        )
    command = ["/usr/bin/caddy", "run", "--config", f"{tmp}/Caddyfile", "--adapter", "caddyfile"]
    environment = os.environ | {"HOME": tmp, "XDG_CONFIG_HOME": tmp, "XDG_DATA_HOME": tmp}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as caddy:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics").close()
                    break
                except OSError:
                    time.sleep(0.05)
            for _ in range(REQUESTS):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/item").close()
            page = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics").read().decode()
        finally:
            caddy.terminate()
    found = re.findall(r'^caddy_http_requests_total\{handler="([^"]*)",[^}]*\} (\d+)$', page, re.MULTILINE)
    return {handler: int(number) for handler, number in found}


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
proxy = f"reverse_proxy 127.0.0.1:{server.server_port}"
results = {
    "proxy": counters(proxy),
    "header, proxy": counters(f"header X-Shop 1\n{proxy}"),
    "header, proxy in a route": counters(f"header X-Shop 1\nroute {{\n{proxy}\n}}"),
}
for name, found in results.items():
    print(f"{REQUESTS} requests, {name}: {found}, sum {sum(found.values())}")
expected = {
    "proxy": {"reverse_proxy": 5},
    "header, proxy": {"headers": 5, "reverse_proxy": 5},
    "header, proxy in a route": {"headers": 5, "subroute": 5},
}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout -s INT -k 10 50 python3 "$tmp/count.py" "$tmp"
echo 'PASS: a request is counted once for each handler'
