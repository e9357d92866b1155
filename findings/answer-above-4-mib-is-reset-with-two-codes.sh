#!/usr/bin/env bash
# Software:  grpcio 1.85.1 (PyPI) and @grpc/grpc-js 1.14.7 (npm) as clients with default options; a grpcio server whose
#            answer has 5,000,000 bytes, behind a relay that reads the frames.
# Behaviour: both clients take messages of up to 4 MiB only and end the call with RESOURCE_EXHAUSTED, a status that no
#            server has sent: they reset the stream when they have read the length in the first bytes. grpcio does so
#            with ENHANCE_YOUR_CALM, grpc-js with CANCEL. To the server the answer was good.
# One would guess otherwise: a limit of the receiver is announced to the sender, one library's two versions reset with
#            one code, and ENHANCE_YOUR_CALM (RFC 9113: "excessive load") is what a server says to a client that sends
#            too much.
# Seen:      status at the client RESOURCE_EXHAUSTED (8) in both; RST_STREAM code 11 (grpcio) and 8 (grpc-js) after less
#            than 1,000,000 of the 5,000,000 bytes; grpc-status from the server: none.
# Source:    grpc.max_receive_message_length, 4 MiB by default. RFC 9113, section 7.
# Date:      2026-11-30
# So, for a passive observer: the client's error is in no packet; a reset by the client in the middle of an answer is a
#            timeout, a cancellation or this, and the length in the message's first five bytes tells which. A replay
#            with a larger limit gets the answer in full and "differs". Do not count ENHANCE_YOUR_CALM as overload.
set -euo pipefail

. "$(dirname "$0")/lib/grpc.sh"
cat >"$tmp/call.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
const same = (value) => value;
client.makeUnaryRequest('/shop.Shop/Get', same, same, Buffer.from('7'), (error) => {
  console.log(error ? error.code : 0);
  client.close();
});
JS
cat >"$tmp/call.py" <<'PY'
import sys

import grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    try:
        channel.unary_unary("/shop.Shop/Get")(b"7", timeout=20)
        print(0)
    except grpc.RpcError as error:
        print(error.code().value[0])
PY
cat >"$tmp/relay.py" <<'PY'
import contextlib
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc

DATA, HEADERS, RST_STREAM, PREFACE = 0, 1, 3, 24


class Large(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda *_: bytes(5_000_000))


def copy(source, target, start, frames):
    """Forwards bytes and notes (kind, flags, payload) of each frame."""
    data = b""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
            data += piece
            if start and len(data) < start:
                continue
            data, start = data[start:], 0
            while len(data) >= 9 and len(data) >= 9 + (size := int.from_bytes(data[:3], "big")):
                frames.append((data[3], data[4], data[9 : 9 + size]))
                data = data[9 + size :]
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def observe(command, port):
    """The client's status, the codes of its resets, bytes of DATA, and header blocks of the server."""
    sent, received = [], []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with subprocess.Popen([*command, address], stdout=subprocess.PIPE, text=True) as client:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for arguments in ((near, far, PREFACE, sent), (far, near, 0, received)):
                threading.Thread(target=copy, args=arguments, daemon=True).start()
            status = int(client.communicate(timeout=30)[0])
    time.sleep(0.3)
    codes = [int.from_bytes(payload, "big") for kind, _, payload in sent if kind == RST_STREAM]
    size = sum(len(payload) for kind, _, payload in received if kind == DATA)
    return status, codes, size, sum(kind == HEADERS for kind, _, _ in received)


server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers([Large()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
folder = sys.argv[1]
commands = {"grpcio": [sys.executable, f"{folder}/call.py"], "grpc-js": ["node", f"{folder}/call.js"]}
results = {name: observe(command, port) for name, command in commands.items()}
server.stop(None)
for name, (status, codes, size, blocks) in results.items():
    print(f"{name:7} status {status}, RST_STREAM {codes}, DATA {size} of 5000005, header blocks {blocks} (no trailers)")
holds = all(status == 8 and size < 1_000_000 and blocks == 1 for status, _, size, blocks in results.values())
sys.exit(0 if holds and results["grpcio"][1] == [11] and results["grpc-js"][1] == [8] else "CHANGED")
PY
timeout -s INT -k 10 60 "$tmp/venv/bin/python" "$tmp/relay.py" "$tmp"
echo 'PASS: one limit, two codes'
