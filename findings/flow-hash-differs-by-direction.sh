#!/usr/bin/env bash
# Software:  Linux 6.18, SCHED_CLS programs on TCX (6.6 and later) with the helper bpf_get_hash_recalc. Needs root for
#            a network namespace of its own.
# Behaviour: the two directions of a TCP connection between sockets of one host (lo, veth) have two flow hashes.
#            Neither comes from the addresses: each end's kernel gives its packets a number of its own. Only where no
#            socket is behind the packet is the hash computed, and then it is the same for both directions.
# One would guess otherwise: the helper "recalculates" the hash of the packet, the kernel sorts addresses and ports
#            before it computes one, in order to be symmetric, and egress and ingress of one device see the same
#            packet.
# Seen:      20 connections: 40 hashes on egress, 40 on ingress, the same 40. Two handmade packets with swapped
#            addresses and ports, sent by a packet socket: 1 hash.
# Source:    Linux include/net/sock.h, skb_set_hash_from_sk(): packets of a socket carry sk_txhash, a random number, as
#            an "L4 hash"; bpf_get_hash_recalc computes one only where none is set. flow_dissector.c sorts the keys.
# Date:      2026-11-30
# So, for a passive observer: to sample connections by this hash takes requests of some and answers of others, and it
#            was tested with forwarded packets, where it works. The number also changes after a retransmission timeout.
#            Hash the sorted tuple in the program.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/hashes.py" <<'PY'
import os
import socket
import struct
import sys

from bpf import HASH, TCX_EGRESS, TCX_INGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load

CONNECTIONS = 20


def observe(hook):
    """The map with the hashes of the packets at a hook of lo, as long as the link is kept."""
    seen = create_map(HASH, 4, 8, 4096)
    program = load(
        instruction(0x85, 0, 0, 0, 34),  # bpf_get_hash_recalc
        instruction(0x63, 10, 0, -12),  # *(u32 *)(fp - 12) = r0
        insert(seen, -12),
        leave(),
    )
    return seen, attach_tcx(program, "lo", hook)


def exchange():
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(CONNECTIONS):
            with socket.create_connection(server.getsockname()) as client, server.accept()[0] as accepted:
                client.sendall(b"question")
                accepted.recv(16)
                accepted.sendall(b"answer")
                client.recv(16)


def segment(source, destination, ports):
    """An IPv4 TCP segment without options, checksums left out, on Ethernet."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, *map(socket.inet_aton, (source, destination)))
    return bytes(12) + b"\x08\x00" + ip + struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, 0x10, 1000, 0, 0)


out, out_link = observe(TCX_EGRESS)
inward, in_link = observe(TCX_INGRESS)
exchange()
sets = [set(keys(out, 4)), set(keys(inward, 4))]
os.close(out_link), os.close(in_link)
forged, link = observe(TCX_EGRESS)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
    sock.bind(("lo", 0))
    sock.send(segment("127.0.0.7", "127.0.0.8", (40000, 80)))
    sock.send(segment("127.0.0.8", "127.0.0.7", (80, 40000)))
alone = len(keys(forged, 4))
same = sets[0] == sets[1]
print(f"{CONNECTIONS} connections: {len(sets[0])} hashes on egress, {len(sets[1])} on ingress, equal: {same}")
print(f"both directions by a packet socket: {alone} hash")
sys.exit(0 if same and len(sets[0]) == 2 * CONNECTIONS and alone == 1 else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; exec timeout 30 python3 "$1"' bash "$tmp/hashes.py"
echo 'PASS: a connection has two flow hashes'
