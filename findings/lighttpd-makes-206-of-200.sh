#!/usr/bin/env bash
# Software:  lighttpd 1.4.69, nginx 1.22.1 and HAProxy 2.6.12 (Debian 12), each as a proxy to a server that ignores
#            Range.
# Behaviour: the client asks for bytes 2 to 3. The server answers 200 with all ten. lighttpd makes 206 with two bytes
#            and a Content-Range of it; nginx and HAProxy pass on the 200. The server's own answer to the same request
#            is whole in all three.
# One would guess otherwise: whether a resource has ranges is the server's decision (it said no), a proxy without a
#            cache passes answers on, and lighttpd was asked for no cache.
# Seen:      at the server: Range in all three, answer 200 with ten bytes. At the client: 206 "23" and Content-Range
#            "bytes 2-3/10" (lighttpd); 200 "0123456789" (nginx and HAProxy). A plain GET gets Accept-Ranges: bytes from
#            lighttpd, which the server did not send.
# Source:    lighttpd, server.range-requests: on by default, and not only for files.
# Date:      2026-11-30
# So, for a tool that compares answers: captured behind lighttpd and in front of it, status and content of one exchange
#            differ, though each side is correct. A shadow without the same proxy answers 200 and "fails". Compare on
#            the same side, or take Range out on both.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for name in lighttpd nginx haproxy; do
    [[ -x /usr/sbin/$name ]] || apt-get -o DPkg::Lock::Timeout=300 install -y "$name" >/dev/null
done
{
    /usr/sbin/lighttpd -v | grep -o 'lighttpd/1\.4\.69'
    /usr/sbin/nginx -v 2>&1 | grep -o 'nginx/1\.22\.1'
    /usr/sbin/haproxy -v | grep -o 'version 2\.6\.12'
} || { echo 'this finding is about lighttpd 1.4.69, nginx 1.22.1 and HAProxy 2.6.12'; exit 2; }
cat >"$tmp/range.py" <<'PY'
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder = sys.argv[1]
ranges = []


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        ranges.append(self.headers.get("Range"))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "10")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"0123456789")
        self.close_connection = True

    def log_message(self, *_):
        pass


def write(name, text):
    with open(f"{folder}/{name}", "w", encoding="ascii") as file:
        file.write(text)
    return f"{folder}/{name}"


def commands(port, server):
    lighttpd = (
        f'server.modules = ("mod_proxy")\nserver.bind = "127.0.0.1"\nserver.port = {port}\n'
        f'server.document-root = "{folder}"\nproxy.server = ("" => (("host" => "127.0.0.1", "port" => {server})))\n'
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    nginx = (
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.errors; events {{}}\n"
        f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port};\n"
        f"location / {{ proxy_pass http://127.0.0.1:{server}; }} }} }}\n"
    )
    haproxy = (
        "defaults\n mode http\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
        f"listen shop\n bind 127.0.0.1:{port}\n server s 127.0.0.1:{server}\n"
    )
    return {
        "lighttpd": ["/usr/sbin/lighttpd", "-D", "-f", write("lighttpd.conf", lighttpd)],
        "nginx": ["/usr/sbin/nginx", "-c", write("nginx.conf", nginx)],
        "HAProxy": ["/usr/sbin/haproxy", "-db", "-f", write("haproxy.cfg", haproxy)],
    }


def get(port, field=""):
    """Status, names of fields, content."""
    for _ in range(400):
        try:
            sock = socket.create_connection(("127.0.0.1", port), timeout=10)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    with sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: shop.test\r\n{field}Connection: close\r\n\r\n".encode())
        data = b""
        while piece := sock.recv(65536):
            data += piece
    head, _, content = data.decode().partition("\r\n\r\n")
    return int(head[9:12]), [line.lower().split(":")[0] for line in head.splitlines()[1:]], content


server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()
results = {}
for name in ("lighttpd", "nginx", "HAProxy"):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(commands(port, server.server_port)[name], **quiet) as process:
        _, plain, _ = get(port)
        ranges.clear()
        status, fields, content = get(port, "Range: bytes=2-3\r\n")
        process.terminate()
    results[name] = list(ranges), status, content, "content-range" in fields, "accept-ranges" in plain
    print(f"{name:8} server saw {ranges}, client got {status} {content}; plain GET: Accept-Ranges {results[name][-1]}")
SEEN = ["bytes=2-3"]
expected = {name: (SEEN, 200, "0123456789", False, False) for name in ("nginx", "HAProxy")}
sys.exit(0 if results == expected | {"lighttpd": (SEEN, 206, "23", True, True)} else "CHANGED")
PY
timeout -k 10 60 python3 "$tmp/range.py" "$tmp"
echo 'PASS: a 200 of the server is a 206 for the client'
