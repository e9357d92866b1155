#!/usr/bin/env bash
# Software:  tshark 4.0.17 and tcpflow 1.6.1 (Debian 12), reading files that the script writes: one HTTP exchange whose
#            answer is in three segments, in order, with two of them swapped, and with one missing.
# Behaviour: where two segments arrive in the other order, tshark finds no HTTP answer at all with its default settings,
#            although no byte is missing; its own `follow` of the same stream has the whole answer. tcpflow writes the
#            whole answer for swapped segments, and for a missing one as many zero bytes as are missing, as if they had
#            been sent.
# One would guess otherwise: to put segments in order is the first thing that TCP does, tshark is the reference for
#            decoding, and two outputs of one program agree; and a tool that writes streams to files leaves out, or
#            marks, what it has not seen.
# Seen:      answers found by tshark: in order 1, swapped 0, swapped with tcp.reassemble_out_of_order 1. Bytes of the
#            answer by follow: 366 each time. tcpflow with the middle segment missing: 366 bytes, of which 100 are zero;
#            no message.
# Source:    tshark's preference "Reassemble out-of-order segments" (tcp.reassemble_out_of_order) is off by default.
# Date:      2026-11-30
# So, for a tool whose results are compared with tshark's: exchanges that only the tool has are not invented by it: turn
#            the preference on. And a file of tcpflow is no proof of content: zero bytes in it may be a gap.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for package in tshark tcpflow; do
    command -v "$package" >/dev/null || DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 install -y "$package" >/dev/null
done
tshark --version 2>/dev/null | grep -o '4\.0\.17' || { echo 'this finding is about tshark 4.0.17'; exit 2; }
[[ $(tcpflow --version 2>&1) == *1.6.1* ]] || { echo 'this finding is about tcpflow 1.6.1'; exit 2; }
cat >"$tmp/order.py" <<'PY'
import glob
import os
import socket
import struct
import subprocess
import sys

folder = sys.argv[1]
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
REQUEST = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\nContent-Type: text/plain\r\n\r\n"
ANSWER = HEAD + b"0123456789" * 30
CUTS = [0, len(HEAD) + 100, len(HEAD) + 200, len(ANSWER)]


def segment(source, destination, number, acknowledged, flags, payload=b""):
    """An Ethernet frame, checksums left out."""
    ports = source[1], destination[1]
    tcp = struct.pack("!HHIIBBHHH", *ports, number, acknowledged, 0x50, flags, 65535, 0, 0) + payload
    addresses = socket.inet_aton(source[0]), socket.inet_aton(destination[0])
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, *addresses)
    return bytes(12) + b"\x08\x00" + ip + tcp


def capture(name, order):
    """A file with the parts of the answer in this order."""
    sent = 101 + len(REQUEST)
    frames = [segment(CLIENT, SERVER, 100, 0, 2), segment(SERVER, CLIENT, 500, 101, 18)]
    frames += [segment(CLIENT, SERVER, 101, 501, 16), segment(CLIENT, SERVER, 101, 501, 24, REQUEST)]
    for part in order:
        frames.append(segment(SERVER, CLIENT, 501 + CUTS[part], sent, 24, ANSWER[CUTS[part] : CUTS[part + 1]]))
    frames.append(segment(SERVER, CLIENT, 501 + len(ANSWER), sent, 17))
    path = f"{folder}/{name}.pcap"
    with open(path, "wb") as file:
        file.write(struct.pack("IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for place, frame in enumerate(frames):
            file.write(struct.pack("IIII", 1000, place, len(frame), len(frame)) + frame)
    return path


def tshark(path, *options):
    return subprocess.run(["tshark", "-r", path, *options], capture_output=True, text=True, check=True).stdout


def answers(path, *options):
    return len(tshark(path, *options, "-Y", "http.response").splitlines())


def followed(path):
    """Bytes from the server: the lines that begin with a tab."""
    lines = tshark(path, "-q", "-z", "follow,tcp,raw,0").splitlines()
    return sum(len(line.strip()) // 2 for line in lines if line.startswith("\t"))


def flow(path):
    """Size and zero bytes of tcpflow's file for the server's direction."""
    os.mkdir(target := path.removesuffix(".pcap"))
    subprocess.run(["tcpflow", "-r", path, "-o", target], capture_output=True, check=True)
    (name,) = glob.glob(f"{target}/010.000.000.002*")
    with open(name, "rb") as file:
        data = file.read()
    return len(data), data.count(0)


results = {}
for name, order in (("in order", (0, 1, 2)), ("swapped", (0, 2, 1)), ("missing", (0, 2))):
    path = capture(name, order)
    ordered = answers(path, "-o", "tcp.reassemble_out_of_order:TRUE")
    results[name] = answers(path), ordered, followed(path), *flow(path)
    found, ordered, size, written, zeros = results[name]
    print(f"{name:8} answers {found}, with the preference {ordered}; follow {size}; tcpflow {written}, zero {zeros}")
ALL = len(ANSWER)
holds = results["in order"] == (1, 1, ALL, ALL, 0) and results["swapped"] == (0, 1, ALL, ALL, 0)
sys.exit(0 if holds and results["missing"][0] == 0 and results["missing"][3:] == (ALL, 100) else "CHANGED")
PY
timeout 60 python3 "$tmp/order.py" "$tmp"
echo 'PASS: no answer in swapped segments, and zero bytes in a gap'
