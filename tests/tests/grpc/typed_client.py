"""Calls every method of the shop over one channel, ROUNDS times. Prints how many calls of each it made."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import grpc
import shop_pb2 as shop

address, rounds = sys.argv[1], int(sys.argv[2])
made = {}


def count(method):
    made[method] = made.get(method, 0) + 1
    return "/shop.Shop/" + method


with grpc.insecure_channel(address) as channel:
    grpc.channel_ready_future(channel).result(timeout=10)
    for number in range(rounds):
        key = shop.Key(number=number).SerializeToString()
        cart = shop.Cart.FromString(channel.unary_unary(count("Get"))(key, timeout=10))
        assert cart.cart_id == f"c{number}" and cart.stock_by_region["asia"] == 12, cart
        three = shop.Key(number=3).SerializeToString()
        assert len(list(channel.unary_stream(count("List"))(three, timeout=10))) == 3
        whole = cart.SerializeToString()
        assert shop.Key.FromString(channel.unary_unary(count("Put"))(whole, timeout=10)).number == 2
        channel.unary_unary(count("Hidden"))(key, timeout=10)
print(" ".join(f"{method}={number}" for method, number in sorted(made.items())))
