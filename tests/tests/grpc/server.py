"""A shop over gRPC, without generated code: messages are bytes. With "other" it answers some calls in another way."""

import sys
import time
from concurrent import futures
from pathlib import Path

import grpc

address, is_other = sys.argv[1], "other" in sys.argv[2:]


def varint(number):
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        if not number:
            return bytes([*out, low])
        out.append(low | 0x80)


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    value = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def item(key):
    price = number(1, 100 + key) + number(2, 99 if is_other and key % 5 == 0 else 50)
    return number(1, key) + text(2, f"item {key}") + text(3, price) + text(4, "new") + text(4, "blue")


def key_of(request):
    """The field 1 of a request, below 128."""
    return request[1]


def get(request, context):
    key = key_of(request)
    if key == 99:
        reason = text(1, "type.googleapis.com/google.rpc.ErrorInfo") + text(2, text(1, "MOVED" if is_other else "GONE"))
        details = number(1, 5) + text(2, "item 99 is not here: 100 %") + text(3, reason)
        context.set_trailing_metadata((("retry-hint", "none"), ("grpc-status-details-bin", details)))
        context.abort(grpc.StatusCode.NOT_FOUND, "item 99 is not here: 100 %")
    if key == 98 and is_other:
        context.abort(grpc.StatusCode.UNAVAILABLE, "later")
    context.send_initial_metadata((("shop-region", "eu"),))
    context.set_trailing_metadata((("shop-cost", str(key)), ("shop-cost-bin", bytes([0, key, 255]))))
    traces = [value for name, value in context.invocation_metadata() if name == "trace-bin"]
    return item(key) + b"".join(text(5, trace) for trace in traces)


def large(request, context):
    return text(2, "x" * (1 << 20)) + number(1, key_of(request))


def listed(request, context):
    for key in range(key_of(request)):
        yield item(key)


def total(requests, context):
    return number(1, sum(key_of(request) for request in requests))


def chat(requests, context):
    for request in requests:
        yield request


def put(request, context):
    return request


UNARY, STREAM = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
handlers = {
    "Get": UNARY(get),
    "Large": UNARY(large),
    "List": STREAM(listed),
    "Sum": grpc.stream_unary_rpc_method_handler(total),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Put": UNARY(put),
}
server = grpc.server(futures.ThreadPoolExecutor(8), compression=grpc.Compression.Gzip if is_other else None)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", handlers),))
if "tls" in sys.argv:
    here = Path(__file__).parent
    pair = ((here / "key.pem").read_bytes(), (here / "cert.pem").read_bytes())
    port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
else:
    port = server.add_insecure_port(address)
if port == 0:
    sys.exit(f"cannot listen on {address}")
server.start()
print("ready", flush=True)
time.sleep(600)
