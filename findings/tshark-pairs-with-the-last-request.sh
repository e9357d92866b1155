#!/usr/bin/env bash
# Software:  tshark 4.0.17 (Debian 12), reading files that the script writes; one pass and two passes (-2).
# Behaviour: an answer is taken for the answer to the last request before it. Of two pipelined requests the first
#            answer gets the URI and the time of the second request, and the second answer has no request. And the
#            answer after an interim one (100, 103) has no request and no time: http.time is that of the interim
#            answer.
# One would guess otherwise: tshark knows every message of the connection, answers of HTTP/1.1 are in the order of
#            requests, and http.time is described as the time since the request.
# Seen:      GET /one, GET /two, 200 "one", 404 "two": the 200 has request_in of /two and the URI /two, the 404 has
#            neither request_in nor time. GET /one, 103, 200: request_in and time in the 103, none in the 200.
# Source:    Wireshark epan/dissectors/packet-http.c keeps the last request of a conversation as the current one. RFC
#            9112, section 9.3.2.
# Date:      2026-11-30
# So, for a tool that is tested against tshark: where requests are pipelined, or a client sends the next one before the
#            answer's last segment, routes and statuses are mixed up (here /two has 200 and nothing has 404), and
#            upload times end with the 100. Pair by order yourself, and check against tshark's list of messages, not
#            against its pairs.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export DEBIAN_FRONTEND=noninteractive
[[ -x /usr/bin/tshark ]] || apt-get -o DPkg::Lock::Timeout=300 install -y tshark >/dev/null
/usr/bin/tshark --version 2>/dev/null | grep -F 'TShark (Wireshark) 4.0.17' || { echo 'not tshark 4.0.17'; exit 2; }
cat >"$tmp/pairs.py" <<'PY'
import socket
import struct
import subprocess
import sys

path = f"{sys.argv[1]}/exchange.pcap"
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
ONE, TWO = (f"GET /{name} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode() for name in ("one", "two"))
FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
SECOND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\ntwo"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"


def segment(source, destination, number, acknowledged, flags, payload=b""):
    """An IPv4 packet without Ethernet, checksums left out."""
    ports = source[1], destination[1]
    tcp = struct.pack("!HHIIBBHHH", *ports, number, acknowledged, 0x50, flags, 65535, 0, 0) + payload
    addresses = socket.inet_aton(source[0]), socket.inet_aton(destination[0])
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, *addresses) + tcp


def answers(messages, *options):
    """(status, frame of the request, URI, time) of each answer, by tshark. Frames are one second apart."""
    packets = [segment(CLIENT, SERVER, 0, 0, 2), segment(SERVER, CLIENT, 0, 1, 18), segment(CLIENT, SERVER, 1, 1, 16)]
    sent, received = 1, 1
    for message in messages:
        if message in (ONE, TWO):
            packets.append(segment(CLIENT, SERVER, sent, received, 24, message))
            sent += len(message)
        else:
            packets.append(segment(SERVER, CLIENT, received, sent, 24, message))
            received += len(message)
    with open(path, "wb") as file:
        file.write(struct.pack("IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for second, packet in enumerate(packets):
            file.write(struct.pack("IIII", second, 0, len(packet), len(packet)) + packet)
    fields = "http.response.code", "http.request_in", "http.response_for.uri", "http.time"
    command = ["/usr/bin/tshark", "-r", path, *options, "-Y", "http.response", "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [tuple(line.split("\t")) for line in text.splitlines()]


one_by_one = answers([ONE, FIRST, TWO, SECOND])
pipelined = answers([ONE, TWO, FIRST, SECOND])
early = answers([ONE, INTERIM, FIRST])
for name, lines in (("one by one", one_by_one), ("pipelined", pipelined), ("103, then 200", early)):
    for line in lines:
        print(f"{name:14} status {line[0]}, request_in {line[1] or 'none'}, URI {line[2]}, time {line[3] or 'none'}")
uri, second = "http://shop.test/", "1.000000000"
holds = (
    one_by_one == [("200", "4", uri + "one", second), ("404", "6", uri + "two", second)]
    and pipelined == [("200", "5", uri + "two", second), ("404", "", uri + "two", "")]
    and early == [("103", "4", uri + "one", second), ("200", "", uri + "one", "")]
    and answers([ONE, TWO, FIRST, SECOND], "-2") == pipelined
)
sys.exit(0 if holds else "CHANGED")
PY
timeout 50 python3 "$tmp/pairs.py" "$tmp"
echo 'PASS: an answer is paired with the last request'
