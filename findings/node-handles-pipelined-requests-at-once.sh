#!/usr/bin/env bash
# Software:  Node 20 http, directly and behind nginx 1.22.1 (Debian 12); a client that sends two requests at once on
#            one connection (pipelining, HTTP/1.1).
# Behaviour: Node runs the handlers of both at the same time and keeps the second answer back until the first is sent.
#            nginx sends the second request to the server when the first has been answered. On the client's side of
#            both the same bytes are seen at the same times.
# One would guess otherwise: answers have to be in order, so a server that sends them in order has also worked in
#            order; and a write followed by a read on one connection is read after it is written.
# Seen:      PUT /stock, whose handler takes one second, and GET /stock. Node: GET's handler begins within 0.2 s and
#            reads the old value: "old". Behind nginx it begins after one second: "new". The answer to GET comes after
#            one second in both cases.
# Source:    RFC 9112, section 9.3.2: a server MAY process pipelined requests in parallel if they all have safe methods
#            (here one has not). Node parses all that has arrived and queues the answers.
# Date:      2026-11-30
# So, for a tool that captures and replays: the time from a pipelined request to its answer is no time of the server's:
#            it contains that of the requests before. The order on the connection is not the order in which they were
#            applied, so that a replay one by one can give another answer than production gave. Mark pipelined
#            requests, and leave them out of latencies and of read-after-write.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/sbin/nginx ]] || apt-get -o DPkg::Lock::Timeout=300 install -y nginx >/dev/null
command -v node >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nodejs >/dev/null
/usr/sbin/nginx -v 2>&1 | grep -F 'nginx/1.22.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }
node --version | grep '^v20\.' || { echo 'this finding is about Node 20'; exit 2; }
cat >"$tmp/server.js" <<'JS'
let stock = 'old';
const server = require('http').createServer((request, response) => {
  console.log(JSON.stringify({ method: request.method, at: process.uptime() }));
  request.resume();
  if (request.method === 'GET') return response.end(stock);
  setTimeout(() => { stock = 'new'; response.end('put'); }, 1000);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
cat >"$tmp/pipeline.py" <<'PY'
import json
import socket
import subprocess
import sys
import time

tmp = sys.argv[1]
REQUESTS = (
    b"PUT /stock HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\n\r\n7"
    b"GET /stock HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
)


def exchange(port, log):
    """What GET read, seconds from PUT's handler to GET's, and seconds until the last byte of GET's answer."""
    for _ in range(200):
        try:
            sock = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    with sock:
        begin = time.monotonic()
        sock.sendall(REQUESTS)
        data = b""
        while piece := sock.recv(65536):
            data += piece
            seconds = time.monotonic() - begin
    first, second = (json.loads(log.readline()) for _ in range(2))
    assert (first["method"], second["method"]) == ("PUT", "GET") and b"put" in data
    return "old" if b"old" in data else "new", second["at"] - first["at"], seconds


def nginx(port, server):
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp}/{kind};" for kind in kinds)
    with open(f"{tmp}/nginx.conf", "w", encoding="ascii") as file:
        file.write(
            f"daemon off; master_process off; pid {tmp}/pid; error_log {tmp}/errors; events {{}}\n"
            f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port};\n"
            f"location / {{ proxy_pass http://127.0.0.1:{server}; }} }} }}\n"
        )
    return subprocess.Popen(["/usr/sbin/nginx", "-c", f"{tmp}/nginx.conf"], stderr=subprocess.DEVNULL)


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    proxy_port = probe.getsockname()[1]
results = {}
for name in ("directly", "behind nginx"):
    with subprocess.Popen(["node", f"{tmp}/server.js"], stdout=subprocess.PIPE, text=True) as node:
        port = int(node.stdout.readline())
        if name == "directly":
            results[name] = exchange(port, node.stdout)
        else:
            with nginx(proxy_port, port) as proxy:
                results[name] = exchange(proxy_port, node.stdout)
                proxy.terminate()
        node.kill()
for name, (read, between, seconds) in results.items():
    print(f"{name:12} GET reads {read!r}; its handler begins {between:.2f} s after PUT's, answer {seconds:.2f} s")
(direct, direct_gap, direct_end), (proxied, proxied_gap, proxied_end) = results.values()
holds = direct == "old" and direct_gap < 0.5 and proxied == "new" and proxied_gap > 0.9
sys.exit(0 if holds and direct_end > 0.9 and proxied_end > 0.9 else "CHANGED")
PY
timeout -s INT -k 10 50 python3 "$tmp/pipeline.py" "$tmp"
echo 'PASS: pipelined requests are handled at once, or one after the other'
