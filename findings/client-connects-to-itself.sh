#!/usr/bin/env bash
# Software:  Linux 6.18 TCP on loopback; curl 7.88.1 (Debian 12) as the client. Needs root for a packet socket and for
#            a network namespace of its own.
# Behaviour: a client that connects to a port of its own host on which nobody listens, and whose own port happens to be
#            the same, is connected: with itself. It reads its own request as the answer. The connection has one SYN
#            and one SYN-ACK, both from and to the same address and port.
# One would guess otherwise: a connection has two ends, a port without a listener answers with RST, and so does curl in
#            nearly all cases ("connection refused").
# Seen:      curl with --local-port N to 127.0.0.1:N: "Received HTTP/0.9 when not allowed" (its own request line), exit
#            code 1. Packets: SYN, SYN-ACK, and the request, all from N to N. With another local port: exit code 7.
# Source:    RFC 9293, section 3.5 (simultaneous open). A service on a port of net.ipv4.ip_local_port_range (32768 and
#            up) whose clients retry while it is down gets there by itself, since each try takes another port.
# Date:      2026-11-30
# So, for a passive observer: "the smaller (address, port) is side A" gives no order here, a table by tuple has one
#            entry for both directions, and the same bytes are request and answer. While it lasts, the service cannot
#            bind to its port. Count it as a connection of its own kind and pair nothing on it.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
for tool in ip unshare curl; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 util-linux curl >/dev/null
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/self.py" <<'PY'
import socket
import struct
import subprocess
import sys

SYN, ACK, PSH = 2, 16, 8


def curl(local, port):
    command = ["curl", "-sS", "--max-time", "5", "--local-port", str(local), f"http://127.0.0.1:{port}/item"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stderr.strip()


def segments(observer):
    """(source port, destination port, flags, payload) of each TCP segment on lo."""
    found = []
    observer.settimeout(0.3)
    try:
        while True:
            packet, address = observer.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING and packet[23] == 6:
                source, destination, _, _, offset, flags = struct.unpack("!HHIIBB", packet[34:48])
                found.append((source, destination, flags, packet[34 + (offset >> 4) * 4 :]))
    except TimeoutError:
        return found


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
refused = curl(port + 1, port)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
    observer.bind(("lo", 0))
    itself = curl(port, port)
    seen = segments(observer)
for source, destination, flags, payload in seen[:4]:
    print(f"  {source} to {destination}, flags {flags:#04x}, {payload[:16]!r}")
print(f"another local port: {refused}; the same: {itself}")
requests = [payload for _, _, _, payload in seen if payload]
holds = (
    refused[0] == 7
    and itself[0] == 1
    and "HTTP/0.9" in itself[1]
    and [flags for _, _, flags, _ in seen[:2]] == [SYN, SYN | ACK]
    and all(source == destination == port for source, destination, _, _ in seen)
    and len(requests) == 1
    and requests[0].startswith(b"GET /item ")
)
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; exec timeout 30 python3 "$1"' bash "$tmp/self.py"
echo 'PASS: curl is connected with itself'
