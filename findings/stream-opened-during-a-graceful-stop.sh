#!/usr/bin/env bash
# Software:  HAProxy 2.6.12, nginx 1.22.1, Apache httpd 2.4.71, Caddy 2.6.2 (Debian 12), Node 20 http2 and Hypercorn
#            0.18.0 (PyPI), each with HTTP/2 without TLS and told to stop gracefully. Python hpack 4.2.0 as the client.
# Behaviour: a slow request is in progress when the server is told to stop, and the client opens a stream 0.4 s later.
#            Six servers, six ways: HAProxy answers both. nginx and Node answer the first and ignore the second: no
#            frame for it, ever (Node repeats its GOAWAY). Hypercorn resets the second with NO_ERROR and then sends a
#            GOAWAY that counts it as processed. Apache ends the connection because of the second, and the first is
#            lost: its last GOAWAY has the error code 0xfffffc7a. Caddy closes at once, without GOAWAY, despite a grace
#            period of 5 s.
# One would guess otherwise: GOAWAY exists for this, it says which streams the server will still answer, what comes
#            later is refused (REFUSED_STREAM) or ignored, and "graceful" is for the requests in progress.
# Seen:      GOAWAY (last stream, code): HAProxy (2147483647, 0); nginx (1, 0); Node (1, 0) twice; Hypercorn (3, 0) at
#            the end; Apache (2147483647, 0), then (1, 0xfffffc7a); Caddy none. Answers: 1 and 3; 1; 1; 1; none; none.
# Source:    RFC 9113, section 6.8, and section 7 for the error codes, which end at 0xd; -902 is nghttp2's
#            NGHTTP2_ERR_CALLBACK_FAILURE. github.com/caddyserver/caddy/issues/4907 (open): h2c connections are not
#            part of a graceful stop.
# Date:      2026-11-30
# So, for a passive observer: a stream without any answer at the end of a connection is usual during a restart, and is
#            not a loss of the capture: whether the server took it is told by the last GOAWAY, not by the first, and
#            not at all by some servers. An unknown error code is no sign of a broken decoder. Do not count these as
#            failures of production, and do not expect the shadow to fail in the same way.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for pair in haproxy:haproxy nginx:nginx apache2:apache2-bin caddy:caddy node:nodejs; do
    command -v "${pair%:*}" >/dev/null || [[ -x /usr/sbin/${pair%:*} ]] ||
        apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
{
    /usr/sbin/haproxy -v | grep -F 'version 2.6.12'
    /usr/sbin/apache2 -v | grep -F 'Apache/2.4.71'
    echo "Caddy $(/usr/bin/caddy version)" | grep -F 'Caddy 2.6.2'
    /usr/sbin/nginx -v 2>&1 | grep -F 'nginx/1.22.1'
} || { echo 'this finding is about HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2 and nginx 1.22.1'; exit 2; }
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet hypercorn==0.18.0 hpack==4.2.0
cat >"$tmp/slow.js" <<'JS'
const server = require('http2').createServer((request, response) => {
  setTimeout(() => response.end('ok'), request.url === '/slow' ? 1500 : 0);
});
const sessions = new Set();
server.on('session', (session) => sessions.add(session));
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => {
  server.close();
  for (const session of sessions) session.close();
});
JS
cat >"$tmp/slow.py" <<'PY'
import asyncio


async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
    await asyncio.sleep(1.5 if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
PY
cat >"$tmp/stop.py" <<'PY'
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from hpack import Encoder

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, IS_ACK = 1, 4, 1
tmp = sys.argv[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def upstream(sock):
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
            if data.endswith(b"\r\n\r\n"):
                time.sleep(1.5 if b"/slow" in data else 0)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                data = b""
    except OSError:
        pass


def accept(listener):
    while True:
        threading.Thread(target=upstream, args=(listener.accept()[0],), daemon=True).start()


def write(name, text):
    with open(f"{tmp}/{name}", "w", encoding="ascii") as file:
        file.write(text)
    return f"{tmp}/{name}"


def commands(port, server):
    """For each server the command and the signal for a graceful stop."""
    haproxy = write(
        "haproxy.cfg",
        "global\n hard-stop-after 10s\ndefaults\n mode http\n timeout connect 5s\n timeout client 20s\n"
        f" timeout server 20s\nlisten shop\n bind 127.0.0.1:{port} proto h2\n server s 127.0.0.1:{server}\n",
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp}/{kind};" for kind in kinds)
    nginx = write(
        "nginx.conf",
        f"daemon off; user root; pid {tmp}/nginx.pid; error_log {tmp}/nginx.errors; events {{}}\n"
        f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port} http2;\n"
        f"location / {{ proxy_pass http://127.0.0.1:{server}; }} }} }}\n",
    )
    names = "mpm_event", "authz_core", "http2", "proxy", "proxy_http"
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in names)
    apache = write(
        "apache.conf",
        f"{modules}User nobody\nGroup nogroup\nServerName shop.test\nListen 127.0.0.1:{port}\n"
        f"PidFile {tmp}/apache.pid\nDefaultRuntimeDir {tmp}\nErrorLog {tmp}/apache.errors\nProtocols h2c http/1.1\n"
        f"ProxyPass / http://127.0.0.1:{server}/\n",
    )
    caddy = write(
        "Caddyfile",
        "{\n admin off\n auto_https off\n grace_period 5s\n servers {\n  protocols h1 h2c\n }\n}\n"
        f":{port} {{\n reverse_proxy 127.0.0.1:{server}\n}}\n",
    )
    hypercorn = [f"{tmp}/venv/bin/hypercorn", "-b", f"127.0.0.1:{port}", "--graceful-timeout", "5", "slow:app"]
    return {
        "HAProxy": (["/usr/sbin/haproxy", "-db", "-f", haproxy], signal.SIGUSR1),
        "nginx": (["/usr/sbin/nginx", "-c", nginx], signal.SIGQUIT),
        "Node": (["node", f"{tmp}/slow.js", str(port)], signal.SIGTERM),
        "Hypercorn": (hypercorn, signal.SIGTERM),
        "Apache": (["/usr/sbin/apache2", "-DFOREGROUND", "-f", apache], signal.SIGWINCH),
        "Caddy": (["/usr/bin/caddy", "run", "--config", caddy, "--adapter", "caddyfile"], signal.SIGTERM),
    }


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def exchange(sock, stop):
    """The slow request, the stop, the second request: streams that were answered or reset, and the GOAWAYs."""
    encoder = Encoder()

    def request(stream, path):
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", "shop.test"), (":path", path)]
        return frame(HEADERS, END_STREAM | END_HEADERS, stream, encoder.encode(fields))

    answered, reset, goaways, data = [], [], [], b""
    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) + request(1, "/slow"))
    steps = [(0.4, stop), (0.8, lambda: sock.sendall(request(3, "/fast")))]
    begin = time.monotonic()
    sock.settimeout(0.05)
    while time.monotonic() < begin + 3.5:
        try:
            if steps and time.monotonic() > begin + steps[0][0]:
                steps.pop(0)[1]()
            if not (piece := sock.recv(65536)):
                break
        except TimeoutError:
            continue
        except OSError:
            break
        data += piece
        while len(data) >= 9 and len(data) >= 9 + (size := int.from_bytes(data[:3], "big")):
            kind, flags, stream = data[3], data[4], int.from_bytes(data[5:9], "big")
            payload, data = data[9 : 9 + size], data[9 + size :]
            if kind in (SETTINGS, PING) and not flags & IS_ACK:
                sock.sendall(frame(kind, IS_ACK, 0, payload if kind == PING else b""))
            if kind == DATA and flags & END_STREAM:
                answered.append(stream)
            if kind == RST_STREAM:
                reset.append((stream, int.from_bytes(payload, "big")))
            if kind == GOAWAY:
                goaways.append((int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big")))
    return sorted(answered), reset, goaways


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
environment = os.environ | {"HOME": tmp, "XDG_CONFIG_HOME": tmp, "XDG_DATA_HOME": tmp}
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
results = {}
for name in ("HAProxy", "nginx", "Node", "Hypercorn", "Apache", "Caddy"):
    port = free_port()
    command, number = commands(port, listener.getsockname()[1])[name]
    with subprocess.Popen(command, cwd=tmp, env=environment, **quiet) as process:
        for _ in range(200):
            try:
                sock = socket.create_connection(("127.0.0.1", port), timeout=5)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        results[name] = exchange(sock, lambda: process.send_signal(number))
        sock.close()
        process.terminate()
    answered, reset, goaways = results[name]
    shown = ", ".join(f"({last}, {code:#x})" for last, code in goaways)
    print(f"{name:9} answered {answered}, reset {reset}, GOAWAY {shown or 'none'}")
LARGEST = 2**31 - 1
expected = {
    "HAProxy": ([1, 3], [], [(LARGEST, 0)]),
    "nginx": ([1], [], [(1, 0)]),
    "Node": ([1], [], [(1, 0), (1, 0)]),
    "Hypercorn": ([1], [(3, 0)], [(3, 0)]),
    "Apache": ([], [], [(LARGEST, 0), (1, 0xFFFFFC7A)]),
    "Caddy": ([], [], []),
}
sys.exit(0 if results == expected else f"CHANGED: expected {expected}")
PY
chmod -R a+rX "$tmp"
timeout -s INT -k 10 100 "$tmp/venv/bin/python" "$tmp/stop.py" "$tmp"
echo 'PASS: six servers, six ways to stop gracefully'
