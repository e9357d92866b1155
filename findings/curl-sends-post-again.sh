#!/usr/bin/env bash
# Software:  curl 7.88.1 (Debian 12), HTTP/1.1, two POST in one run. No option for retries is given.
# Behaviour: the server has read the second POST on the kept connection and closes without an answer. curl sends the
#            same POST again on a new connection and says nothing (exit code 0, nothing on stderr with -sS). On a
#            connection that was not used before it does not: exit code 52.
# One would guess otherwise: curl has --retry for that, its default is 0, and a POST that the server has read may have
#            been carried out (RFC 9110, section 9.2.2: no automatic retry of a method that is not idempotent, unless
#            the client knows that it was not applied).
# Seen:      requests at the server: POST /first and POST /second (no answer, connection closed), then POST /second
#            with the same body on another connection. Output "ok" twice, exit code 0.
# Source:    github.com/curl/curl/pull/18417 (open) asks for an option to turn it off: a reused connection that ends
#            before the first byte of an answer is taken for one that had timed out. --retry does not concern it.
# Date:      2026-11-30
# So, for a tool that captures and replays: two equal POSTs within milliseconds, on two connections, of which the first
#            has no answer, can be one order of one client. Do not pair the second's answer with the first, do not
#            count the first as an error of the shadow, and with writes replayed each of them is applied.
set -euo pipefail

command -v curl >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y curl >/dev/null
curl --version | grep -o '^curl 7\.88\.1' || { echo 'this finding is about curl 7.88.1'; exit 2; }
timeout 60 python3 - <<'PY'
import socket
import subprocess
import sys
import threading


class Shop:
    """Reads whole requests; closes instead of answering the given one."""

    def __init__(self, silent):
        self.silent, self.seen = silent, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in range(1, 9):
            sock, _ = self.listener.accept()
            with sock:
                self.serve(sock, number)

    def serve(self, sock, number):
        data = b""
        while piece := sock.recv(65536):
            data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ") for line in head.split(b"\r\n")[1:])
            if len(body) < int(fields.get(b"content-length", 0)):
                continue
            self.seen.append((number, head.split(b" HTTP")[0].decode(), body.decode()))
            data = b""
            if len(self.seen) == self.silent:
                return
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def curl(*arguments):
    common = ["curl", "-q", "-sS", "--noproxy", "*", "--max-time", "10"]
    return subprocess.run([*common, *arguments], capture_output=True, text=True, check=False)


def show(name, result, shop):
    print(f"{name}: exit code {result.returncode}, output {result.stdout!r}, errors {result.stderr.strip()!r}")
    for request in shop.seen:
        print("    connection {}: {} {}".format(*request))


used, fresh = Shop(silent=2), Shop(silent=1)
second = ["--next", "-sS", "--noproxy", "*", "-d", "order=2", used.url + "/second"]
again = curl("-d", "order=1", used.url + "/first", *second)
show("kept connection", again, used)
failed = curl("-d", "order=3", fresh.url + "/third")
show("new connection", failed, fresh)
holds = (
    used.seen == [(1, "POST /first", "order=1"), (1, "POST /second", "order=2"), (2, "POST /second", "order=2")]
    and (again.returncode, again.stdout, again.stderr) == (0, "okok", "")
    and fresh.seen == [(1, "POST /third", "order=3")]
    and failed.returncode == 52
)
sys.exit(0 if holds else "CHANGED")
PY
echo 'PASS: one POST of one client was two requests at the server'
