#!/usr/bin/env bash
# Software:  nginx 1.22.1 (Debian 12), HTTP/2 in clear text; read with hyperframe 6.1.0 and hpack 4.2.0 from PyPI.
# Behaviour: each answer inserts header fields into the HPACK dynamic table (literals with incremental indexing), and
#            no answer ever refers to the dynamic table, also not the twentieth equal answer on one connection.
# One would guess otherwise: RFC 7541 has two other literal forms for fields that shall not be kept. An encoder that
#            takes the indexing form and pays for it with table space is expected to use the entries.
# Seen:      20 answers, 160 fields, 100 insertions, 0 references; the last answer is read in full by a decoder
#            without history.
# Date:      2026-11-29
# So, for a passive observer: one who joins late has lost the table, and "the sender inserts" looks like a reason to
#            give up on the connection. It is none: a reader without any history decodes every answer of this server.
#            Judge each reference by whether its insertion was seen, and do not judge the connection by its
#            insertions.
set -euo pipefail

tmp=$(mktemp -d)
nginx_pid=
cleanup() {
    [[ -z $nginx_pid ]] || { kill "$nginx_pid" && wait "$nginx_pid"; } 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT

if ! command -v nginx >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nginx >/dev/null
fi
nginx -v 2>&1 | grep -F 'nginx/1.22.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet hyperframe==6.1.0 hpack==4.2.0

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$tmp/www"
chmod 755 "$tmp"
echo '{"stock": 3}' >"$tmp/www/item.json"
cat >"$tmp/nginx.conf" <<CONF
daemon off;
master_process off;
pid $tmp/nginx.pid;
error_log $tmp/error.log;
events {}
http {
    access_log off;
    types { application/json json; }
    client_body_temp_path $tmp/body;
    proxy_temp_path $tmp/proxy;
    fastcgi_temp_path $tmp/fastcgi;
    uwsgi_temp_path $tmp/uwsgi;
    scgi_temp_path $tmp/scgi;
    server { listen 127.0.0.1:$port http2; root $tmp/www; }
}
CONF
nginx -c "$tmp/nginx.conf" 2>"$tmp/stderr" &
nginx_pid=$!

cat >"$tmp/read.py" <<'PY'
import socket
import sys
import time

import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame

REQUESTS = 20
STATIC = 61


def number(block, at, bits):
    """An HPACK integer with a prefix of so many bits: its value, and where it ends."""
    limit = (1 << bits) - 1
    value = block[at] & limit
    at += 1
    if value < limit:
        return value, at
    shift = 0
    while True:
        octet = block[at]
        at += 1
        value += (octet & 127) << shift
        shift += 7
        if octet < 128:
            return value, at


def after_string(block, at):
    length, at = number(block, at, 7)
    return at + length


def census(block):
    """How many fields of a block insert, and how many refer to an entry behind the static table."""
    at = inserts = refers = fields = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = number(block, at, 7)
        elif first & 0xE0 == 0x20:
            _, at = number(block, at, 5)
            continue
        else:
            inserts += bool(first & 0x40)
            index, at = number(block, at, 6 if first & 0x40 else 4)
            if index == 0:
                at = after_string(block, at)
            at = after_string(block, at)
        fields += 1
        refers += index > STATIC
    return fields, inserts, refers


port = int(sys.argv[1])
for _ in range(100):
    try:
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
else:
    sys.exit("nginx did not start")
incoming = sock.makefile("rb")
encoder = hpack.Encoder()
sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize())

blocks = []
for turn in range(REQUESTS):
    stream = 2 * turn + 1
    head = [(":method", "GET"), (":scheme", "http"), (":authority", "shop.test"), (":path", "/item.json")]
    request = HeadersFrame(stream, encoder.encode(head), flags=["END_HEADERS", "END_STREAM"])
    sock.sendall(request.serialize())
    done = False
    while not done:
        frame, length = Frame.parse_frame_header(memoryview(incoming.read(9)))
        frame.parse_body(memoryview(incoming.read(length)))
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            sock.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
        if isinstance(frame, HeadersFrame):
            blocks.append(bytes(frame.data))
        done = isinstance(frame, (DataFrame, HeadersFrame)) and "END_STREAM" in frame.flags

counts = [census(block) for block in blocks]
fields, inserts, refers = (sum(column) for column in zip(*counts))
fresh = hpack.Decoder().decode(blocks[-1])
print(f"{len(blocks)} answers, {fields} fields: {inserts} insertions, {refers} references to the dynamic table")
print(f"first answer  {counts[0]} (fields, insertions, references)")
print(f"last answer   {counts[-1]}")
print(f"last answer, read without any history: {[name for name, _ in fresh]}")
holds = len(blocks) == REQUESTS and all(i > 0 and r == 0 for _, i, r in counts) and len(fresh) == counts[-1][0]
sys.exit("CHANGED" if not holds else 0)
PY
"$tmp/venv/bin/python" "$tmp/read.py" "$port"
