#!/usr/bin/env bash
# Software:  grpcio 1.85.1 (PyPI) and @grpc/grpc-js 1.14.7 (npm): two servers with one method, which returns the same
#            status and metadata in both; Python h2 4.4.1 as the observer, grpcio as the client.
# Behaviour: the two are equal to every gRPC client and differ on the wire in nearly each field: spaces and quotes in
#            `grpc-message` are percent-encoded by one only, binary metadata is padded by one only, the empty message
#            of an OK is "OK" in one, and one adds `+proto`, `date` and `grpc-encoding: identity`.
# One would guess otherwise: gRPC is a specified protocol with official libraries, metadata are the application's, and
#            "-bin" fields are base64 of the same bytes.
# Seen:      "item 7 is not found: 100 %" as `item 7 is not found: 100 %25` (grpcio) and as
#            `item%207%20is%20not%20found:%20100%20%25` (grpc-js); bytes 01 02 03 04 as AQIDBA and AQIDBA==; OK with an
#            empty grpc-message and with "OK". A grpcio client reads the same code, details and metadata (but `date`).
# Source:    gRPC's PROTOCOL-HTTP2 asks senders to leave 0x20 to 0x7E but "%" alone and not to pad, and receivers to
#            take either form.
# Date:      2026-11-30
# So, for a tool that compares answers: a rewrite in another language differs in every error and every binary trailer
#            if fields are compared as text. Decode before comparing: percent-decode grpc-message, base64 with or
#            without padding in "-bin", ignore grpc-message where grpc-status is 0, and content-type after "grpc".
set -euo pipefail

tmp=$(mktemp -d)
node_pid=
cleanup() {
    [[ -z $node_pid ]] || { kill "$node_pid" && wait "$node_pid"; } 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nodejs npm >/dev/null
fi
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @grpc/grpc-js@1.14.7 >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet grpcio==1.85.1 h2==4.4.1

cat >"$tmp/server.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const same = (bytes) => bytes;
const kinds = ['requestSerialize', 'requestDeserialize', 'responseSerialize', 'responseDeserialize'];
const serializers = Object.fromEntries(kinds.map((kind) => [kind, same]));
const server = new grpc.Server();
server.addService(
  { Get: { path: '/shop.Shop/Get', requestStream: false, responseStream: false, ...serializers } },
  {
    Get: (call, answer) => {
      const metadata = new grpc.Metadata();
      metadata.set('token-bin', Buffer.from([1, 2, 3, 4]));
      if (call.request.toString() === 'known') answer(null, Buffer.from('stock 3'), metadata);
      else answer({ code: grpc.status.NOT_FOUND, details: 'item 7 is not found: 100 %', metadata });
    },
  },
);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => console.log(port));
JS
(cd "$tmp" && exec timeout 90 node server.js >port) &
node_pid=$!

cat >"$tmp/compare.py" <<'PY'
import socket
import sys
import time
from concurrent import futures

import grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded, TrailersReceived

METHOD = "/shop.Shop/Get"


def get(request, context):
    context.set_trailing_metadata((("token-bin", bytes([1, 2, 3, 4])),))
    if request == b"known":
        return b"stock 3"
    return context.abort(grpc.StatusCode.NOT_FOUND, "item 7 is not found: 100 %")


def on_the_wire(port, message):
    """All fields of the answer, head and trailers."""
    fields = {}
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    head = {":method": "POST", ":scheme": "http", ":path": METHOD, ":authority": "shop.test"}
    connection.send_headers(1, [*head.items(), ("te", "trailers"), ("content-type", "application/grpc")])
    connection.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        while True:
            sock.sendall(connection.data_to_send())
            for event in connection.receive_data(sock.recv(65536)):
                if isinstance(event, (ResponseReceived, TrailersReceived)):
                    fields.update(event.headers)
                if isinstance(event, StreamEnded):
                    return fields


def to_a_client(port, message):
    """Code, details and metadata as an application gets them."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            _, call = channel.unary_unary(METHOD).with_call(message, timeout=10)
        except grpc.RpcError as error:
            call = error
        metadata = dict(call.trailing_metadata())
        metadata.pop("date", None)  # grpc-js sends one, and it is the application's where there is only one head
        return call.code(), call.details(), metadata


server = grpc.server(futures.ThreadPoolExecutor(2))
handler = grpc.method_handlers_generic_handler("shop.Shop", {"Get": grpc.unary_unary_rpc_method_handler(get)})
server.add_generic_rpc_handlers((handler,))
ports = {"grpcio": server.add_insecure_port("127.0.0.1:0")}
server.start()
for _ in range(200):
    with open(sys.argv[1], encoding="ascii") as file:
        if text := file.read().strip():
            break
    time.sleep(0.1)
ports["grpc-js"] = int(text)

wire, client = {}, {}
for message in (b"known", b"other"):
    for name, port in ports.items():
        wire[name, message], client[name, message] = on_the_wire(port, message), to_a_client(port, message)
        print(f"{name:7} {message.decode()}: {client[name, message]}")
    python, node = (wire[name, message] for name in ports)
    for field in sorted(python.keys() | node.keys()):
        if python.get(field) != node.get(field):
            print(f"    {field:20} {python.get(field)!r:40} {node.get(field)!r}")
server.stop(None)
errors = [wire[name, b"other"] for name in ports]
fine = [wire[name, b"known"] for name in ports]
coded = "item 7 is not found: 100 %25"
holds = (
    [fields["grpc-message"] for fields in errors] == [coded, coded.replace(" ", "%20")]
    and [fields["token-bin"] for fields in errors] == ["AQIDBA", "AQIDBA=="]
    and [fields["grpc-message"] for fields in fine] == ["", "OK"]
    and all(client["grpcio", message] == client["grpc-js", message] for message in (b"known", b"other"))
    and errors[0]["grpc-status"] == errors[1]["grpc-status"] == "5"
)
sys.exit(0 if holds else "CHANGED")
PY
timeout 90 "$tmp/venv/bin/python" "$tmp/compare.py" "$tmp/port"
echo 'PASS: the same status and metadata, in other bytes'
