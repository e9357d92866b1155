#!/usr/bin/env bash
# Software:  tshark 4.0.17 (Debian 12), reading a file that the script writes: one HTTP exchange whose answer has 3074
#            bytes of content, whole, and with one segment missing.
# Behaviour: `-z follow,tcp,raw` prints a stream as hexadecimal bytes. Where a segment was not captured, it prints the
#            bytes of an English sentence in its place, "[1000 bytes missing in capture file]" and a zero byte, in the
#            same form as the bytes of the stream. And the value of `-e http.file_data` ends at the first zero byte of
#            the content, also where nothing is missing.
# One would guess otherwise: raw is the form for programs, and has only what was on the wire; file_data has a name that
#            does not say text.
# Seen:      whole: 3155 bytes of the server, file_data "PK" (the content is 50 4b 00 ...), --export-objects 3074
#            bytes. With the gap: 2155 bytes of the stream and 37 that were never sent; no object, and no warning.
# Source:    the sentence is meant for the window "Follow TCP Stream"; tshark(1) does not mention it. Later versions
#            have bytes in http.file_data.
# Date:      2026-11-30
# So, for a tool that is tested against tshark, or takes its output over: a body with a gap is not shorter by the gap
#            but by another number, and its bytes after the gap are at a wrong offset. Ask for frames (-T fields -e
#            tcp.seq -e tcp.payload) and put them together, and do not use file_data for what may be binary.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
command -v tshark >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y tshark >/dev/null
version=$(tshark --version 2>/dev/null | head -1)
echo "$version"
[[ $version == *' 4.0.17 '* ]] || { echo 'this finding is about tshark 4.0.17'; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/gap.py" <<'PY'
import os
import socket
import struct
import subprocess
import sys

tmp = sys.argv[1]
CLIENT, SERVER = (socket.inet_aton("192.0.2.1"), 40000), (socket.inet_aton("192.0.2.2"), 80)
SYN, FIN, PSH, ACK = 2, 1, 8, 16
CONTENT = b"PK" + bytes(range(256)) * 12
REQUEST = b"GET /item HTTP/1.1\r\nHost: shop.test\r\n\r\n"
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n"
ANSWER = HEAD.format(len(CONTENT)).encode() + CONTENT


def frame(source, target, seq, ack, flags, data=b""):
    """Ethernet, IPv4, TCP; checksums are 0, which tshark does not look at by default."""
    tcp = struct.pack(">HHIIBBHHH", source[1], target[1], seq, ack, 5 << 4, flags, 65535, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source[0], target[0])
    return bytes(12) + b"\x08\0" + ip + tcp


def capture(name, lost):
    """Writes the exchange as a pcap file, without the given segment of the answer."""
    asked, answered = 101 + len(REQUEST), 501 + len(ANSWER)
    frames = [
        frame(CLIENT, SERVER, 100, 0, SYN),
        frame(SERVER, CLIENT, 500, 101, SYN | ACK),
        frame(CLIENT, SERVER, 101, 501, ACK),
        frame(CLIENT, SERVER, 101, 501, PSH | ACK, REQUEST),
    ]
    for at in range(0, len(ANSWER), 1000):
        if at != lost:
            frames.append(frame(SERVER, CLIENT, 501 + at, asked, PSH | ACK, ANSWER[at : at + 1000]))
    frames.append(frame(CLIENT, SERVER, asked, answered, FIN | ACK))
    frames.append(frame(SERVER, CLIENT, answered, asked + 1, FIN | ACK))
    frames.append(frame(CLIENT, SERVER, asked + 1, answered + 1, ACK))
    with open(f"{tmp}/{name}.pcap", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, data in enumerate(frames):
            file.write(struct.pack("<IIII", 1_700_000_000, 1000 * number, len(data), len(data)) + data)


def tshark(name, *options):
    command = ["tshark", "-n", "-r", f"{tmp}/{name}.pcap", *options]
    environment = {**os.environ, "HOME": tmp}
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment)
    return result.stdout


def read(name):
    """The server's bytes by follow, the content by its field, and the sizes of the exported objects."""
    lines = tshark(name, "-q", "-z", "follow,tcp,raw,0").splitlines()
    stream = b"".join(bytes.fromhex(line.strip()) for line in lines if line.startswith("\t"))
    data = tshark(name, "-Y", "http.response", "-T", "fields", "-e", "http.file_data").strip()
    tshark(name, "-q", "--export-objects", f"http,{tmp}/{name}")
    objects = [os.path.getsize(f"{tmp}/{name}/{file}") for file in os.listdir(f"{tmp}/{name}")]
    return stream, data, objects


capture("whole", None)
capture("gap", 1000)
results = {name: read(name) for name in ("whole", "gap")}
for name, (stream, data, objects) in results.items():
    print(f"{name:5} {len(ANSWER)} bytes sent; follow {len(stream)}, file_data {data!r}, objects {objects}")
added = b"[1000 bytes missing in capture file]\0"
print(f"gap   follow at 1000: {results['gap'][0][1000:1040]!r}")
holds = (
    results["whole"] == (ANSWER, "PK", [len(CONTENT)])
    and results["gap"][0] == ANSWER[:1000] + added + ANSWER[2000:]
    and results["gap"][2] == []
)
sys.exit(0 if holds else "CHANGED")
PY
timeout 100 python3 "$tmp/gap.py" "$tmp"
echo 'PASS: 37 bytes in the stream that were never sent'
