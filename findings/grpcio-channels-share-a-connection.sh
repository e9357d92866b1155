#!/usr/bin/env bash
# Software:  grpcio 1.85.1 (PyPI), five channels of one process to one address; the server behind a plain TCP relay
#            that counts connections.
# Behaviour: channels with equal options share one TCP connection, and closing one does not close it. A channel with
#            any other option, also one that no code reads, has a connection of its own.
# One would guess otherwise: a channel is created and closed like a connection, programs make several in order to have
#            several connections, and options have the meaning that they are documented to have.
# Seen:      five channels, one call each: 1 connection. Three more with the option ("app.number", i): 4 in all. Two
#            with grpc.use_local_subchannel_pool: 6 in all. Four of the five closed: the fifth still calls on the same
#            connection.
# Source:    github.com/grpc/grpc/issues/18487: C core has a global pool of subchannels, keyed by address and options.
# Date:      2026-11-30
# So, for a tool that samples connections: all calls of such a process are one connection: taken as a whole or not at
#            all, with one HPACK table and ids that say nothing of who called. A sample of 5 % of the connections is no
#            sample of 5 % of the calls; say how many connections the figure rests on.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet grpcio==1.85.1
cat >"$tmp/channels.py" <<'PY'
import socket
import sys
import threading
from concurrent import futures

import grpc

connections = 0


class Echo(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass


def relay(listener, port):
    global connections
    while True:
        near, _ = listener.accept()
        connections += 1
        far = socket.create_connection(("127.0.0.1", port))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=copy, args=pair, daemon=True).start()


def call(channel):
    assert channel.unary_unary("/shop.Shop/Get")(b"7", timeout=10) == b"7"
    return connections


server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers([Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=relay, args=(listener, port), daemon=True).start()
address = f"127.0.0.1:{listener.getsockname()[1]}"
equal = [grpc.insecure_channel(address) for _ in range(5)]
counts = [[call(channel) for channel in equal][-1]]
own_options = [grpc.insecure_channel(address, options=[("app.number", number)]) for number in range(3)]
counts.append([call(channel) for channel in own_options][-1])
local = [grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(2)]
counts.append([call(channel) for channel in local][-1])
for channel in equal[:4]:
    channel.close()
counts.append(call(equal[4]))
print(f"connections after 5 equal channels, 3 with an option, 2 with a local pool, 4 closed: {counts}")
for channel in [equal[4], *own_options, *local]:
    channel.close()
server.stop(None)
sys.exit(0 if counts == [1, 4, 6, 6] else "CHANGED")
PY
timeout -s INT -k 10 60 "$tmp/venv/bin/python" "$tmp/channels.py"
echo 'PASS: equal channels share a connection'
