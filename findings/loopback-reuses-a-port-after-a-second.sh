#!/usr/bin/env bash
# Software:  Linux 6.18, net.ipv4.tcp_tw_reuse at its default (2). Needs root for a network namespace of its own, in
#            which there are two ports for clients, so that the reuse is seen at once.
# Behaviour: a client's port in TIME-WAIT is used again for a connection to the same server after one second if the
#            address is 127.0.0.1. If it is another address of the same host, whose packets pass lo just as well, it is
#            not used for 60 seconds, and connect() fails when there is no other port.
# One would guess otherwise: TIME-WAIT lasts a minute on Linux, reuse is known as something that must be turned on, and
#            both connections go through the same device.
# Seen:      the range has two ports; each connection is closed by the client. First two: connected. Third at once:
#            EADDRNOTAVAIL. After 1.5 s: 127.0.0.1 connected, with a port that was used before; 10.9.9.1
#            EADDRNOTAVAIL, after 5 s, too.
# Source:    Linux Documentation/networking/ip-sysctl.rst: tcp_tw_reuse 2 is "enable for loopback traffic only" (since
#            4.19); tcp_twsk_unique() takes the address 127.0.0.0/8 or a socket bound to lo for loopback.
# Date:      2026-11-30
# So, for a passive observer: on lo the same addresses and ports come again within a second or two while tables keep a
#            closed connection for a minute or more: only the SYN separates two connections, and one that was missed
#            glues two exchanges together. A test on 127.0.0.1 meets this, and one with other local addresses does not.
#            A replay with many short connections to an address of the host runs out of ports; to 127.0.0.1 it does not.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/reuse.py" <<'PY'
import errno
import socket
import sys
import time


def connect(server):
    """The client's port, or the name of the error. The client closes first."""
    with socket.socket() as client:
        try:
            client.connect(server.getsockname())
        except OSError as error:
            return errno.errorcode[error.errno]
        port = client.getsockname()[1]
        accepted, _ = server.accept()
    with accepted:
        accepted.recv(1)
    return port


results = {}
for address in ("127.0.0.1", "10.9.9.1"):
    with socket.create_server((address, 8080)) as server:
        ports = [connect(server) for _ in range(3)]
        time.sleep(1.5)
        ports.append(connect(server))
        time.sleep(3.5)
        ports.append(connect(server))
    print(f"{address:9}", *ports)
    results[address] = ports
NONE = "EADDRNOTAVAIL"
reused = results["127.0.0.1"]
holds = set(reused[:2]) == set(results["10.9.9.1"][:2]) == {40000, 40001}
holds = holds and reused[2] == NONE and {reused[3], reused[4]} <= {40000, 40001}
sys.exit(0 if holds and results["10.9.9.1"][2:] == [NONE] * 3 else "CHANGED")
PY
unshare --net bash -euc '
    ip link set lo up
    ip addr add 10.9.9.1/24 dev lo
    [[ $(sysctl -n net.ipv4.tcp_tw_reuse) == 2 ]]
    sysctl -qw net.ipv4.ip_local_port_range="40000 40001"
    timeout 40 python3 "$1"
' bash "$tmp/reuse.py"
echo 'PASS: 127.0.0.1 uses a port again after a second'
