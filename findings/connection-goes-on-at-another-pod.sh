#!/usr/bin/env bash
# Software:  Linux 6.18 with nftables 1.0.6 and conntrack 1.4.7 (Debian 12): a service address that is translated to one
#            of two servers, as kube-proxy does. Needs root for a network namespace of its own and a packet socket.
# Behaviour: the entry of an established connection is lost from the conntrack table (here by `conntrack -F`). The next
#            segment of the same connection is translated like that of a new one: it goes to the other server, in the
#            middle of a request, and is answered there with RST. The client's connection is at an end.
# One would guess otherwise: translation is decided by the SYN; a segment without SYN that nobody knows is let through
#            as it is, or dropped.
# Seen:      handshake and first bytes to port 9001; after the flush the next bytes of the same client's port to 9002,
#            with the next sequence number; RST; the client gets ECONNRESET. The first server hears nothing at all.
# Source:    Linux nf_conntrack_tcp_loose (1 by default): a connection is picked up in the middle, and the picked-up one
#            is new for the nat chains.
# Date:      2026-11-30
# So, for a passive observer at the second pod: a connection that begins with payload, without a SYN, is not always
#            older than the capture: it may be one that never was there. Nothing in it is a request by itself: do not
#            look for a request line in it. At the first pod a request stays without an end and without FIN or RST.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
for pair in nft:nftables conntrack:conntrack; do
    command -v "${pair%:*}" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
cat >"$tmp/flush.py" <<'PY'
import socket
import subprocess
import sys
import time

from wire import RST, SYN, Wire

RULES = """
table ip t { chain o { type nat hook output priority -100;
  ip daddr 10.96.0.10 tcp dport 80 dnat to 127.0.0.1 : numgen inc mod 2 map { 0 : 9001, 1 : 9002 }; }; }
"""
subprocess.run(["nft", RULES], check=True)
with socket.create_server(("127.0.0.1", 9001)) as first, socket.create_server(("127.0.0.1", 9002)):
    wire = Wire("lo")
    first.settimeout(5)
    with socket.create_connection(("10.96.0.10", 80), timeout=5) as client:
        accepted, _ = first.accept()
        client.sendall(b"POST /pay ")
        begun = accepted.recv(100)
        subprocess.run(["conntrack", "-F"], check=True, stderr=subprocess.DEVNULL)
        client.sendall(b"HTTP/1.1\r\n")
        try:
            client.recv(100)
            end = "none"
        except ConnectionResetError:
            end = "ECONNRESET"
        accepted.settimeout(1)
        try:
            heard = accepted.recv(100)
        except TimeoutError:
            heard = "nothing"
    segments = [one for one in wire.segments() if one.sent]
    accepted.close()
payloads = [(one.destination[1], one.payload) for one in segments if one.payload]
numbers = [one.sequence for one in segments if one.payload]
to_second = [one for one in segments if one.destination[1] == 9002]
resets = [one for one in segments if one.flags & RST and one.source == ("10.96.0.10", 80)]
for port, payload in payloads:
    print(f"to {port}: {payload}")
print(f"client {end}, first server reads {begun} and then {heard}, RST to the client {len(resets)}")
holds = payloads == [(9001, b"POST /pay "), (9002, b"HTTP/1.1\r\n")] and (numbers[1] - numbers[0]) % 2**32 == 10
holds = holds and not any(one.flags & SYN for one in to_second) and (end, heard) == ("ECONNRESET", "nothing")
sys.exit(0 if holds and len(resets) == 1 else "CHANGED")
PY
unshare --net bash -euc '
    ip link set lo up
    ip addr add 10.96.0.1/24 dev lo
    timeout 30 python3 "$1"
' bash "$tmp/flush.py"
echo 'PASS: a connection goes on at another server'
