#!/usr/bin/env bash
# Software:  Caddy 2.6.2 (Debian 12), `reverse_proxy h2c://...`; Python h2 4.4.1 as the server.
# Behaviour: Caddy forwards equal HTTP/1.1 requests as HTTP/2 requests whose fields are in a random order, another one
#            each time. Values of one name stay in order, the pseudo-fields stay first and `accept-encoding: gzip`,
#            which Caddy adds, stays last.
# One would guess otherwise: the client's order is known and kept by other proxies, by HTTP/1.1 Caddy sorts the fields
#            by name, and an encoder that wants small header blocks profits from a fixed order.
# Seen:      20 equal requests on one connection: about 12 orders of the same fields.
# Source:    Go's HTTP/2 client (golang.org/x/net/http2) walks over the map http.Header, whose order is random by
#            design. RFC 9110, section 5.3: the order of different names has no meaning.
# Date:      2026-11-30
# So, for a tool that captures or compares: "the same bytes" or a hash of the header block finds no two equal requests
#            behind a Go program, and an order is no fingerprint of a client. Sort by name before comparing, keep the
#            order of values of one name, and do not expect that a replay in the captured order meets what a server saw
#            in a load test.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/bin/caddy ]] || apt-get -o DPkg::Lock::Timeout=300 install -y caddy >/dev/null
echo "Caddy $(/usr/bin/caddy version)" | grep -F 'Caddy 2.6.2' || { echo 'this finding is about Caddy 2.6.2'; exit 2; }
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet h2==4.4.1
cat >"$tmp/order.py" <<'PY'
import os
import socket
import subprocess
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

REQUESTS = 20
tmp = sys.argv[1]
orders, connections = [], 0


def serve(listener):
    global connections
    while True:
        sock, _ = listener.accept()
        connections += 1
        threading.Thread(target=answer, args=(sock,), daemon=True).start()


def answer(sock):
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    sock.sendall(connection.data_to_send())
    while data := sock.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                orders.append(tuple(event.headers))
            if isinstance(event, StreamEnded):
                connection.send_headers(event.stream_id, [(":status", "204")], end_stream=True)
        sock.sendall(connection.data_to_send())


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
with open(f"{tmp}/Caddyfile", "w", encoding="ascii") as file:
    file.write(
        f"{{\n admin off\n auto_https off\n}}\n:{port} {{\n"
        f" reverse_proxy h2c://127.0.0.1:{listener.getsockname()[1]}\n}}\n"
    )
command = ["/usr/bin/caddy", "run", "--config", f"{tmp}/Caddyfile", "--adapter", "caddyfile"]
environment = os.environ | {"HOME": tmp, "XDG_CONFIG_HOME": tmp, "XDG_DATA_HOME": tmp}
with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as caddy:
    try:
        for _ in range(200):
            try:
                sock = socket.create_connection(("127.0.0.1", port), timeout=5)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        fields = "Accept: text/html", "User-Agent: test", "X-One: 1", "X-Two: 2", "X-Two: 3"
        for _ in range(REQUESTS):
            sock.sendall("\r\n".join(("GET /item HTTP/1.1", "Host: shop.test", *fields, "", "")).encode())
            while b"\r\n\r\n" not in sock.recv(65536):
                pass
    finally:
        caddy.terminate()
for order in list(dict.fromkeys(orders))[:3]:
    print(" ".join(name for name, _ in order if not name.startswith(":")))
print(f"{len(orders)} requests on {connections} connection, {len(set(orders))} orders")
holds = (
    len(orders) == REQUESTS
    and connections == 1
    and len(set(orders)) >= 5
    and len({tuple(sorted(order)) for order in orders}) == 1
    and all([value for name, value in order if name == "x-two"] == ["2", "3"] for order in orders)
    and all(order[-1] == ("accept-encoding", "gzip") for order in orders)
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 60 "$tmp/venv/bin/python" "$tmp/order.py" "$tmp"
echo 'PASS: equal requests have their fields in different orders'
