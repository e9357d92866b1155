#!/usr/bin/env bash
# Software:  Linux 6.18, TCP on loopback, a packet socket as a passive observer; nftables 1.0.6 drops segments on the
#            way. Needs root for a network namespace of its own.
# Behaviour: four segments of 100 bytes are lost. TCP sends them again as one segment of 400 bytes. If a packet socket
#            has seen the four and its program has not yet read them, TCP sends them again as four of 100.
# One would guess otherwise: what is sent again has the boundaries of what was sent, as in textbooks; and a passive
#            observer, fast or slow, changes nothing.
# Seen:      observer that reads at once: 100, 100, 100, 100, then 400. Observer that does not read: 100 each time.
# Source:    Linux tcp_retrans_try_collapse() (net.ipv4.tcp_retrans_collapse, 1 by default) joins small segments of the
#            queue unless their buffer is shared (skb_cloned), and what waits in a packet socket's queue is a clone.
# Date:      2026-11-30
# So, for a passive observer: a retransmission is not found by (sequence number, length), and may begin or end inside
#            of segments that were seen; only ranges of sequence numbers can be compared. And a test of reassembly that
#            captures with a plain packet socket never meets the joined ones, if its reader is late.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
command -v nft >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nftables >/dev/null
cat >"$tmp/join.py" <<'PY'
import socket
import subprocess
import sys
import time

from wire import Wire


def nft(rules):
    subprocess.run(["nft", rules], check=True)


def transfer(reads):
    """Sizes of the segments that were sent for the first time, and of those from the first number that came again."""
    wire = Wire("lo")

    def wait(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
            if reads:
                wire.segments()

    with socket.create_server(("127.0.0.1", 8080)) as server:
        with socket.create_connection(("127.0.0.1", 8080)) as client:
            accepted, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            nft("table ip t { chain i { type filter hook input priority 0; tcp dport 8080 drop; }; }")
            for _ in range(4):
                client.sendall(bytes(100))
                wait(0.02)
            wait(1.5)
            nft("delete table ip t")
            wait(2)
            assert len(accepted.recv(1000)) == 400
            accepted.close()
    segments = [one for one in wire.segments() if one.sent and one.payload]
    first = [len(one.payload) for one in segments[:4]]
    again = {len(one.payload) for one in segments[4:] if one.sequence == segments[0].sequence}
    return first, again


for name, reads in (("reads at once", True), ("does not read", False)):
    first, again = transfer(reads)
    print(f"observer {name}: sent {first}, from the same number again {sorted(again)}")
    if first != [100] * 4 or again != {400 if reads else 100}:
        sys.exit("CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 40 python3 "$1"' bash "$tmp/join.py"
echo 'PASS: the observer decides about the size of a retransmission'
