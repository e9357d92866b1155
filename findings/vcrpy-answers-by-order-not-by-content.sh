#!/usr/bin/env bash
# Software:  vcrpy 9.4.2 (PyPI), which records exchanges of Python's http.client in a file and answers from it, with
#            default settings.
# Behaviour: recorded answers are chosen by method and URI alone, and among those by their order. Two POSTs to one URI
#            that are sent in the other order get each other's answers; one with content that was never recorded gets
#            the next answer in the file. No error, and the file's requests have the content that would tell.
# One would guess otherwise: a recording that keeps a request's content and fields compares them, a POST is what it
#            says, and a request that was not recorded fails, as it does for another URI.
# Seen:      recorded: "one" gets "answer to one", "two" gets "answer to two". Played, mode "none": "two" gets "answer
#            to one", "other" gets "answer to two"; a third POST and a GET fail. With match_on including "body": each
#            its own answer, and "other" fails.
# Source:    vcrpy.readthedocs.io, request matching: method, scheme, host, port, path and query by default.
# Date:      2026-11-30
# So, for a tool that takes such files as a source of requests or as a stand-in for a service behind the shadow: a call
#            that has changed gets the answer of another one, and a comparison of what comes out blames the wrong side.
#            Match on content, and count each recorded answer that was used for a request that is not its own.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet vcrpy==9.4.2
cat >"$tmp/play.py" <<'PY'
import http.client
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import vcr
from vcr.errors import CannotOverwriteExistingCassetteException

path = f"{sys.argv[1]}/cassette.yaml"
ON_CONTENT = ["method", "scheme", "host", "port", "path", "query", "body"]


class Shop(BaseHTTPRequestHandler):
    def do_POST(self):
        content = b"answer to " + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def send(port, method, content):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.request(method, "/pay", body=content)
        return client.getresponse().read().decode()
    except CannotOverwriteExistingCassetteException:
        return "error"
    finally:
        client.close()


server = HTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port
with vcr.use_cassette(path, record_mode="all"):
    recorded = [send(port, "POST", content) for content in ("one", "two")]
server.shutdown()
server.server_close()
with vcr.use_cassette(path, record_mode="none"):
    requests = [("POST", "two"), ("POST", "other"), ("POST", "third"), ("GET", None)]
    played = [send(port, *request) for request in requests]
with vcr.use_cassette(path, record_mode="none", match_on=ON_CONTENT):
    matched = [send(port, "POST", content) for content in ("two", "one", "other")]
print("recorded:", recorded)
for (method, content), answer in zip(requests, played):
    print(f"played: {method} {content} gets: {answer}")
print("played, matching content: two, one, other get:", matched)
ONE, TWO = "answer to one", "answer to two"
holds = recorded == [ONE, TWO] and played == [ONE, TWO, "error", "error"] and matched == [TWO, ONE, "error"]
sys.exit(0 if holds else "CHANGED")
PY
timeout 30 "$tmp/venv/bin/python" "$tmp/play.py" "$tmp"
echo 'PASS: an answer is chosen by order'
