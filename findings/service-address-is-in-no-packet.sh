#!/usr/bin/env bash
# Software:  Linux 6.18, a program of type CGROUP_SOCK_ADDR at connect() (4.17 and later), as Cilium has it in place of
#            kube-proxy; curl 7.88.1 (Debian 12). Needs root for a cgroup and a network namespace of its own.
# Behaviour: a client connects to a service's address and port. No packet has them, not even the SYN: the connection is
#            one to the server behind it from the start. getpeername() and ss at the client have the server's address,
#            too; only the request's Host field has the service.
# One would guess otherwise: a service's address is translated on the way (as kube-proxy does it), so that at least the
#            first device sees it, and a socket is connected to what connect() was given.
# Seen:      connect to 10.96.0.10:80; SYN to 127.0.0.1:N; getpeername 127.0.0.1:N; curl: "Connected to 10.96.0.10
#            (127.0.0.1) port 80", where the port is none of this connection. A process outside of the cgroup: no
#            connection.
# Source:    docs.cilium.io, "Socket LoadBalancer"; Linux __cgroup_bpf_run_filter_sock_addr().
# Date:      2026-11-30
# So, for a tool that selects traffic by the service's address: it finds none on any device, in any namespace, while the
#            service is in use; nor does conntrack know it. Select by the servers' addresses, or by Host, and do not
#            infer from a client's packets which service it has asked for.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
command -v curl >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y curl >/dev/null
cat >"$tmp/connect.py" <<'PY'
import os
import socket
import struct
import subprocess
import sys
import threading
import time

from bpf import instruction, link, load
from wire import SYN, Wire

SOCK_ADDR, CONNECT4, USER_IP4, USER_PORT = 18, 10, 4, 24
SERVICE = "10.96.0.10", 80


def number(address):
    return struct.unpack("i", socket.inet_aton(address))[0]


def translate(server):
    """A program that gives connect() the server's address where it has the service's."""
    return load(
        instruction(0x61, 2, 1, USER_IP4),
        instruction(0x56, 2, 0, 4, number(SERVICE[0])),
        instruction(0xB4, 2, 0, 0, number(server[0])),
        instruction(0x63, 1, 2, USER_IP4),
        instruction(0xB4, 2, 0, 0, socket.htons(server[1])),
        instruction(0x63, 1, 2, USER_PORT),
        instruction(0xB7, 0, 0, 0, 1),
        instruction(0x95),
        kind=SOCK_ADDR,
        expected=CONNECT4,
    )


def serve(server):
    while True:
        sock, _ = server.accept()
        with sock:
            sock.recv(1000)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def main(group):
    server = socket.create_server(("127.0.0.1", 0))
    address = server.getsockname()
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    kept = link(translate(address), os.open(group, os.O_RDONLY), CONNECT4)
    wire = Wire("lo")
    try:
        socket.create_connection(SERVICE, timeout=1).close()
        outside = True
    except OSError:
        outside = False
    with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    with socket.create_connection(SERVICE, timeout=5) as client:
        peer = client.getpeername()
    command = ["curl", "-q", "-sv", "--noproxy", "*", "-o", "/dev/null", f"http://{SERVICE[0]}/"]
    curl = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    (connected,) = (line for line in curl.splitlines() if "Connected to" in line)
    time.sleep(0.2)
    targets = {one.destination for one in wire.segments() if one.flags == SYN}
    os.close(kept)
    print(f"connect to {SERVICE}: peer {peer}, SYN to {targets - {SERVICE}}; from outside connected: {outside}")
    print("curl:", connected.strip("* "))
    holds = peer == address and not outside and "10.96.0.10 (127.0.0.1) port 80" in connected
    return holds and address in targets and targets <= {address, SERVICE}  # the latter from outside


with open("/proc/mounts", encoding="ascii") as file:
    hierarchy = next(line.split()[1] for line in file if line.split()[2] == "cgroup2")
with open("/proc/self/cgroup", encoding="ascii") as file:
    home = hierarchy + next(line.strip()[3:] for line in file if line.startswith("0::"))
group = f"{hierarchy}/finding-{os.getpid()}"
os.mkdir(group)
try:
    holds = main(group)
finally:
    with open(f"{home}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    os.rmdir(group)
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc '
    ip link set lo up
    ip route add 10.96.0.0/16 dev lo
    timeout 30 python3 "$1"
' bash "$tmp/connect.py"
echo 'PASS: no packet has the address of the service'
