#!/usr/bin/env bash
# Software:  Linux 6.18 (TCX exists from 6.6 on), iproute2 6.1.0 for the clsact side.
# Behaviour: a program that returns TC_ACT_PIPE (3) ends the list of programs on a TCX hook. The packet then still
#            goes through the clsact filters of the same hook, and between two clsact filters the same code goes on to
#            the next.
# One would guess otherwise: TCX runs the same program type with the same codes, "pipe" means "go on", templates of
#            BPF libraries return it, and a code that hides the packet from its neighbour should hide it from later
#            filters too.
# Seen:      5 packets, the first returns 3. Second program: TCX after TCX 0, clsact after TCX 5, clsact after clsact
#            5. The receiver got 5 each time. With -1 all three are 5.
# Date:      2026-11-29
# So, for a passive observer: a program that returns 3 to be polite blinds everything behind it on TCX. Return
#            TCX_NEXT (-1), which goes on in both worlds. Being seen by a clsact filter does not prove that a program
#            on TCX sees the traffic, and moving an agent from clsact to TCX can make it blind without any error.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
tmp=$(mktemp -d)
# Everything is in namespaces of its own, which end with the program in them.
trap 'rm -rf "$tmp"' EXIT
for tool in ip tc unshare; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 util-linux >/dev/null
done

cat >"$tmp/order.py" <<'PY'
import ctypes
import os
import platform
import socket
import struct
import subprocess
import sys

NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, MAP_LOOKUP, PROG_LOAD, OBJ_PIN, LINK_CREATE = 0, 1, 5, 6, 28
TCX_INGRESS = 46
PACKETS = 5
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 144)
    result = libc.syscall(NR_BPF, command, room, len(room))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def counting_program(code):
    """A classifier that counts its packets in a map and returns the code."""
    count = bpf(MAP_CREATE, struct.pack("5I", 2, 4, 8, 1, 0))

    def instruction(op, registers, number):
        return struct.pack("<BBhi", op, registers, 0, number)

    text = b"".join(
        [
            instruction(0x18, 0x21, count),  # r1 = address of the map's value
            instruction(0, 0, 0),
            instruction(0xB7, 0x02, 1),  # r2 = 1
            instruction(0xDB, 0x21, 0),  # atomic *r1 += r2
            instruction(0xB7, 0x00, code),  # r0 = code
            instruction(0x95, 0, 0),
        ]
    )
    insns, licence = ctypes.create_string_buffer(text), ctypes.create_string_buffer(b"GPL")
    head = struct.pack("2I2Q", 3, len(text) // 8, ctypes.addressof(insns), ctypes.addressof(licence))
    return bpf(PROG_LOAD, head), count


def counted(count):
    key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(8)
    bpf(MAP_LOOKUP, struct.pack("2I3Q", count, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
    return struct.unpack("Q", value.raw)[0]


def attach(world, program, place):
    if world == "tcx":
        return bpf(LINK_CREATE, struct.pack("4I", program, socket.if_nametoindex("lo"), TCX_INGRESS, 0))
    path = f"{sys.argv[1]}/{place}"
    name = ctypes.create_string_buffer(path.encode())
    bpf(OBJ_PIN, struct.pack("Q2I", ctypes.addressof(name), program, 0))
    rule = f"tc filter add dev lo ingress prio {place} protocol all bpf da object-pinned {path}"
    subprocess.run(rule.split(), check=True)
    os.unlink(path)
    return None


def run(code, first, second):
    """Packets that reached the first program, the second one, and the receiver."""
    subprocess.run("tc qdisc add dev lo clsact".split(), check=True)
    programs = [counting_program(code), counting_program(-1)]
    links = [attach(world, program, place + 1) for place, (world, (program, _)) in enumerate(zip((first, second), programs))]
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(1)
        for _ in range(PACKETS):
            sender.sendto(b"x", receiver.getsockname())
        arrived = sum(1 for _ in range(PACKETS) if receiver.recv(16))
    seen = [counted(count) for _, count in programs]
    for fd in [link for link in links if link is not None] + [fd for pair in programs for fd in pair]:
        os.close(fd)
    subprocess.run("tc qdisc del dev lo clsact".split(), check=True)
    return (*seen, arrived)


print(f"Linux {os.uname().release.split('-')[0]}; packets at the first program, the second program, the receiver:")
results = {}
for code, name in ((3, "pipe"), (-1, "next")):
    for pair in (("tcx", "tcx"), ("tcx", "clsact"), ("clsact", "clsact")):
        results[name, pair] = run(code, *pair)
        print(f"  first returns {code:2} ({name}), {pair[0]:6} then {pair[1]:6}: {results[name, pair]}")

whole, blind = (PACKETS, PACKETS, PACKETS), (PACKETS, 0, PACKETS)
expected = {key: blind if key == ("pipe", ("tcx", "tcx")) else whole for key in results}
sys.exit(0 if results == expected else f"CHANGED: expected {expected}")
PY
mkdir "$tmp/bpf"
unshare --net --mount --propagation private bash -euc '
    mount -t bpf bpf "$1/bpf"
    ip link set lo up
    exec python3 "$1/order.py" "$1/bpf"
' bash "$tmp"
