#!/usr/bin/env bash
# Software:  Varnish 7.1.1 (Debian 12) with its built-in rules in front of a server that sends no field about caching.
# Behaviour: of a client's request little is left for the server. HEAD becomes GET. Range is taken out and answered by
#            Varnish. Accept-Encoding becomes "gzip", whatever the client wants, also if it has none. Three equal
#            requests at one time are one. The same request again is none, for two minutes, though nothing said that the
#            answer may be kept.
# One would guess otherwise: a proxy changes fields that concern the connection, it forwards the method, and an answer
#            without Cache-Control, Expires and Last-Modified is not kept, since one cannot tell for how long it is
#            good.
# Seen:      at the server: GET for HEAD; no Range, the client gets 206 with two bytes of ten; "gzip" for identity, for
#            "br" and for nothing; one request for three. Each of these is a GET without the client's wish. POST:
#            unchanged in all of this.
# Source:    varnish-cache.org/docs/7.1, parameters default_ttl (120 s) and http_gzip_support. RFC 9111, section 4.2.2,
#            lets a cache estimate for how long an answer is good.
# Date:      2026-11-30
# So, for a tool that captures behind such a cache: the mix of methods, fields and rates is that of the cache; no HEAD
#            and no Range will ever be replayed, and content is compressed. In front of it each client has its own
#            answer; a replay against a server without the cache has more load than production. Say on which side it was
#            captured.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for pair in varnishd:varnish cc:gcc; do
    command -v "${pair%:*}" >/dev/null || [[ -x /usr/sbin/${pair%:*} ]] ||
        apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" libc6-dev >/dev/null
done
/usr/sbin/varnishd -V 2>&1 | grep -o 'varnish-7\.1\.1' || { echo 'this finding is about Varnish 7.1.1'; exit 2; }
chmod a+rx "$tmp"
cat >"$tmp/varnish.py" <<'PY'
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

requests = []


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        requests.append((self.command, self.headers.get("Range"), self.headers.get("Accept-Encoding")))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(1 if self.path == "/slow" else 0)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "10")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"0123456789")

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, *_):
        pass


def read(sock):
    data = b""
    while piece := sock.recv(65536):
        data += piece
    head, _, content = data.partition(b"\r\n\r\n")
    return int(head[9:12]), content


def send(port, method, path, *fields):
    """The client's socket after a request."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.test", "Connection: close", *fields]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    return sock


def exchange(port, *request):
    """What the server got, and what the client got."""
    requests.clear()
    answer = read(send(port, *request))
    return list(requests), answer


def main(port):
    results = {
        "HEAD": exchange(port, "HEAD", "/head"),
        "Range": exchange(port, "GET", "/range", "Range: bytes=2-3"),
        "identity": exchange(port, "GET", "/identity", "Accept-Encoding: identity"),
        "br": exchange(port, "GET", "/br", "Accept-Encoding: br"),
        "again": exchange(port, "GET", "/br", "Accept-Encoding: br"),
        "POST": exchange(port, "POST", "/post", "Content-Length: 0", "Accept-Encoding: br"),
    }
    requests.clear()
    sockets = [send(port, "GET", "/slow") for _ in range(3)]
    answers = [read(sock) for sock in sockets]
    results["three"] = list(requests), answers[0]
    for name, (got, answer) in results.items():
        print(f"{name:8} server {got or 'nothing'}, client {answer}")
    get, whole = ("GET", None, "gzip"), (200, b"0123456789")
    expected = {name: ([get], whole) for name in ("identity", "br", "three")} | {"again": ([], whole)}
    expected |= {"HEAD": ([get], (200, b"")), "Range": ([get], (206, b"23"))}
    expected["POST"] = [("POST", None, "br")], whole
    return results == expected and all(answer == whole for answer in answers)


server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
command = ["/usr/sbin/varnishd", "-F", "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{server.server_port}"]
command += ["-n", f"{sys.argv[1]}/varnish", "-s", "malloc,10m"]
with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as varnish:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    holds = main(port)
    varnish.terminate()
sys.exit(0 if holds else "CHANGED")
PY
timeout -k 10 60 python3 "$tmp/varnish.py" "$tmp"
echo 'PASS: the server is asked for something else'
