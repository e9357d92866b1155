#!/usr/bin/env bash
# Software:  Linux 6.18, Multipath TCP, one path.
# Behaviour: the kernel sends data a second time on the only path, under new TCP sequence numbers, although TCP has
#            acknowledged the first copy: the acknowledgement at the level of Multipath TCP was late.
# One would guess otherwise: with one path there is nowhere else to send data to, TCP repairs losses by itself, and
#            there are none on a veth pair.
# Seen:      4 of 101 connections on a busy machine with two CPUs. A mapping repeats data sequence numbers, and the TCP
#            payload contains the same bytes twice.
# Date:      2026-11-30
# So, for a passive observer: the payload of a connection with Multipath TCP is the stream only while the difference
#            between data sequence numbers and TCP's stays what it was at the beginning, even with a single path.
# Needs root. It puts the machine under load for 20 s; whether it happens is a matter of scheduling.
set -euo pipefail

[[ -e /proc/sys/net/mptcp/enabled ]] || { echo "SKIPPED: this kernel has no Multipath TCP"; exit 0; }
tmp=$(mktemp -d)
near=mptcp-near-$$ far=mptcp-far-$$
cleanup() {
    kill $(jobs -p) 2>/dev/null || true
    ip netns del "$near" 2>/dev/null || true
    ip netns del "$far" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
for name in "$near" "$far"; do ip netns add "$name"; ip -n "$name" link set lo up; done
ip link add c1 netns "$near" type veth peer name s1 netns "$far"
ip -n "$near" addr add 10.76.1.1/24 dev c1; ip -n "$near" link set c1 up
ip -n "$far" addr add 10.76.1.2/24 dev s1; ip -n "$far" link set s1 up

cat >"$tmp/watch.py" <<'PY'
import socket, struct
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
packets.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
differences = {}
while True:
    packet = packets.recv(1 << 17)
    if packet[0] != 0x45 or packet[9] != 6:
        continue
    ports, tcp = packet[20:24], packet[20:]
    options = tcp[20:(tcp[12] >> 4) * 4]
    if tcp[13] & 2:
        differences.pop(ports, None)
    while options and options[0] != 0:
        if options[0] == 1:
            options = options[1:]
            continue
        option, options = options[:options[1]], options[options[1]:]
        if option[0] != 30 or option[2] >> 4 != 2 or not option[3] & 4:
            continue
        # RFC 8684 section 3.3: an acknowledgement, then the mapping, each number of 4 or 8 bytes.
        at = 4 + (8 if option[3] & 2 else 4) * (option[3] & 1) + (4 if option[3] & 8 else 0)
        data, own, length = struct.unpack('>IIH', option[at:at + 10])
        if length == 0 or own == 0:
            continue
        difference = (data - own) & 0xffffffff
        before = differences.setdefault(ports, difference)
        if before != difference:
            print('the difference changed by', (difference - before + (1 << 31)) % (1 << 32) - (1 << 31), flush=True)
            differences[ports] = difference
PY
cat >"$tmp/server.py" <<'PY'
import socket, threading
def serve(peer):
    while peer.recv(100):
        peer.sendall(b'x' * 100000)
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)  # IPPROTO_MPTCP
server.bind(('0.0.0.0', 8080))
server.listen(50)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
PY
cat >"$tmp/client.py" <<'PY'
import socket, time
end = time.time() + 20
while time.time() < end:
    peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    peer.connect(('10.76.1.2', 8080))
    for _ in range(5):
        peer.sendall(b'more')
        left = 100000
        while left:
            left -= len(peer.recv(1 << 20))
        time.sleep(0.02)
    peer.close()
PY
nsenter --net="/run/netns/$far" python3 "$tmp/watch.py" >"$tmp/seen" &
nsenter --net="/run/netns/$far" python3 "$tmp/server.py" &
for _ in $(seq "$(nproc)"); do timeout 22 sh -c 'while :; do :; done' & done
sleep 1
nsenter --net="/run/netns/$near" python3 "$tmp/client.py"
sleep 0.5
sort "$tmp/seen" | uniq -c
[[ -s $tmp/seen ]] || { echo "not seen in this run"; exit 1; }
