"""A shop with the messages that protoc generated. With "other" it answers some calls in another way."""

import sys
import time
from concurrent import futures
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import grpc
import shop_pb2 as shop

address, is_other = sys.argv[1], "other" in sys.argv[2:]


def get(request, context):
    cart = shop.Cart(cart_id=f"c{request.number}", state=shop.PAID, weight=2.5, deltas=[-1, 0, 7], serial=1 << 63)
    cart.items.add(sku="tea", unit_price=500, tags=["new", "blue"], stock=0)
    cart.items.add(sku="pot", unit_price=2501 if is_other else 2500)
    cart.created.FromSeconds(1_700_000_000 + request.number + (3 if is_other else 0))
    cart.kept_for.FromMilliseconds(1500)
    cart.extra.Pack(shop.Item(sku="bag" if is_other else "box"))
    cart.facts.update({"colours": ["red", None, 1.5]})
    cart.note.value = "fragile"
    cart.invoice = True
    regions = [("eu", 3), ("us", 0), ("asia", 12)]
    whole = cart.SerializeToString()
    # Entries of the map by hand, in the order of this edition.
    for name, stock in reversed(regions) if is_other else regions:
        whole += shop.Cart(stock_by_region={name: stock}).SerializeToString()
    # The default of `offset`, which nobody needs to write.
    return whole + (b"\xa5\x01\x00\x00\x00\x00" if is_other else b"")


def listed(request, context):
    for number in range(request.number):
        yield shop.Item(sku=f"sku-{number}", unit_price=number).SerializeToString()


def put(request, context):
    return shop.Key(number=len(request.items)).SerializeToString()


def method(kind, act, of):
    return kind(act, request_deserializer=of.FromString)


handlers = {
    "Get": method(grpc.unary_unary_rpc_method_handler, get, shop.Key),
    "List": method(grpc.unary_stream_rpc_method_handler, listed, shop.Key),
    "Put": method(grpc.unary_unary_rpc_method_handler, put, shop.Cart),
    "Hidden": method(grpc.unary_unary_rpc_method_handler, get, shop.Key),
}
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", handlers),))
if server.add_insecure_port(address) == 0:
    sys.exit(f"cannot listen on {address}")
server.start()
print("ready", flush=True)
time.sleep(600)
