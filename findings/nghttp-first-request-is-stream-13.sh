#!/usr/bin/env bash
# Software:  nghttp 1.52.0 (Debian 12, package nghttp2-client), curl 7.88.1, Node 20 http2 for comparison: each is one
#            client that sends one request without TLS on a new connection.
# Behaviour: the first request of an nghttp connection is on stream 13. Streams 3, 5, 7, 9 and 11 are named in PRIORITY
#            frames and never opened; 1 is not used at all.
# One would guess otherwise: streams are numbered 1, 3, 5, ..., and all three clients use the same library.
# Seen:      stream of the first HEADERS frame: nghttp 13, curl 1, Node 1. PRIORITY frames before it: 5, 0, 0.
# Source:    RFC 9113, section 5.1.1: identifiers only have to grow; those that are skipped count as closed. nghttp's
#            anchors for a tree of priorities, as old Firefox versions had them (nghttp --no-dep turns them off).
# Date:      2026-11-30
# So, for a passive observer: "the first stream that I see is not 1, so I came late and have missed 6 requests" is
#            wrong here. Whether the beginning was seen is told by the preface and the SYN. A table indexed by (id - 1)
#            / 2 has holes, and a limit of streams counts those that were opened.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for pair in nghttp:nghttp2-client curl:curl node:nodejs; do
    command -v "${pair%:*}" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
nghttp --version | grep -F 'nghttp2/1.52.0' || { echo 'this finding is about nghttp 1.52.0'; exit 2; }
cat >"$tmp/streams.py" <<'PY'
import socket
import subprocess
import sys

HEADERS, PRIORITY, SETTINGS = 1, 2, 4
NODE = (
    "const client = require('http2').connect(process.argv[1]); client.on('error', () => {});"
    "client.request({':path': '/item'}).on('error', () => {}).end()"
)


def frames(data):
    """(type, stream) of each whole frame after the preface."""
    at, found = 24, []
    while at + 9 <= len(data) and at + 9 + int.from_bytes(data[at : at + 3], "big") <= len(data):
        found.append((data[at + 3], int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF))
        at += 9 + int.from_bytes(data[at : at + 3], "big")
    return found


def first_request(command):
    """The stream of the first HEADERS frame, and the streams of the PRIORITY frames before it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/item"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([*command, url], **quiet) as client:
            sock, _ = server.accept()
            sock.settimeout(10)
            sock.sendall(bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0)))
            data = b""
            while not any(kind == HEADERS for kind, _ in frames(data)):
                data += sock.recv(65536)
            sock.close()
            client.kill()
    kinds = frames(data)
    place = [kind for kind, _ in kinds].index(HEADERS)
    return kinds[place][1], [stream for kind, stream in kinds[:place] if kind == PRIORITY]


commands = {"nghttp": ["nghttp"], "curl": ["curl", "-s", "--http2-prior-knowledge"], "Node": ["node", "-e", NODE]}
results = {name: first_request(command) for name, command in commands.items()}
for name, (stream, priorities) in results.items():
    print(f"{name:6} first request on stream {stream}, PRIORITY for {priorities}")
expected = {"nghttp": (13, [3, 5, 7, 9, 11]), "curl": (1, []), "Node": (1, [])}
sys.exit(0 if results == expected else "CHANGED")
PY
timeout 50 python3 "$tmp/streams.py"
echo 'PASS: the first request is on stream 13'
