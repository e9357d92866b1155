#!/usr/bin/env bash
# Software:  Linux 6.18, a program of type SK_LOOKUP (5.9 and later), as edge proxies and service meshes use it; ss of
#            iproute2 6.1.0. Needs root for a network namespace of its own.
# Behaviour: a port on which no socket listens accepts connections, on each address of the host. The accepted sockets
#            have the address and port that the client asked for, which are not those of the listening socket. There is
#            no address translation: conntrack and the packets have the same ports.
# One would guess otherwise: `ss -l` shows what can be connected to, an accepted socket has the port of its listener,
#            and other ways to do this (DNAT, TPROXY) leave a rule in the lists of iptables and nftables.
# Seen:      one listener, 127.0.0.1:N. Connected: 127.0.0.1:8080, 127.3.3.3:8080, 10.9.9.1:8080, each with this as
#            getsockname() at the server. ss has no listener on 8080 and three connections from it. After the program
#            was taken off: connection refused, and the three go on.
# Source:    docs.kernel.org/bpf/prog_sk_lookup.html.
# Date:      2026-11-30
# So, for a tool that finds a service's process by its listening port: the port of the packets has no listener, and the
#            listener's port has no packets. Look the connection up, not the listener, and take the server's side from
#            the SYN.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/lookup.py" <<'PY'
import os
import socket
import struct
import subprocess
import sys

from bpf import create_map, instruction, link, load, map_of, update

SOCKMAP, SK_LOOKUP, LOCAL_PORT = 15, 30, 60
ADDRESSES = "127.0.0.1", "127.3.3.3", "10.9.9.1"


def steer(port, server):
    """Gives connections to a port to the listening socket, whatever their address."""
    sockets = create_map(SOCKMAP, 4, 8, 1)
    update(sockets, bytes(4), struct.pack("Q", server.fileno()))
    program = load(
        instruction(0xBF, 6, 1),
        instruction(0x61, 2, 6, LOCAL_PORT),
        instruction(0x55, 2, 0, 14, port),
        instruction(0x62, 10, 0, -4, 0),
        map_of(1, sockets),
        instruction(0xBF, 2, 10),
        instruction(0x07, 2, 0, 0, -4),
        instruction(0x85, 0, 0, 0, 1),  # bpf_map_lookup_elem
        instruction(0x15, 0, 0, 7, 0),
        instruction(0xBF, 7, 0),
        instruction(0xBF, 1, 6),
        instruction(0xBF, 2, 7),
        instruction(0xB7, 3, 0, 0, 0),
        instruction(0x85, 0, 0, 0, 124),  # bpf_sk_assign
        instruction(0xBF, 1, 7),
        instruction(0x85, 0, 0, 0, 86),  # bpf_sk_release
        instruction(0xB7, 0, 0, 0, 1),  # SK_PASS
        instruction(0x95),
        kind=SK_LOOKUP,
        expected=36,
    )
    return link(program, os.open("/proc/self/ns/net", os.O_RDONLY), 36)


def ss(*options):
    return subprocess.run(["ss", "-Htn", *options], capture_output=True, text=True, check=True).stdout


with socket.create_server(("127.0.0.1", 0)) as server:
    steering = steer(8080, server)
    pairs = []
    for address in ADDRESSES:
        client = socket.create_connection((address, 8080), timeout=5)
        pairs.append((client, server.accept()[0]))
    names = [accepted.getsockname() for _, accepted in pairs]
    listening, connected = ss("-l", "sport = 8080"), ss("sport = 8080").splitlines()
    print("accepted as", *(f"{address}:{port}" for address, port in names))
    print("listeners on 8080:", listening or "none", f"- connections from 8080: {len(connected)}")
    os.close(steering)
    try:
        socket.create_connection(("127.0.0.1", 8080)).close()
        refused = False
    except ConnectionRefusedError:
        refused = True
    pairs[0][0].sendall(b"still here")
    goes_on = pairs[0][1].recv(100) == b"still here"
    print(f"without the program: new one refused {refused}, old one goes on {goes_on}")
holds = names == [(address, 8080) for address in ADDRESSES] and not listening and len(connected) == 3
sys.exit(0 if holds and refused and goes_on else "CHANGED")
PY
unshare --net bash -euc '
    ip link set lo up
    ip addr add 10.9.9.1/24 dev lo
    timeout 30 python3 "$1"
' bash "$tmp/lookup.py"
echo 'PASS: a port answers without a listener'
