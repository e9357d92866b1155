#!/usr/bin/env bash
# Software:  mitmproxy 11.0.2 (PyPI), `mitmdump --set hardump=FILE`.
# Behaviour: the same bytes of an image are base64 with a marker as an answer, and unmarked text as a request: each
#            byte becomes the character with its number. And the body of a request is kept for POST, PUT and PATCH
#            only: a DELETE (or a GET) with content has no `postData` at all, while its `bodySize` tells that there
#            was content.
# One would guess otherwise: the exporter knows how to write binary content, as the same entry's answer shows (HAR 1.2
#            defines no encoding for requests, but lets one add fields), and a request's content does not depend on
#            its method in HTTP (RFC 9110 has no list of three).
# Seen:      20 bytes of image/png: request text "\u0089PNG...\u00ff\u00fe\u0080\u00c3" (25 bytes as UTF-8), answer
#            base64. DELETE and GET with 15 bytes of JSON: bodySize 15, no postData.
# Date:      2026-11-29
# So, for a replayer: `postData.text` written out as UTF-8 is another, longer body. Encode it as ISO 8859-1 where
#            Content-Length (or `bodySize`) says so, and take an entry with `bodySize` above 0 but without `postData`
#            as not replayable, not as a request without content.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet mitmproxy==11.0.2

cat >"$tmp/export.py" <<'PY'
import base64
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

IMAGE = bytes.fromhex("89504e470d0a1a0a 0000000d 49484452 fffe80c3")
ORDER = b'{"ids": [4, 7]}'


class Echo(BaseHTTPRequestHandler):
    """Answers with the content of the request."""

    def answer(self):
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", self.headers["content-type"])
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = do_GET = answer

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


mitmdump, folder = sys.argv[1:]
server = HTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = free_port()
command = [mitmdump, "--quiet", "--mode", f"reverse:http://127.0.0.1:{server.server_port}", "--listen-host", "127.0.0.1"]
command += ["--listen-port", str(port), "--set", f"confdir={folder}/conf", "--set", f"hardump={folder}/out.har"]
requests = [("POST", "image/png", IMAGE), ("POST", "application/json", ORDER)]
requests += [("DELETE", "application/json", ORDER), ("GET", "application/json", ORDER)]
with subprocess.Popen(command) as proxy:
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        for method, kind, content in requests:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            client.request(method, "/", content, {"content-type": kind})
            assert client.getresponse().read() == content, "not echoed"
            client.close()
    finally:
        proxy.terminate()

with open(f"{folder}/out.har", encoding="utf-8") as file:
    log = json.load(file)["log"]
print(log["creator"]["name"], log["creator"]["version"])
entries = log["entries"]
for (method, kind, content), entry in zip(requests, entries):
    request, answer = entry["request"], entry["response"]["content"]
    print(f"{method} {kind}, {len(content)} bytes, bodySize {request['bodySize']}")
    print(f"    request  {json.dumps(request.get('postData', 'no postData'))}")
    print(f"    answer   {json.dumps({key: answer[key] for key in ('text', 'encoding') if key in answer})}")

image, order, delete, get = entries
text = image["request"]["postData"]["text"]
print(f"the image's text as UTF-8: {len(text.encode())} bytes, as ISO 8859-1: {len(text.encode('latin-1'))} bytes")
holds = text.encode("latin-1") == IMAGE and "encoding" not in image["request"]["postData"]
holds = holds and base64.b64decode(image["response"]["content"]["text"]) == IMAGE
holds = holds and image["response"]["content"]["encoding"] == "base64"
holds = holds and order["request"]["postData"]["text"].encode() == ORDER
for entry in (delete, get):
    holds = holds and not entry["request"].get("postData") and entry["request"]["bodySize"] == len(ORDER)
sys.exit(0 if holds else "CHANGED")
PY
timeout 120 "$tmp/venv/bin/python" "$tmp/export.py" "$tmp/venv/bin/mitmdump" "$tmp"
