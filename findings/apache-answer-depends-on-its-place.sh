#!/usr/bin/env bash
# Software:  Apache httpd 2.4.71 (Debian 12) with mod_http2 and `Protocols h2c http/1.1`, one static file, HTTP/1.1.
# Behaviour: the answers to equal requests differ by their place in the connection. The first one has `Upgrade: h2c`
#            and `Connection: Upgrade`. To a client that sends `Connection: keep-alive`, each has a `Keep-Alive` field
#            whose `max` counts down from 100.
# One would guess otherwise: HTTP/1.1 is stateless, a static file is answered alike each time, and an offer of a
#            protocol is made always or never.
# Seen:      four equal GETs on a connection: Upgrade in the first alone. With `Connection: keep-alive`: also
#            "timeout=5, max=100", then 99, 98, 97. On a new connection the same again.
# Source:    mod_http2 announces the upgrade on the first request of a connection (h2_protocol_propose and H2Upgrade,
#            on for clear text); MaxKeepAliveRequests is 100.
# Date:      2026-11-30
# So, for a tool that compares answers: a replay on one connection and production on many differ in fields that no
#            application has set, and a system compared with itself "is noisy" by as much. Leave out all fields that
#            concern the connection (Connection, and what it names, Keep-Alive, Upgrade), not only Connection.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/sbin/apache2 ]] || apt-get -o DPkg::Lock::Timeout=300 install -y apache2-bin >/dev/null
/usr/sbin/apache2 -v | grep -F 'Apache/2.4.71' || { echo 'this finding is about Apache httpd 2.4.71'; exit 2; }
chmod 755 "$tmp"
cat >"$tmp/place.py" <<'PY'
import re
import socket
import subprocess
import sys
import time

tmp = sys.argv[1]
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
names = "mpm_event", "authz_core", "http2"
modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in names)
with open(f"{tmp}/apache.conf", "w", encoding="ascii") as file:
    file.write(
        f"{modules}ServerName shop.test\nListen 127.0.0.1:{port}\nPidFile {tmp}/pid\nDefaultRuntimeDir {tmp}\n"
        f"ErrorLog {tmp}/errors\nDocumentRoot {tmp}/files\nProtocols h2c http/1.1\nUser nobody\nGroup nogroup\n"
    )


def connect():
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("Apache does not start")


def exchange(extra):
    """Fields about the connection in each of four answers."""
    found = []
    with connect() as sock:
        for _ in range(4):
            sock.sendall(f"GET /item.txt HTTP/1.1\r\nHost: shop.test\r\n{extra}\r\n".encode())
            data = b""
            while not data.endswith(b"\r\n\r\ncontent"):
                data += sock.recv(65536)
            found.append([line.decode() for line in re.findall(rb"(?:Upgrade|Connection|Keep-Alive): [^\r]*", data)])
    return found


command = ["/usr/sbin/apache2", "-X", "-f", f"{tmp}/apache.conf"]
with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as apache:
    try:
        plain, again, keep = exchange(""), exchange(""), exchange("Connection: keep-alive\r\n")
    finally:
        apache.terminate()
for name, answers in (("plain", plain), ("keep-alive", keep)):
    for answer in answers:
        print(f"{name:10} {', '.join(answer)}")
maximum = [re.search("max=([0-9]+)", " ".join(answer))[1] for answer in keep]
holds = (
    plain == again == [["Upgrade: h2c", "Connection: Upgrade"], [], [], []]
    and maximum == ["100", "99", "98", "97"]
    and ["Upgrade: h2c" in answer for answer in keep] == [True, False, False, False]
)
sys.exit(0 if holds else "CHANGED")
PY
mkdir "$tmp/files"
printf content >"$tmp/files/item.txt"
timeout -s INT -k 10 40 python3 "$tmp/place.py" "$tmp"
echo 'PASS: an answer depends on its place in the connection'
