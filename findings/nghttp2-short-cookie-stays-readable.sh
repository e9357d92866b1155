#!/usr/bin/env bash
# Software:  Node 20 http2 (nghttp2 inside) and nghttp 1.52.0 (Debian 12) as HTTP/2 clients; Python hpack 4.2.0 as
#            reader.
# Behaviour: nghttp2 sends a cookie of up to 19 bytes in full with every request ("never indexed"), and one of 20 bytes
#            or more once; after that it is one byte, an index into the dynamic table.
# One would guess otherwise: whether a field is kept in the table depends on its name or on the application's wish; and
#            a rule for credentials would rather protect the long session token.
# Seen:      six equal requests on one connection. 19 bytes: six literals, never indexed. 20 bytes: one literal, then
#            an index. A reader that joins after the first request has 5 of 5 cookies of 19 bytes, and 0 of 5 of 20
#            bytes. The same from nghttp.
# Source:    RFC 7541, section 7.1.3 advises it for short values, which could be guessed; the bound of 20 is nghttp2's
#            own (lib/nghttp2_hd.c). Node, curl and Apache's mod_http2 use nghttp2.
# Date:      2026-11-30
# So, for a passive observer: after a late join or a lost segment, which users' requests can still be replayed with
#            their session depends on the length of a cookie. The sample that remains is not random, and a replay
#            without the unreadable field is another request: skip it, and count it as such.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
command -v node >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nodejs >/dev/null
command -v nghttp >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nghttp2-client >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet hyperframe==6.1.0 hpack==4.2.0

cat >"$tmp/client.js" <<'JS'
const http2 = require('http2');
const [origin, cookie, count] = process.argv.slice(2);
const session = http2.connect(origin);
const next = (left) => {
  if (!left) return session.close();
  const request = session.request({ ':path': '/item', cookie });
  request.on('close', () => next(left - 1)).resume().end();
};
next(Number(count));
JS

cat >"$tmp/read.py" <<'PY'
import socket
import subprocess
import sys

import hpack
from hyperframe.frame import Frame, HeadersFrame, SettingsFrame

REQUESTS = 6


def blocks_of(command):
    """The header blocks of the requests that a client sends; each is answered with 204."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = subprocess.Popen([part.replace("ORIGIN", origin) for part in command], stdout=subprocess.DEVNULL)
        sock, _ = listener.accept()
        sock.settimeout(20)
        incoming, encoder, blocks = sock.makefile("rb"), hpack.Encoder(), []
        assert incoming.read(24).startswith(b"PRI")
        sock.sendall(SettingsFrame(0).serialize())
        while len(blocks) < REQUESTS:
            frame, length = Frame.parse_frame_header(memoryview(incoming.read(9)))
            frame.parse_body(memoryview(incoming.read(length)))
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                sock.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
            if isinstance(frame, HeadersFrame):
                blocks.append(bytes(frame.data))
                head = encoder.encode([(":status", "204")])
                answer = HeadersFrame(frame.stream_id, head, flags=["END_HEADERS", "END_STREAM"])
                sock.sendall(answer.serialize())
        client.terminate()
        client.wait()
        sock.close()
    return blocks


class Late(hpack.Decoder):
    """A decoder without history: an unknown entry is a field that cannot be read."""

    def __init__(self):
        super().__init__()
        table = self.header_table
        known = table.get_by_index
        table.get_by_index = lambda at: known(at) if at <= 61 + len(table.dynamic_entries) else (b"?", b"?")


def cookies(decoder, blocks):
    """In how many blocks the cookie can be read, and in how many it is marked as never indexed."""
    fields = [field for block in blocks for field in decoder.decode(block, raw=True) if field[0] == b"cookie"]
    return len(fields), sum(not field.indexable for field in fields)


results = {}
for name, command in (
    ("Node", ["node", sys.argv[1], "ORIGIN", "COOKIE", str(REQUESTS)]),
    ("nghttp", ["nghttp", "-n", "-H", "cookie: COOKIE", *[f"ORIGIN/{number}" for number in range(REQUESTS)]]),
):
    for length in (19, 20):
        cookie = "sid=" + "0123456789abcdef"[: length - 4]
        blocks = blocks_of([part.replace("COOKIE", cookie) for part in command])
        whole, late = cookies(hpack.Decoder(), blocks), cookies(Late(), blocks[1:])
        results[name, length] = (*whole, late[0])
        sizes = [len(block) for block in blocks]
        print(f"{name}, cookie of {length} bytes: blocks of {sizes} bytes, never indexed in {whole[1]} of {whole[0]}")
        print(f"    read by one who joins after the first request: {late[0]} of {REQUESTS - 1}")
expected = {19: (REQUESTS, REQUESTS, REQUESTS - 1), 20: (REQUESTS, 0, 0)}
sys.exit(0 if all(result == expected[length] for (_, length), result in results.items()) else "CHANGED")
PY
timeout -s INT -k 10 90 "$tmp/venv/bin/python" "$tmp/read.py" "$tmp/client.js"
echo 'PASS: 19 bytes can be read in each request, 20 bytes in the first one only'
