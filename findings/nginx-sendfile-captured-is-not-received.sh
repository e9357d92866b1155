#!/usr/bin/env bash
# Software:  nginx 1.22.1 (Debian 12) with `sendfile on`, as Debian's nginx.conf has it; Linux 6.18, loopback. Needs
#            root for the packet socket and for a network namespace of its own.
# Behaviour: a segment that was sent, captured and acknowledged still refers to the file's page in the page cache. If
#            the file is overwritten in place before the client reads, the client's read() returns the new bytes: the
#            answer that the observer copied and the answer that the client got differ, without a retransmission.
# One would guess otherwise: acknowledged bytes are in the receiver's memory and cannot change any more, a checksum
#            protects them, and a capture on the wire shows what arrives.
# Seen:      captured {"stock": 111}, acknowledged by the client's kernel; the file overwritten in place; then read by
#            the client {"stock": 222}. With `sendfile off` (nginx copies into its own buffer): captured and read 111.
# Source:    sendfile(2): the sent portions must remain unmodified "until the reader on the other end of out_fd has
#            consumed the transferred data". Tried between two network namespaces too: a veth pair hands the same page
#            over.
# Date:      2026-11-30
# So, for a tool that compares captured answers: on lo and veth a static file that is rewritten in place (not by
#            rename) can differ from what the client got, and TCP shows no sign of it. The difference is neither loss
#            nor a fault of the reassembly. Copy the bytes in the hook: who keeps a reference to the packet reads the
#            new ones.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
command -v nginx >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y nginx >/dev/null
nginx -v 2>&1 | grep -F 'nginx/1.22.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }
grep -qE '^\s*sendfile on;' /etc/nginx/nginx.conf && echo "Debian's nginx.conf: sendfile on"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"

cat >"$tmp/read.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

tmp = sys.argv[1]
PORT = 8080
OLD, NEW = b'{"stock": 111}\n', b'{"stock": 222}\n'
CONF = """
daemon off; master_process off; pid {tmp}/nginx.pid; error_log {tmp}/error.log;
events {{}}
http {{
    access_log off; sendfile {sendfile};
    client_body_temp_path {tmp}/b; proxy_temp_path {tmp}/p; fastcgi_temp_path {tmp}/f;
    uwsgi_temp_path {tmp}/u; scgi_temp_path {tmp}/s;
    server {{ listen 127.0.0.1:{port}; root {tmp}/www; }}
}}
"""


def connect():
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", PORT), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("nginx did not start")


def run(sendfile):
    """The body as an observer copied it, and as the client read it."""
    with open(f"{tmp}/www/item.json", "wb") as file:
        file.write(OLD)
    with open(f"{tmp}/nginx.conf", "w", encoding="ascii") as file:
        file.write(CONF.format(tmp=tmp, sendfile=sendfile, port=PORT))
    nginx = subprocess.Popen(["nginx", "-c", f"{tmp}/nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        client = connect()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
            observer.bind(("lo", 0))
            observer.settimeout(5)
            client.sendall(b"GET /item.json HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
            copied, acknowledged = b"", False
            while not (OLD in copied and acknowledged):
                packet, address = observer.recvfrom(70000)
                tcp = packet[14 + 20 :]
                data = tcp[(tcp[12] >> 4) * 4 :]
                if address[2] == socket.PACKET_OUTGOING:
                    continue
                if int.from_bytes(tcp[:2], "big") == PORT:
                    copied += data
                elif OLD in copied:
                    acknowledged = True
        with open(f"{tmp}/www/item.json", "r+b") as file:
            file.write(NEW)
        answer = b""
        while piece := client.recv(4096):
            answer += piece
        return copied[-len(OLD) :], answer[-len(NEW) :]
    finally:
        nginx.terminate()
        nginx.wait()


os.mkdir(f"{tmp}/www")
results = {}
for mode in ("on", "off"):
    results[mode] = run(mode)
    captured, read = (body.decode().strip() for body in results[mode])
    print(f"sendfile {mode:3}: captured {captured}, read by the client {read}")
sys.exit(0 if results == {"on": (OLD, NEW), "off": (OLD, OLD)} else "CHANGED")
PY
timeout -s INT -k 10 60 unshare --net bash -euc 'ip link set lo up; exec python3 "$1/read.py" "$1"' bash "$tmp"
echo 'PASS: the client read other bytes than were captured and acknowledged'
