#!/usr/bin/env bash
# Software:  grpcio 1.85.1 and @grpc/grpc-js 1.14.7 as clients with gzip turned on; Python h2 4.4.1 as the server that
#            reads the frames.
# Behaviour: both send `grpc-encoding: gzip` with each call. grpcio compresses a message only if it becomes smaller: a
#            short one is sent as it is, with the flag 0. grpc-js compresses each, and the same short message is 26
#            bytes longer with it.
# One would guess otherwise: the field says how the messages of this call are encoded, content-encoding of HTTP holds
#            for all of the content, and both clients were given the same option.
# Seen:      messages of 1, 1000 (all equal) and 1000 (random) bytes. grpcio: flags 0, 1, 0 and lengths 1, 29, 1000.
#            grpc-js: flags 1, 1, 1 and lengths 21, 29, 1023.
# Source:    gRPC's PROTOCOL-HTTP2: the flag of each message decides; grpc-encoding only names the algorithm.
# Date:      2026-11-30
# So, for a tool that reads gRPC: unpack by the flag of the message, not by the field; and one stream may have both.
#            Two clients with equal calls differ in bytes and lengths: compare messages after unpacking, and count
#            sizes before.
set -euo pipefail

. "$(dirname "$0")/lib/grpc.sh"
cat >"$tmp/client.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const same = (bytes) => bytes;
(async () => {
  const options = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };
  const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure(), options);
  for (const hex of process.argv.slice(3)) {
    await new Promise((done) => client.makeUnaryRequest('/shop.Shop/Put', same, same, Buffer.from(hex, 'hex'), done));
  }
  client.close();
})();
JS
cat >"$tmp/flags.py" <<'PY'
import gzip
import random
import socket
import subprocess
import sys
import threading

import grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

MESSAGES = [b"7", b"7" * 1000, random.Random(7).randbytes(1000)]


def serve(listener, encodings, contents):
    """Answers the calls of one connection with OK and keeps their grpc-encoding and content."""
    sock, _ = listener.accept()
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    sock.sendall(connection.data_to_send())
    while data := sock.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                encodings.append(dict(event.headers)["grpc-encoding"])
                contents.append(b"")
            if isinstance(event, DataReceived):
                contents[-1] += event.data
            if isinstance(event, StreamEnded):
                connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
                connection.send_data(event.stream_id, bytes(5))
                connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
        sock.sendall(connection.data_to_send())


def by_python(address):
    with grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel:
        for message in MESSAGES:
            channel.unary_unary("/shop.Shop/Put")(message, timeout=10)


def by_node(address):
    command = ["node", sys.argv[1], address, *(message.hex() for message in MESSAGES)]
    subprocess.run(command, check=True, timeout=30)


flags, lengths, holds = {}, {}, True
for name, client in (("grpcio", by_python), ("grpc-js", by_node)):
    encodings, contents = [], []
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, encodings, contents), daemon=True).start()
    client(f"127.0.0.1:{listener.getsockname()[1]}")
    flags[name] = [content[0] for content in contents]
    lengths[name] = [int.from_bytes(content[1:5], "big") for content in contents]
    unpacked = [gzip.decompress(content[5:]) if content[0] else content[5:] for content in contents]
    holds = holds and unpacked == MESSAGES and encodings == ["gzip"] * 3
    print(f"{name:8} grpc-encoding {encodings[0]}, flags {flags[name]}, lengths {lengths[name]}")
holds = holds and flags == {"grpcio": [0, 1, 0], "grpc-js": [1, 1, 1]} and lengths["grpcio"][::2] == [1, 1000]
holds = holds and lengths["grpc-js"][0] > 1 and lengths["grpc-js"][2] > 1000
sys.exit(0 if holds else "CHANGED")
PY
(cd "$tmp" && timeout -s INT -k 10 60 "$tmp/venv/bin/python" flags.py "$tmp/client.js")
echo 'PASS: a message in a call with grpc-encoding gzip is compressed or not'
