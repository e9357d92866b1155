"""Calls every method of the shop over one channel, ROUNDS times. Prints how many calls of each it made."""

import sys
import time

import grpc

address, rounds = sys.argv[1], int(sys.argv[2])
SHOP = "/shop.Shop/"


def key(number):
    return bytes([8, number])


made = {}


def count(method):
    made[method] = made.get(method, 0) + 1
    return SHOP + method


with grpc.insecure_channel(address) as channel:
    grpc.channel_ready_future(channel).result(timeout=10)
    for number in range(rounds):
        name = number % 20
        trace = bytes([0, number % 256, 0, 10, 13, 32, 255])
        metadata = (("tenant", "a"), ("trace-bin", trace), ("trace-bin", b""))
        answer, call = channel.unary_unary(count("Get")).with_call(key(name), timeout=10, metadata=metadata)
        assert answer.startswith(key(name)) and trace in answer, answer
        assert ("shop-cost-bin", bytes([0, name, 255])) in call.trailing_metadata(), call.trailing_metadata()
        for missing in (98, 99):
            try:
                channel.unary_unary(count("Get"))(key(missing), timeout=10)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.NOT_FOUND, error
        assert len(list(channel.unary_stream(count("List"))(key(3), timeout=10))) == 3
        assert channel.stream_unary(count("Sum"))(iter([key(1), key(2)]), timeout=10) == key(3)
        assert channel.unary_unary(count("Put"))(key(1), timeout=10, compression=grpc.Compression.Gzip) == key(1)
        if number % 5 == 0:
            assert len(channel.unary_unary(count("Large"))(key(1), timeout=10)) > 1 << 20
            # Each message is sent after the answer to the one before.
            answers = []

            def dialogue():
                for turn in range(1, 4):
                    yield key(turn)
                    while len(answers) < turn:
                        time.sleep(0.001)

            for message in channel.stream_stream(count("Chat"))(dialogue(), timeout=10):
                answers.append(message)
            assert answers == [key(1), key(2), key(3)], answers
print(" ".join(f"{method}={number}" for method, number in sorted(made.items())))
