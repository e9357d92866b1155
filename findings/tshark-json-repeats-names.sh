#!/usr/bin/env bash
# Software:  tshark 4.0.17 (Debian 12), `-T json`, reading a file that the script writes: one HTTP exchange.
# Behaviour: a field that occurs twice is written as two members of one JSON object with the same name. A JSON parser
#            keeps the last: of two Set-Cookie fields one is left, and of the list of all fields (http.response.line)
#            the last one.
# One would guess otherwise: JSON has arrays for it, `-T ek` of the same program makes them, and an output made for
#            other programs can be read by a usual parser.
# Seen:      the answer has set-cookie a=1 and b=2 and three fields. By Python's parser: "b=2", and one line. With
#            --no-duplicate-keys: ["a=1", "b=2"] and a list of three. With -T ek: the same lists.
# Source:    tshark(1), --no-duplicate-keys. RFC 8259, section 4: names SHOULD be unique, else the behaviour of
#            software is unpredictable.
# Date:      2026-11-30
# So, for a tool that is tested against tshark: who reads -T json without that option finds fewer fields than were sent
#            and blames the other side. Where a field occurs once, value and type are the same with both, so that a
#            test without a repeated field does not notice; with the option a field is a string or a list.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export DEBIAN_FRONTEND=noninteractive
[[ -x /usr/bin/tshark ]] || apt-get -o DPkg::Lock::Timeout=300 install -y tshark >/dev/null
/usr/bin/tshark --version | grep -F 'TShark (Wireshark) 4.0.17' || { echo 'this finding is about 4.0.17'; exit 2; }
cat >"$tmp/keys.py" <<'PY'
import json
import socket
import struct
import subprocess
import sys

path = f"{sys.argv[1]}/exchange.pcap"
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
REQUEST = b"GET /item HTTP/1.1\r\nHost: shop.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"


def segment(source, destination, number, acknowledged, flags, payload=b""):
    """An IPv4 packet without Ethernet, checksums left out."""
    ports = source[1], destination[1]
    tcp = struct.pack("!HHIIBBHHH", *ports, number, acknowledged, 0x50, flags, 65535, 0, 0) + payload
    addresses = socket.inet_aton(source[0]), socket.inet_aton(destination[0])
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, *addresses) + tcp


packets = [
    segment(CLIENT, SERVER, 0, 0, 0x02),
    segment(SERVER, CLIENT, 0, 1, 0x12),
    segment(CLIENT, SERVER, 1, 1, 0x10),
    segment(CLIENT, SERVER, 1, 1, 0x18, REQUEST),
    segment(SERVER, CLIENT, 1, 1 + len(REQUEST), 0x18, ANSWER),
]
with open(path, "wb") as file:
    file.write(struct.pack("IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    for second, packet in enumerate(packets):
        file.write(struct.pack("IIII", second, 0, len(packet), len(packet)) + packet)


def tshark(*options):
    command = ["/usr/bin/tshark", "-r", path, "-Y", "http.response", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


text = tshark("-T", "json")
as_json = json.loads(text)[0]["_source"]["layers"]["http"]
unique = json.loads(tshark("-T", "json", "--no-duplicate-keys"))[0]["_source"]["layers"]["http"]
as_ek = json.loads(tshark("-T", "ek").splitlines()[1])["layers"]["http"]
print(f"in the text: {text.count(chr(34) + 'http.set_cookie' + chr(34))} members http.set_cookie")
print(f"-T json: {as_json['http.set_cookie']!r}, {as_json['http.response.line']!r}")
print(f"--no-duplicate-keys: {unique['http.set_cookie']}, {len(unique['http.response.line'])} lines")
print(f"-T ek: {as_ek['http_http_set_cookie']}, {len(as_ek['http_http_response_line'])} lines")
both = ["a=1", "b=2"]
holds = (
    as_json["http.set_cookie"] == "b=2"
    and as_json["http.response.line"] == "Content-Length: 0\r\n"
    and unique["http.set_cookie"] == as_ek["http_http_set_cookie"] == both
    and len(unique["http.response.line"]) == len(as_ek["http_http_response_line"]) == 3
)
sys.exit(0 if holds else "CHANGED")
PY
timeout 50 python3 "$tmp/keys.py" "$tmp"
echo 'PASS: -T json repeats the names of members'
