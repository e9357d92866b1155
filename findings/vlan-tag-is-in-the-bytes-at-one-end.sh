#!/usr/bin/env bash
# Software:  Linux 6.18, a veth pair, SCHED_CLS programs on TCX (6.6 and later) and a packet socket. Needs root for a
#            network namespace of its own.
# Behaviour: a frame with a VLAN tag has the tag in its bytes on the egress of one end, and not on the ingress of the
#            other: there the bytes are those of a frame without a tag. Of two tags the outer one is gone, and the
#            frame looks as if it had the inner one alone. read() of a packet socket at the receiver gives the same.
# One would guess otherwise: ingress sees what egress has sent, tcpdump shows the tag (libpcap puts it back), and a
#            packet socket gets the frame as it was received.
# Seen:      bytes 12 to 15 at egress 81 00 00 05, at ingress 08 00 45 00 (and skb->vlan_present 1, the tag in
#            skb->vlan_tci). With two tags: 88 a8 00 07 and then 81 00 00 05. Packet socket: as at ingress.
# Source:    Linux __netif_receive_skb_core() calls skb_vlan_untag() before the hooks; packet(7), PACKET_AUXDATA;
#            network cards do the same (rx-vlan-offload).
# Date:      2026-11-30
# So, for a passive observer: a parser that skips 0x8100 is right on egress and never used on ingress, and two tenants
#            with the same addresses in different VLANs become one connection where the tag is not read from the skb.
#            Take the tag from both places, and make it part of the key.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/vlan.py" <<'PY'
import socket
import struct
import sys
import time

from bpf import HASH, TCX_EGRESS, TCX_INGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load

VLAN_PRESENT, VLAN_TCI = 20, 24  # in struct __sk_buff
IP = bytes((0x45, 0, 0, 28)) + bytes(24)
TAGS = {"one tag": "81000005", "two tags": "88a8000781000005", "no tag": ""}


def observe(device, hook):
    """The map with (bytes 12 to 15, vlan_present, vlan_tci) of the frames at a hook."""
    seen = create_map(HASH, 12, 8, 64)
    program = load(
        instruction(0xBF, 6, 1),
        instruction(0x61, 7, 6, VLAN_PRESENT),
        instruction(0x63, 10, 7, -16),
        instruction(0x61, 7, 6, VLAN_TCI),
        instruction(0x63, 10, 7, -12),
        instruction(0xB7, 2, 0, 0, 12),
        instruction(0xBF, 3, 10),
        instruction(0x07, 3, 0, 0, -20),
        instruction(0xB7, 4, 0, 0, 4),
        instruction(0x85, 0, 0, 0, 26),  # bpf_skb_load_bytes(skb, 12, fp - 20, 4)
        insert(seen, -20),
        leave(),
    )
    return seen, attach_tcx(program, device, hook)


results = {}
for name, tags in TAGS.items():
    (out, out_link), (inward, in_link) = observe("v0", TCX_EGRESS), observe("v1", TCX_INGRESS)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as receiver:
        receiver.bind(("v1", 0))
        receiver.settimeout(5)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("v0", 0))
            sender.send(b"\xff" * 6 + b"\x02" * 6 + bytes.fromhex(tags) + b"\x08\x00" + IP)
        read = receiver.recv(256)[12:16].hex()
    time.sleep(0.1)
    ends = []
    for seen in (out, inward):
        (key,) = keys(seen, 12)
        present, tci = struct.unpack("2I", key[4:])
        ends.append((key[:4].hex(), present, tci & 0xFFF))
    results[name] = (*ends, read)
    print(f"{name:8} egress {ends[0][0]}, ingress {ends[1][0]} (present {ends[1][1]}, id {ends[1][2]}), socket {read}")
expected = {
    "one tag": (("81000005", 0, 0), ("08004500", 1, 5), "08004500"),
    "two tags": (("88a80007", 0, 0), ("81000005", 1, 7), "81000005"),
    "no tag": (("08004500", 0, 0), ("08004500", 0, 0), "08004500"),
}
sys.exit(0 if results == expected else f"CHANGED: {results}")
PY
unshare --net bash -euc '
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip link add v0 type veth peer name v1
    ip link set v0 up
    ip link set v1 up
    exec timeout 30 python3 "$1"
' bash "$tmp/vlan.py"
echo 'PASS: the tag is in the bytes at one end only'
