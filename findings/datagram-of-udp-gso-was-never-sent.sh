#!/usr/bin/env bash
# Software:  Linux 6.18, UDP_SEGMENT (4.18 and later), which QUIC stacks use to send; a packet socket and SCHED_CLS on
#            TCX (6.6 and later), on loopback. Needs root for a network namespace of its own.
# Behaviour: five datagrams that are sent by one call and received by five are one packet for each observer on the host,
#            with an IP and a UDP length of all of them together. Nothing in the bytes tells where a datagram ends.
# One would guess otherwise: for TCP that is known as segmentation offload and harmless, since TCP is a stream; a UDP
#            datagram is a message with a length of its own.
# Seen:      5000 bytes sent with segments of 1200: the receiver reads 1200, 1200, 1200, 1200 and 200. The packet socket
#            has one packet, IP length 5028, UDP length 5008. skb->len 5042, skb->gso_segs 5, skb->gso_size 1200.
# Source:    udp(7), UDP_SEGMENT; Linux __udp_gso_segment() runs after all hooks, at the device or the receiving socket.
# Date:      2026-11-30
# So, for a tool that captures HTTP/3: the first datagram of a capture decrypts, the rest looks like padding or garbage,
#            and the longest datagram is longer than the MTU. Copy skb->gso_size beside the packet and cut by it.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/udp.py" <<'PY'
import socket
import struct
import sys

from bpf import HASH, TCX_EGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load

UDP_SEGMENT, ETH_P_ALL, PACKET_OUTGOING = 103, 3, 4
LEN, GSO_SEGS, GSO_SIZE = 0, 164, 176  # fields of __sk_buff

seen = create_map(HASH, 16, 8, 16)
copies = [
    instruction(0x61, 7, 6, field) + instruction(0x63, 10, 7, offset)
    for field, offset in ((LEN, -24), (GSO_SEGS, -20), (GSO_SIZE, -16))
]
program = load(instruction(0xBF, 6, 1), *copies, instruction(0x62, 10, 0, -12, 0), insert(seen, -24), leave())
link = attach_tcx(program, "lo", TCX_EGRESS)
observer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
observer.bind(("lo", 0))
observer.settimeout(5)
with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(5)
    sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
    sender.sendto(bytes(5000), receiver.getsockname())
    received = [len(receiver.recv(9000)) for _ in range(5)]
observer.settimeout(0.2)
lengths = []
try:
    while True:
        frame, address = observer.recvfrom(65536)
        if address[2] == PACKET_OUTGOING:
            lengths.append(struct.unpack("!H", frame[16:18]) + struct.unpack("!H", frame[38:40]))
except TimeoutError:
    pass
fields = [struct.unpack("3I", key[:12]) for key in keys(seen, 16)]
print("datagrams received", received)
print("packets seen: IP and UDP length", lengths, "- len, gso_segs and gso_size of the skb", fields)
holds = received == [1200] * 4 + [200] and lengths == [(5028, 5008)] and fields == [(5042, 5, 1200)]
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 30 python3 "$1"' bash "$tmp/udp.py"
echo 'PASS: five datagrams are one packet to an observer'
