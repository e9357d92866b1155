#!/usr/bin/env bash
# Software:  grpcio 1.85.1 (PyPI), two servers on one port; @grpc/grpc-js 1.14.7 (npm) for comparison.
# Behaviour: a second server on a port that is in use starts without an error, and from then on answers about half of
#            the connections. With grpc-js the second one fails with EADDRINUSE.
# One would guess otherwise: a port belongs to one server, add_insecure_port returns the port when all is well, and one
#            that is used for sharing needs an option.
# Seen:      40 connections to two servers in one process: 12 to 28 to each. The same with two processes of one user.
#            grpc-js: EADDRINUSE.
# Source:    the option grpc.so_reuseport, which is on by default where the system has SO_REUSEPORT;
#            github.com/grpc/grpc/issues/16920.
# Date:      2026-11-30
# So, for a tool that runs a second version beside the first: one that is started on the same port by mistake does not
#            fail, it takes half of production's connections, and whole connections at that: every call of one client,
#            no call of another. A comparison of a server with "another" on the same port compares it with itself half
#            of the time.
set -euo pipefail

. "$(dirname "$0")/lib/grpc.sh"
cat >"$tmp/second.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const credentials = grpc.ServerCredentials.createInsecure();
const [first, second] = [new grpc.Server(), new grpc.Server()];
first.bindAsync('127.0.0.1:0', credentials, (_, port) => {
  second.bindAsync(`127.0.0.1:${port}`, credentials, (error) => {
    console.log(error ? error.message : 'started');
    process.exit();
  });
});
JS
cat >"$tmp/share.py" <<'PY'
import subprocess
import sys
from collections import Counter
from concurrent import futures

import grpc


class Named(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda *_: self.name)


def start(name, port):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([Named(name)])
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def call(port):
    options = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        return channel.unary_unary("/shop.Shop/Get")(b"7", timeout=10).decode()


if __name__ == "__main__" and len(sys.argv) == 3:  # the other process
    other, _ = start(b"other process", int(sys.argv[2]))
    print("started", flush=True)
    sys.stdin.read()
    other.stop(None)
    sys.exit()
first, port = start(b"first", 0)
second, again = start(b"second", port)
assert again == port
threads = Counter(call(port) for _ in range(40))
second.stop(None).wait()
command = [sys.executable, __file__, sys.argv[1], str(port)]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
    process.stdout.readline()
    processes = Counter(call(port) for _ in range(40))
    process.communicate()
first.stop(None)
node = subprocess.run(["node", f"{sys.argv[1]}/second.js"], capture_output=True, text=True, cwd=sys.argv[1], check=True)
print("two servers:", dict(threads))
print("two processes:", dict(processes))
print("grpc-js:", node.stdout.strip())
shared = all(len(counts) == 2 and min(counts.values()) >= 3 for counts in (threads, processes))
sys.exit(0 if shared and "EADDRINUSE" in node.stdout else "CHANGED")
PY
timeout -s INT -k 10 60 "$tmp/venv/bin/python" "$tmp/share.py" "$tmp"
echo 'PASS: two servers of grpcio share a port'
