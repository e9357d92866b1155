#!/usr/bin/env bash
# Software:  grpcio 1.85.1 (PyPI) and @grpc/grpc-js 1.14.7 (npm): two servers with the same method; Python h2 4.4.1 as
#            the client.
# Behaviour: a gRPC request without `te: trailers` is answered as usual by grpc-js, and reset with INTERNAL_ERROR by
#            grpcio, without a status or a word. The same happens there to each request that is not gRPC, which grpc-js
#            answers with status 415.
# One would guess otherwise: the field only says that trailers may be sent, which HTTP/2 can always do; a proxy may
#            take TE away (it is a field of one hop); and gRPC says that a wrong content-type gets 415.
# Seen:      with te: status 200 and grpc-status 0 from both. Without: 200 and 0 from grpc-js; RST_STREAM, code 2, from
#            grpcio. GET / and a JSON POST: 415 from grpc-js; RST_STREAM, code 2, from grpcio.
# Source:    gRPC's PROTOCOL-HTTP2: TE is "used to detect incompatible proxies", and servers should send 415 for
#            another content-type. C core's HTTP server filter rejects a request in which one of its fields is missing.
# Date:      2026-11-30
# So, for a tool that replays: one that leaves out the fields of a hop (TE is one, RFC 9110, section 7.6.1) loses all
#            calls to one server and none to the other, and it looks as if the shadow were broken. Keep `te: trailers`
#            of a gRPC request; HTTP/2 allows this value. And a health check by GET shows a live server as an error.
set -euo pipefail

. "$(dirname "$0")/lib/grpc.sh"
cat >"$tmp/server.js" <<'JS'
const grpc = require('@grpc/grpc-js');
const same = (bytes) => bytes;
const server = new grpc.Server();
const streams = { requestStream: false, responseStream: false };
const requests = { requestSerialize: same, requestDeserialize: same };
const responses = { responseSerialize: same, responseDeserialize: same };
const method = { path: '/shop.Shop/Get', ...streams, ...requests, ...responses };
server.addService({ Get: method }, { Get: (call, done) => done(null, call.request) });
const credentials = grpc.ServerCredentials.createInsecure();
server.bindAsync('127.0.0.1:0', credentials, (error, port) => console.log(port));
JS
cat >"$tmp/te.py" <<'PY'
import socket
import subprocess
import sys
from concurrent import futures

import grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded, StreamReset, TrailersReceived

GRPC, TE = ("content-type", "application/grpc"), ("te", "trailers")
REQUESTS = {
    "with te": ("POST", "/shop.Shop/Get", [GRPC, TE], bytes(5)),
    "without te": ("POST", "/shop.Shop/Get", [GRPC], bytes(5)),
    "JSON": ("POST", "/shop.Shop/Get", [("content-type", "application/json")], b"{}"),
    "GET": ("GET", "/", [], None),
}


class Echo(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)


def exchange(port, method, path, fields, content):
    """The statuses of HTTP and gRPC as text, or the code of RST_STREAM."""
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    pseudo = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "shop.test")]
    connection.send_headers(1, pseudo + fields, end_stream=content is None)
    if content is not None:
        connection.send_data(1, content, end_stream=True)
    seen = {}
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, (ResponseReceived, TrailersReceived)):
                    seen |= dict(event.headers)
                if isinstance(event, StreamReset):
                    return f"RST_STREAM {int(event.error_code)}"
                if isinstance(event, StreamEnded):
                    return f"{seen[':status']}, grpc-status {seen.get('grpc-status')}"
            sock.sendall(connection.data_to_send())
    return "end of the connection"


python_server = grpc.server(futures.ThreadPoolExecutor(2))
python_server.add_generic_rpc_handlers([Echo()])
ports = {"grpcio": python_server.add_insecure_port("127.0.0.1:0")}
python_server.start()
with subprocess.Popen(["node", sys.argv[1]], stdout=subprocess.PIPE, text=True) as node:
    ports["grpc-js"] = int(node.stdout.readline())
    results = {name: {key: exchange(port, *REQUESTS[key]) for key in REQUESTS} for name, port in ports.items()}
    node.kill()
python_server.stop(None)
for name, answers in results.items():
    print(f"{name:8} {answers}")
answered, reset, refused = "200, grpc-status 0", "RST_STREAM 2", "415, grpc-status None"
expected = {
    "grpcio": {"with te": answered, "without te": reset, "JSON": reset, "GET": reset},
    "grpc-js": {"with te": answered, "without te": answered, "JSON": refused, "GET": refused},
}
sys.exit(0 if results == expected else "CHANGED")
PY
(cd "$tmp" && timeout -s INT -k 10 60 "$tmp/venv/bin/python" te.py "$tmp/server.js")
echo 'PASS: a request without te: trailers is answered by one server and reset by the other'
