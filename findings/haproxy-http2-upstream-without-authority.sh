#!/usr/bin/env bash
# Software:  HAProxy 2.6.12 (Debian 12): client HTTP/1.1, server `proto h2`, both without TLS. Python h2 4.4.1 and
#            nginx 1.22.1 as the server.
# Behaviour: the HTTP/2 request has no `:authority`; the host is in a `host` field as in HTTP/1.1. `:scheme` is https.
# One would guess otherwise: every HTTP/2 client sends `:authority`, tools ask for it to name the service, and nothing
#            on the path is https.
# Seen:      :method GET, :scheme https, :path /item?x=1, host shop.test; no :authority. nginx as the server takes the
#            host from it and answers.
# Source:    github.com/haproxy/haproxy/issues/2592 (open): the maintainer takes an origin-form request to have no
#            authority, so that none may be made up (RFC 7540, section 8.1.2.3; RFC 9113, section 8.3.1 says it anew).
# Date:      2026-11-30
# So, for a tool that captures and replays: take the host from `host` where `:authority` is missing, do not call such a
#            request malformed, and do not choose TLS for the replay by `:scheme`. A replay "with :authority" is
#            another request to a server that looks at it alone, so keep the field that was captured.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for package in haproxy nginx; do
    [[ -x /usr/sbin/$package ]] || apt-get -o DPkg::Lock::Timeout=300 install -y "$package" >/dev/null
done
/usr/sbin/haproxy -v | grep -F 'version 2.6.12' || { echo 'this finding is about HAProxy 2.6.12'; exit 2; }
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet h2==4.4.1

cat >"$tmp/proxy.py" <<'PY'
import http.client
import socket
import subprocess
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

tmp = sys.argv[1]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def serve(listener, requests):
    """Answers on one HTTP/2 connection and keeps the fields of its requests."""
    sock, _ = listener.accept()
    config = H2Configuration(client_side=False, header_encoding="utf-8", validate_inbound_headers=False)
    connection = H2Connection(config)
    connection.initiate_connection()
    sock.sendall(connection.data_to_send())
    while data := sock.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                requests.append(event.headers)
            if isinstance(event, StreamEnded):
                connection.send_headers(event.stream_id, [(":status", "204")], end_stream=True)
        sock.sendall(connection.data_to_send())


def get(port):
    for _ in range(100):
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", "/item?x=1", headers={"Host": "shop.test"})
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    answer = client.getresponse()
    answer.read()
    return answer.status


requests = []
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener, requests), daemon=True).start()
to_h2, to_nginx, nginx_port = free_port(), free_port(), free_port()
with open(f"{tmp}/haproxy.cfg", "w", encoding="ascii") as file:
    file.write(
        "defaults\n mode http\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n"
        f"listen one\n bind 127.0.0.1:{to_h2}\n server s 127.0.0.1:{listener.getsockname()[1]} proto h2\n"
        f"listen two\n bind 127.0.0.1:{to_nginx}\n server s 127.0.0.1:{nginx_port} proto h2\n"
    )
with open(f"{tmp}/nginx.conf", "w", encoding="ascii") as file:
    paths = "".join(f"{name}_temp_path {tmp}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    file.write(
        f"daemon off; master_process off; pid {tmp}/pid; error_log {tmp}/error.log; events {{}}\n"
        f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{nginx_port} http2; server_name shop.test;\n"
        'if ($host != "shop.test") { return 421; } return 204; } }\n'
    )
commands = [["nginx", "-c", f"{tmp}/nginx.conf"], ["haproxy", "-db", "-q", "-f", f"{tmp}/haproxy.cfg"]]
processes = [subprocess.Popen(["/usr/sbin/" + name, *rest], stderr=subprocess.DEVNULL) for name, *rest in commands]
try:
    status, nginx = get(to_h2), get(to_nginx)
finally:
    for process in processes:
        process.terminate()
        process.wait()

fields = dict(requests[0])
print(f"upstream got {requests[0]}")
print(f"answers: {status} from h2, {nginx} from nginx")
holds = ":authority" not in fields and fields.get("host") == "shop.test" and fields[":scheme"] == "https"
sys.exit(0 if holds and status == nginx == 204 else "CHANGED")
PY
timeout -s INT -k 10 60 "$tmp/venv/bin/python" "$tmp/proxy.py" "$tmp"
echo 'PASS: an HTTP/2 request with host and without :authority, and with https for a clear-text connection'
