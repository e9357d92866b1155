#!/usr/bin/env bash
# Software:  Apache httpd 2.4.71 (Debian 12), default AcceptFilter; Linux 6.18. Needs root for a packet socket and for
#            a network namespace of its own. Takes 35 seconds.
# Behaviour: a connection on which the client sends nothing yet (a browser's spare connection, a pool that was filled
#            early) is complete for the client, but not for the server: there it stays in SYN-RECV, and after about 31
#            seconds the server sends its SYN-ACK again, although the handshake's third segment arrived at once.
# One would guess otherwise: three segments make a connection at both ends, a SYN-ACK is repeated only where something
#            was lost, and loopback loses nothing.
# Seen:      SYN, SYN-ACK, ACK within milliseconds; client ESTAB, server SYN-RECV; the same SYN-ACK (same sequence
#            number) again after 31 seconds. The request that follows is answered on this connection. The same server
#            with "AcceptFilter http none": no second SYN-ACK.
# Source:    Apache's AcceptFilter (default `http data`) is TCP_DEFER_ACCEPT on Linux; tcp(7).
# Date:      2026-11-30
# So, for a passive observer: a SYN-ACK on a known connection is no new connection. Who resets the state of a stream at
#            a SYN-ACK, or counts it as a sign of loss, is wrong here. And connect time taken from the server's accept
#            is half a minute late, while that from the packets is right.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
[[ -x /usr/sbin/apache2 ]] || apt-get -o DPkg::Lock::Timeout=300 install -y apache2-bin >/dev/null
command -v ss >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 >/dev/null
/usr/sbin/apache2 -v | grep -F 'Apache/2.4.71' || { echo 'this finding is about Apache 2.4.71'; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/www"
echo '{"stock": 3}' >"$tmp/www/item.json"
chmod 755 "$tmp" "$tmp/www"
cat >"$tmp/httpd.conf" <<CONF
ServerRoot /usr/lib/apache2
ServerName shop.test
DefaultRuntimeDir $tmp
PidFile $tmp/pid
ErrorLog $tmp/error.log
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
User www-data
Group www-data
DocumentRoot $tmp/www
CONF

cat >"$tmp/idle.py" <<'PY'
import os
import socket
import subprocess
import sys
import time

tmp = sys.argv[1]
WAIT = 33
# In one process tree at the same time: Apache as it is, and Apache with the filter turned off.
servers = {8080: "", 8081: "AcceptFilter http none\n"}


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit("Apache did not start")


def start(port, extra):
    os.mkdir(f"{tmp}/{port}")
    with open(f"{tmp}/httpd.conf", encoding="ascii") as file:
        base = file.read().replace(f"PidFile {tmp}/pid", f"PidFile {tmp}/{port}/pid")
    base = base.replace(f"DefaultRuntimeDir {tmp}", f"DefaultRuntimeDir {tmp}/{port}")
    with open(f"{tmp}/{port}/httpd.conf", "w", encoding="ascii") as file:
        file.write(f"{base}Listen 127.0.0.1:{port}\n{extra}")
    return subprocess.Popen(["/usr/sbin/apache2", "-f", f"{tmp}/{port}/httpd.conf", "-DFOREGROUND"])


def state(port, own):
    """The server's end of the connection."""
    rows = subprocess.run("ss -Htan".split(), check=True, capture_output=True, text=True).stdout
    return [row.split()[0] for row in rows.splitlines() if f"127.0.0.1:{port} " in row and f":{own}" in row.split()[4]]


observer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
observer.bind(("lo", 0))
processes = [start(port, extra) for port, extra in servers.items()]
try:
    clients = {}
    for port in servers:
        connect(port).close()  # it listens
        clients[port] = connect(port)
    begin = time.monotonic()
    owns = {port: client.getsockname()[1] for port, client in clients.items()}
    time.sleep(1)
    states = {port: state(port, owns[port]) for port in servers}
    syn_acks = {port: [] for port in servers}
    observer.settimeout(0.5)
    # What was seen in the first second is read with the time of that second.
    while time.monotonic() - begin < WAIT:
        try:
            packet, address = observer.recvfrom(70000)
        except TimeoutError:
            continue
        tcp = packet[34:]
        port, own = int.from_bytes(tcp[:2], "big"), int.from_bytes(tcp[2:4], "big")
        if address[2] != socket.PACKET_OUTGOING and owns.get(port) == own and tcp[13] & 0x3F == 0x12:
            syn_acks[port].append((round(time.monotonic() - begin), tcp[4:8].hex()))
    answers = {}
    for port, client in clients.items():
        client.sendall(b"GET /item.json HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        answers[port] = client.recv(4096)[:15]
finally:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
for port, extra in servers.items():
    print(f"{extra.strip() or 'default'}: server's state {states[port]}, {answers[port]}")
    print(f"    SYN-ACKs (second, sequence number): {syn_acks[port]}")
deferred, plain = syn_acks[8080], syn_acks[8081]
holds = (
    states == {8080: ["SYN-RECV"], 8081: ["ESTAB"]}
    and len(plain) == 1
    and len(deferred) == 2
    and deferred[0][1] == deferred[1][1]
    and deferred[1][0] >= 25
    and set(answers.values()) == {b"HTTP/1.1 200 OK"}
)
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 90 unshare --net bash -euc 'ip link set lo up; exec python3 "$1/idle.py" "$1"' bash "$tmp"
echo 'PASS: the SYN-ACK came again half a minute after the handshake, and nothing was lost'
