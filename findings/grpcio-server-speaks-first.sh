#!/usr/bin/env bash
# Software:  grpcio 1.85.3 (Python, C core), server on a port without TLS; nginx 1.22.1 (Debian 12) for comparison.
# Behaviour: the server sends its SETTINGS as soon as it has accepted the connection. A client that has not sent a
#            byte already receives a full HTTP/2 server preface.
# One would guess otherwise: without TLS a server cannot know that HTTP/2 will be spoken before it has read the
#            client's preface, and web servers are silent until they are asked, as nginx is on an HTTP/2 port.
# Seen:      46 bytes from grpcio before the client sent one (SETTINGS, then WINDOW_UPDATE on stream 0). nginx: none
#            within two seconds; its SETTINGS come after the preface.
# Date:      2026-11-29
# So, for a passive observer: "who sends the first bytes is the client" names the wrong side, and "the first bytes
#            decide the protocol" finds a frame header where it expects "PRI" or a method. Take the roles from the
#            SYN. Where the SYN was missed, wait for "PRI *", which only a client sends.
set -euo pipefail

tmp=$(mktemp -d)
nginx_pid=
cleanup() {
    [[ -z $nginx_pid ]] || { kill "$nginx_pid" && wait "$nginx_pid"; } 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT

command -v nginx >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nginx >/dev/null
nginx_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$tmp/nginx.conf" <<CONF
daemon off;
master_process off;
pid $tmp/nginx.pid;
error_log $tmp/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $tmp/body;
    proxy_temp_path $tmp/proxy;
    fastcgi_temp_path $tmp/fastcgi;
    uwsgi_temp_path $tmp/uwsgi;
    scgi_temp_path $tmp/scgi;
    server { listen 127.0.0.1:$nginx_port http2; return 204; }
}
CONF
nginx -c "$tmp/nginx.conf" 2>"$tmp/stderr" &
nginx_pid=$!

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet grpcio==1.85.3

cat >"$tmp/first.py" <<'PY'
import socket
import sys
from concurrent import futures

import grpc

SETTINGS = 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0])


def first_bytes(port, sent, patience):
    """The first bytes of a server towards a client that has sent this much."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as sock:
        sock.sendall(sent)
        try:
            return sock.recv(4096)
        except TimeoutError:
            return b""


server = grpc.server(futures.ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
first = first_bytes(port, b"", 5)
server.stop(None)

length, kind, stream = int.from_bytes(first[:3], "big"), first[3:4], int.from_bytes(first[5:9], "big")
print(f"grpcio {grpc.__version__}: {len(first)} bytes before the client sent one: {first.hex(' ')}")
holds = kind == bytes([SETTINGS]) and stream == 0 and length % 6 == 0

nginx = int(sys.argv[1])
quiet, asked = first_bytes(nginx, b"", 2), first_bytes(nginx, PREFACE, 2)
print(f"nginx, for comparison: {len(quiet)} bytes within two seconds; after the client's preface {asked[:9].hex(' ')}...")
holds = holds and not quiet and asked[3:4] == bytes([SETTINGS])

sys.exit(0 if holds else "CHANGED")
PY
"$tmp/venv/bin/python" "$tmp/first.py" "$nginx_port"
