#!/usr/bin/env bash
# Software:  Caddy 2.6.2 (Debian 12), `reverse_proxy` with default settings; a server that compresses when it is asked.
# Behaviour: a request without Accept-Encoding is forwarded with `Accept-Encoding: gzip`. The compressed answer is
#            unpacked before it is passed on: without Content-Encoding and Content-Length, chunked, but with the ETag
#            and the Vary of the compressed one. One with `Accept-Encoding: identity` goes through as it is.
# One would guess otherwise: a proxy forwards what the client can read, `encode` is what turns compression on in Caddy,
#            and two ends that know nothing of gzip do not get it in between.
# Seen:      by the client: no Accept-Encoding, 160 bytes, chunked, ETag "7-gzip". At the server: asked for gzip, about
#            34 bytes, Content-Length, ETag "7-gzip". With identity: 160 bytes, Content-Length, ETag "7".
# Source:    Go net/http, Transport.DisableCompression: "if the Transport requests gzip on its own and gets a gzipped
#            response, it's transparently decoded". Caddy: `transport http { compression off }`.
# Date:      2026-11-30
# So, for a tool that captures behind such a proxy: requests and answers are not those of the client, sizes are those
#            of packed content, and a replay against a server that handles gzip badly fails for clients that never
#            asked for it. Captured in front of it, the ETag belongs to other bytes than those that follow.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/bin/caddy ]] || apt-get -o DPkg::Lock::Timeout=300 install -y caddy >/dev/null
echo "Caddy $(/usr/bin/caddy version)" | grep -F 'Caddy 2.6.2' || { echo 'this finding is about Caddy 2.6.2'; exit 2; }
cat >"$tmp/asked.py" <<'PY'
import gzip
import os
import re
import socket
import subprocess
import sys
import threading
import time

CONTENT = b'{"a": 1}' * 20
tmp = sys.argv[1]
asked, sent = [], []


def serve(listener):
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def answer(sock):
    data = b""
    while piece := sock.recv(65536):
        data += piece
        if not data.endswith(b"\r\n\r\n"):
            continue
        wanted = re.search(rb"(?i)accept-encoding: ([^\r]*)", data)
        asked.append(wanted[1].decode() if wanted else None)
        packed = asked[-1] == "gzip"
        content = gzip.compress(CONTENT) if packed else CONTENT
        sent.append(len(content))
        extra = b"Content-Encoding: gzip\r\n" if packed else b""
        tag = b'"7-gzip"' if packed else b'"7"'
        fields = b"ETag: %s\r\nVary: Accept-Encoding\r\nContent-Length: %d\r\n" % (tag, len(content))
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + fields + extra + b"\r\n" + content)
        data = b""


def get(port, extra):
    """Fields of the answer by name, and its content."""
    request = f"GET /item HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n{extra}\r\n"
    for _ in range(200):
        try:
            sock = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    data = b""
    with sock:
        sock.sendall(request.encode())
        while piece := sock.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    if fields.get("transfer-encoding") == "chunked":
        body = body.partition(b"\r\n")[2].removesuffix(b"\r\n0\r\n\r\n")
    return fields, body


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
with open(f"{tmp}/Caddyfile", "w", encoding="ascii") as file:
    file.write(
        f"{{\n admin off\n auto_https off\n}}\n:{port} {{\n reverse_proxy 127.0.0.1:{listener.getsockname()[1]}\n}}\n"
    )
command = ["/usr/bin/caddy", "run", "--config", f"{tmp}/Caddyfile", "--adapter", "caddyfile"]
environment = os.environ | {"HOME": tmp, "XDG_CONFIG_HOME": tmp, "XDG_DATA_HOME": tmp}
with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as caddy:
    try:
        plain, plain_body = get(port, "")
        identity, identity_body = get(port, "Accept-Encoding: identity\r\n")
    finally:
        caddy.terminate()
for name, fields, at in (("nothing", plain, 0), ("identity", identity, 1)):
    shown = {key: fields.get(key) for key in ("content-length", "transfer-encoding", "content-encoding", "etag")}
    print(f"client asks for {name}: the server is asked for {asked[at]} and sends {sent[at]} bytes; {shown}")
holds = (
    asked == ["gzip", "identity"]
    and plain_body == identity_body == CONTENT
    and sent[0] < sent[1] == len(CONTENT)
    and plain["etag"] == '"7-gzip"'
    and plain["transfer-encoding"] == "chunked"
    and "content-encoding" not in plain
    and identity["etag"] == '"7"'
    and identity["content-length"] == str(len(CONTENT))
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 40 python3 "$tmp/asked.py" "$tmp"
echo 'PASS: the server is asked for gzip, and the client does not see it'
