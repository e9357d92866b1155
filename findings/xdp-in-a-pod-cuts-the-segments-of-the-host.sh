#!/usr/bin/env bash
# Software:  Linux 6.18, a veth pair between two network namespaces, an XDP program that passes everything; iproute2
#            6.1.0. Needs root for namespaces of its own and a packet socket.
# Behaviour: an XDP program on one end of a veth, say in the pod, changes what the other end sends: before, TCP
#            segments of up to 64 KiB; with it, segments of the size of the MTU, more than thirty times as many. Taking
#            the program off brings the large ones back.
# One would guess otherwise: XDP works on what an interface receives and this program changes nothing, the sender has
#            another network namespace and no program, and tools that attach XDP to look only are common.
# Seen:      2,000,000 bytes from the host to the pod: about 40 segments, the largest above 60,000 bytes. With the
#            program in the pod: about 1390, the largest 1514. After it was taken off: as at first.
# Source:    Linux drivers/net/veth.c, veth_xdp_set(): the peer loses NETIF_F_GSO_SOFTWARE while a program is there,
#            since XDP has no packets of more than a page.
# Date:      2026-11-30
# So, for a passive observer: packets per second of the same traffic, and with it the cost of a copy per packet, rise
#            by an order of magnitude when another agent attaches XDP in a pod, with no change on the observed side.
#            Size buffers by bytes, not by packets, and look at the peer's XDP before you blame the application.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/segments.py" <<'PY'
import ctypes
import os
import socket
import struct
import subprocess
import sys
import time

from bpf import PROG_LOAD, bpf, instruction, pin

SIZE = 2_000_000
XDP, XDP_PASS = 6, 2
folder = sys.argv[1]
PEER = """
import socket
with socket.create_server(("10.9.9.2", 8080)) as server:
    print("ready", flush=True)
    while True:
        sock, _ = server.accept()
        while sock.recv(1 << 20):
            pass
        sock.close()
"""


def run(command):
    subprocess.run(command.split(), check=True)


def segments():
    """Number of the sent segments with payload, and the length of the largest."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
        observer.bind(("v0", 0))
        observer.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        with socket.create_connection(("10.9.9.2", 8080), timeout=10) as client:
            client.sendall(bytes(SIZE))
            client.shutdown(socket.SHUT_WR)
            client.recv(1)
        lengths = []
        observer.settimeout(0.3)
        try:
            while True:
                packet, address = observer.recvfrom(1 << 17)
                if address[2] == socket.PACKET_OUTGOING and len(packet) > 66:
                    lengths.append(len(packet))
        except TimeoutError:
            return len(lengths), max(lengths)


pod = subprocess.Popen(["unshare", "--net", "sleep", "60"])
while os.stat(f"/proc/{pod.pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
    time.sleep(0.01)
inside = f"nsenter --net=/proc/{pod.pid}/ns/net "
run(f"ip link add v0 type veth peer name v1 netns {pod.pid}")
run("ip link set v0 up")
run("ip addr add 10.9.9.1/24 dev v0")
run(inside + "ip link set v1 up")
run(inside + "ip addr add 10.9.9.2/24 dev v1")
insns = ctypes.create_string_buffer(instruction(0xB7, 0, 0, 0, XDP_PASS) + instruction(0x95))
licence = ctypes.create_string_buffer(b"GPL")
pin(bpf(PROG_LOAD, struct.pack("2I2Q", XDP, 2, ctypes.addressof(insns), ctypes.addressof(licence))), f"{folder}/pass")
with subprocess.Popen([*inside.split(), sys.executable, "-c", PEER], stdout=subprocess.PIPE) as server:
    server.stdout.readline()
    results = [segments()]
    run(inside + f"ip link set v1 xdp pinned {folder}/pass")
    results.append(segments())
    run(inside + "ip link set v1 xdp off")
    results.append(segments())
    server.kill()
pod.kill()
pod.wait()
for name, (number, largest) in zip(("without XDP", "XDP at the peer", "taken off"), results):
    print(f"{name:16} {number:5} segments, the largest has {largest} bytes")
before, during, after = results
large = before[1] > 60_000 and after[1] > 60_000
sys.exit(0 if large and during[1] == 1514 and during[0] > 10 * max(before[0], after[0]) else "CHANGED")
PY
mkdir "$tmp/bpf"
unshare --net --mount --propagation private bash -euc '
    mount -t bpf bpf "$1/bpf"
    exec timeout 50 python3 "$1/segments.py" "$1/bpf"
' bash "$tmp"
echo 'PASS: XDP at one end changes the segments of the other'
