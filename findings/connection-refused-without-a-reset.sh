#!/usr/bin/env bash
# Software:  Linux 6.18, nftables 1.0.6: a rule with `reject`, as kube-proxy writes it for a service without endpoints.
#            Needs root for a network namespace of its own and a packet socket.
# Behaviour: the rule makes connect() fail at once with "connection refused", and there is no RST: the SYN has no answer
#            in TCP. On a connection that exists the same rule is no end: segments are rejected, the client goes on
#            sending, and when the rule is gone the answer arrives as if nothing had been.
# One would guess otherwise: "connection refused" is what RST means to a client, "reject" is to "drop" what an answer is
#            to none, and an error that ends one connect() ends a connection, too.
# Seen:      new connection: ECONNREFUSED within milliseconds; segments: SYN alone. Established one: the request is sent
#            four times or more within two seconds, read() waits without an error (SO_ERROR 111 meanwhile); after the
#            rule is gone request and answer arrive.
# Source:    nft(8): `reject` is ICMP port-unreachable unless "with tcp reset" is given. RFC 5461: a soft error once the
#            connection is established.
# Date:      2026-11-30
# So, for a passive observer: a failed connect is a SYN that is never answered nor repeated, not an RST; a count of RSTs
#            misses all of them. And a request that comes four times is one request: the reject did not end it.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
command -v nft >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nftables >/dev/null
cat >"$tmp/reject.py" <<'PY'
import errno
import socket
import subprocess
import sys
import time

from wire import RST, SYN, Wire

ADDRESS = "127.0.0.1", 8080


def nft(rules):
    subprocess.run(["nft", rules], check=True)


wire = Wire("lo")
with socket.create_server(ADDRESS) as server, socket.create_connection(ADDRESS) as client:
    accepted, _ = server.accept()
    established = client.getsockname()[1]
    nft("table ip t { chain i { type filter hook input priority 0; tcp dport 8080 reject; }; }")
    with socket.socket() as second:
        second.settimeout(5)
        refused = second.connect_ex(ADDRESS)
    client.sendall(b"request")
    client.settimeout(2)
    try:
        client.recv(100)
        waited = False
    except TimeoutError:
        waited = True
    nft("delete table ip t")
    accepted.settimeout(10)
    request = accepted.recv(100)
    accepted.sendall(b"answer")
    client.settimeout(10)
    answer = client.recv(100)
    segments = [one for one in wire.segments() if one.sent]
    accepted.close()
syns = [one for one in segments if one.flags == SYN and one.source[1] != established]
answers = [one for one in segments if one.destination[1] not in (8080, established)]
copies = [one for one in segments if one.payload == b"request"]
resets = [one for one in segments if one.flags & RST]
print(f"new connection: {errno.errorcode[refused]}, SYN {len(syns)}, answers {len(answers)}, RST {len(resets)}")
print(f"established: waits {waited}, request sent {len(copies)} times, then read {request} and {answer}")
holds = refused == errno.ECONNREFUSED and len(syns) == 1 and not answers and not resets
holds = holds and waited and len(copies) >= 4 and (request, answer) == (b"request", b"answer")
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; timeout 40 python3 "$1"' bash "$tmp/reject.py"
echo 'PASS: connection refused, and no RST'
