#!/usr/bin/env bash
# Software:  tshark 4.0.17 (Debian 12) reading a capture of Linux 6.18. Needs root for a packet socket and for a
#            network namespace of its own.
# Behaviour: the receiver does not read, its window is 0, and the sender has data that wait. Linux asks about the
#            window with a segment without payload, one number before the next. tshark calls it "TCP Keep-Alive", as it
#            calls that of an idle connection, and its own analysis of window probes (tcp.analysis.zero_window_probe)
#            finds none.
# One would guess otherwise: keep-alives are for idle connections and come after two hours, a window probe has one byte
#            of data (RFC 9293, section 3.8.6.1), and tshark knows both by name.
# Seen:      three probes within two seconds, 0.2, 0.4 and 0.8 s apart: keep_alive 3, zero_window_probe 0. An idle
#            connection with SO_KEEPALIVE of one second: keep_alive, too, with the same form.
# Source:    Linux tcp_xmit_probe_skb() sends both, with the number before snd_una and no data. Wireshark's
#            packet-tcp.c asks for one byte in a window probe.
# Date:      2026-11-30
# So, for a passive observer: a filter "drop keep-alives" also drops what tells of a reader that has stopped:
#            production's latency is then its client's fault. A probe is known by the last window of the other side
#            being 0, a keep-alive by nothing being in flight and a window above 0. And neither is a retransmission.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
export DEBIAN_FRONTEND=noninteractive
for tool in ip unshare; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 util-linux >/dev/null
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/bin/tshark ]] || apt-get -o DPkg::Lock::Timeout=300 install -y tshark >/dev/null
/usr/bin/tshark --version 2>/dev/null | grep -F 'TShark (Wireshark) 4.0.17' || { echo 'not tshark 4.0.17'; exit 2; }
cat >"$tmp/probes.py" <<'PY'
import socket
import struct
import subprocess
import sys
import time

path = f"{sys.argv[1]}/probes.pcap"
IDLE, INTERVAL = 4, 5  # TCP_KEEPIDLE, TCP_KEEPINTVL


def connected():
    """A client and the server's socket, which has a small buffer."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def capture(observer, seconds):
    """Packets with their times, each once."""
    end, packets = time.time() + seconds, []
    observer.settimeout(0.05)
    while time.time() < end:
        try:
            packet, address = observer.recvfrom(1 << 17)
        except TimeoutError:
            continue
        if address[2] != socket.PACKET_OUTGOING:
            packets.append((time.time(), packet))
    return packets


def analysed(packets):
    """Numbers of keep-alives and window probes by tshark, and of segments without payload one number back."""
    with open(path, "wb") as file:
        file.write(struct.pack("IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for when, packet in packets:
            size = len(packet)
            file.write(struct.pack("IIII", int(when), int(when % 1 * 1e6), size, size) + packet)
    counts = []
    for name in ("keep_alive", "zero_window_probe", "zero_window"):
        command = ["/usr/bin/tshark", "-r", path, "-Y", f"tcp.analysis.{name}", "-T", "fields", "-e", "tcp.len"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert name == "zero_window" or set(lines) <= {"0"}
        counts.append(len(lines))
    return counts


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
    observer.bind(("lo", 0))
    client, server = connected()
    client.setblocking(False)
    try:
        while True:
            client.send(bytes(1000))
    except BlockingIOError:
        pass
    full = analysed(capture(observer, 2.5))
    client.close(), server.close()
    capture(observer, 0.2)
    client, server = connected()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (IDLE, INTERVAL):
        client.setsockopt(socket.IPPROTO_TCP, option, 1)
    idle = analysed(capture(observer, 2.5))
for name, counts in (("window 0, data waiting", full), ("idle with SO_KEEPALIVE", idle)):
    print(f"{name}: keep_alive {counts[0]}, zero_window_probe {counts[1]}, zero_window {counts[2]}")
holds = full[0] >= 2 and full[1] == 0 and full[2] >= 2 and idle[0] >= 1 and idle[1:] == [0, 0]
sys.exit(0 if holds else "CHANGED")
PY
unshare --net bash -euc 'ip link set lo up; exec timeout 40 python3 "$1/probes.py" "$1"' bash "$tmp"
echo 'PASS: a window probe is called a keep-alive'
