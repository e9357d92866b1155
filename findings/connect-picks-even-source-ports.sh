#!/usr/bin/env bash
# Software:  Linux 6.18, default net.ipv4.ip_local_port_range (32768 to 60999). No root needed.
# Behaviour: a client that calls connect() without bind() gets a source port of the parity of the range's lower end: an
#            even one. A client that first binds to an address with port 0 gets an odd one. The other half is used only
#            when the preferred half is full.
# One would guess otherwise: RFC 6056 wants source ports to be hard to predict, the numbers come from the whole range,
#            and both calls ask the kernel for "any free port".
# Seen:      600 connections without bind(): 600 even, 0 odd. 600 with bind(("127.0.0.1", 0)): 0 even, 600 odd.
# Source:    Linux commit 07f4c90062f8 (2015): connect() favours even ports, bind() keeps the odd ones; "only some poor
#            hashing schemes could be eventually impacted".
# Date:      2026-11-30
# So, for a tool that samples connections: the lowest bit of the client's port carries nothing. "port % 2" or a hash
#            that lets this bit through unmixed samples all connections or none, and 1 of 10 by "port % 10" is 1 of 5
#            or 0. Mix the whole tuple before the share is taken.
set -euo pipefail

timeout 60 python3 - <<'PY'
import os
import socket
import sys

COUNT = 600
with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
    low, high = map(int, file.read().split())


def ports(source):
    """Source ports of many connections that are open at the same time."""
    with socket.create_server(("127.0.0.1", 0), backlog=COUNT) as server:
        clients = [socket.create_connection(server.getsockname(), 10, source) for _ in range(COUNT)]
        found = [client.getsockname()[1] for client in clients]
        for client in clients:
            client.close()
    return found


print(f"Linux {os.uname().release.split('-')[0]}, ports {low} to {high}")
holds = (high - low) % 2 == 1
cases = (("connect()", None, low % 2), ("bind(port 0), connect()", ("127.0.0.1", 0), 1 - low % 2))
for name, source, preferred in cases:
    found = ports(source)
    odd = sum(port % 2 for port in found)
    tenth = sum(port % 10 == 0 for port in found) / COUNT
    print(f"{name:24} {COUNT - odd} even, {odd} odd; from {min(found)} to {max(found)}; port % 10 == 0: {tenth:.0%}")
    holds = holds and all(port % 2 == preferred for port in found)
sys.exit(0 if holds else "CHANGED")
PY
echo 'PASS: the parity of a source port depends on the call, not on chance'
