#!/usr/bin/env bash
# Software:  Linux 6.18, SCHED_CLS programs on TCX (6.6 and later). Needs root for a network namespace of its own.
# Behaviour: on egress the packet of a TCP segment has its headers in the linear part and its payload outside, also
#            when the payload is 18 bytes: `data_end - data` is the size of the headers. A program with direct packet
#            access passes the verifier, and its bounds check fails for each packet with payload.
# One would guess otherwise: examples read the payload between data and data_end, XDP programs on ingress find it
#            there, a packet of less than 100 bytes has no reason to be scattered, and UDP on the same hook is linear.
# Seen:      segments of 66 bytes without payload: linear 66. With 18, 200 and 5000 bytes of payload: linear 66 each
#            time. A UDP datagram with 18 bytes: linear 60 of 60. bpf_skb_load_bytes reads the payload in all cases.
# Source:    Linux tcp_sendmsg_locked() allocates a segment with room for headers only and puts all payload into page
#            fragments.
# Date:      2026-11-30
# So, for a passive observer: "no packet has an HTTP method" on egress is no proof that there is no HTTP: such a filter
#            drops exactly the packets that it was written for, without an error. Use bpf_skb_load_bytes, or
#            bpf_skb_pull_data where the packet may be changed.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/linear.py" <<'PY'
import socket
import struct
import sys

from bpf import HASH, TCX_EGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load

PAYLOADS = (18, 200, 5000)
DATA, DATA_END = 76, 80  # in struct __sk_buff
pairs, readable = create_map(HASH, 8, 8, 4096), create_map(HASH, 8, 8, 4096)
keep = instruction(0xBF, 6, 1)
lengths = b"".join(
    [
        instruction(0x61, 7, 6, 0),  # r7 = skb->len
        instruction(0x61, 8, 6, DATA_END),
        instruction(0x61, 9, 6, DATA),
        instruction(0x1F, 8, 9),  # r8 = data_end - data
        instruction(0x63, 10, 7, -16),
        instruction(0x63, 10, 8, -12),
    ]
)
last_bytes = b"".join(
    [
        instruction(0x61, 7, 6, 0),
        instruction(0xB7, 3, 0, 0, -20),
        instruction(0xBF, 2, 7),
        instruction(0x07, 2, 0, 0, -8),  # offset = len - 8
        instruction(0xBF, 1, 6),
        instruction(0xBF, 3, 10),
        instruction(0x07, 3, 0, 0, -16),
        instruction(0xB7, 4, 0, 0, 8),
        instruction(0x85, 0, 0, 0, 26),  # bpf_skb_load_bytes(skb, len - 8, fp - 16, 8)
    ]
)
links = [
    attach_tcx(load(keep, lengths, insert(pairs, -16), leave()), "lo", TCX_EGRESS),
    attach_tcx(load(keep, last_bytes, insert(readable, -16), leave()), "lo", TCX_EGRESS),
]
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as client, server.accept()[0] as accepted:
        for size in PAYLOADS:
            client.sendall(b"." * (size - 8) + b"end %04d" % size)
            left = size
            while left:
                left -= len(accepted.recv(left))
    tcp = dict(sorted(struct.unpack("2I", key) for key in keys(pairs, 8)))
with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
    receiver.bind(("127.0.0.1", 0))
    sender.sendto(b"18 bytes by UDP...", receiver.getsockname())
both = dict(sorted(struct.unpack("2I", key) for key in keys(pairs, 8)))
udp = {length: linear for length, linear in both.items() if length not in tcp}
ends = {key for key in keys(readable, 8) if key.startswith(b"end ")}
print(f"TCP, length: linear part {tcp}; UDP {udp}; payloads read by the helper: {len(ends)}")
sizes = {66: 66} | {66 + size: 66 for size in PAYLOADS}
handshake = {74: 74}
sys.exit(0 if tcp == sizes | handshake and udp == {60: 60} and len(ends) == len(PAYLOADS) else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; exec timeout 30 python3 "$1"' bash "$tmp/linear.py"
echo 'PASS: the payload is outside the linear part'
