#!/usr/bin/env bash
# Software:  Linux 6.18 with BIG TCP (IPv6 from 5.19, IPv4 from 6.3) on a veth pair. Needs root for two namespaces of
#            its own and a packet socket; iproute2 6.1.0.
# Behaviour: with a gso_max_size above 65536, packets of more than 64 KiB pass the hooks of an interface. Their IPv4
#            total length is 0. Their IPv6 payload length is 0, and the next header is not TCP but Hop-by-Hop with a
#            Jumbo Payload option that exists on no wire.
# One would guess otherwise: both are plain TCP to the sender and the receiver, a length of 0 is less than the header,
#            which makes a packet malformed (RFC 791), and IPv6 on Ethernet has no extension headers unless somebody
#            asked for them.
# Seen:      8,000,000 bytes each; most packets above 65,550 bytes: IPv4 bytes 2-3 00 00, protocol 06; IPv6 bytes 4-5
#            00 00, next header 00, option 06 00 c2 04. The receiver's application got all bytes. With the default
#            gso_max_size: no such packet.
# Source:    Linux commit b1a78b9b9886 (IPv4: "set IP header tot_len to 0"), lwn.net/Articles/895398 (IPv6). Cilium
#            turns it on with enable-ipv4-big-tcp and enable-ipv6-big-tcp.
# Date:      2026-11-30
# So, for a passive observer: "cut the payload at the IP header's length" throws away exactly the largest segments, and
#            "next header is 6" misses the IPv6 ones; a 16-bit payload length overflows. Take the length from the skb
#            or the frame where the IP header says 0, and walk the extension headers.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
command -v ip >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 >/dev/null
tmp=$(mktemp -d)
a=finda$$ b=findb$$
trap 'ip netns del "$a" 2>/dev/null || true; ip netns del "$b" 2>/dev/null || true; rm -rf "$tmp"' EXIT
ip netns add "$a"
ip netns add "$b"
ip link add e0 netns "$a" type veth peer name e0 netns "$b"
for side in "$a 1" "$b 2"; do
    read -r name number <<<"$side"
    ip -n "$name" link set e0 up
    ip -n "$name" addr add "10.9.9.$number/24" dev e0
    ip -n "$name" addr add "fd00::$number/64" dev e0 nodad
done

cat >"$tmp/limit.py" <<'PY'
"""Sets IFLA_GSO_IPV4_MAX_SIZE (63) and IFLA_GSO_MAX_SIZE (41), which iproute2 6.1 knows only in part."""
import socket
import struct

sizes = struct.pack("HHIHHI", 8, 63, 150_000, 8, 41, 150_000)
link = struct.pack("BxHiII", 0, 0, socket.if_nametoindex("e0"), 0, 0) + sizes
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
    netlink.send(struct.pack("IHHII", 16 + len(link), 16, 5, 1, 0) + link)
    assert struct.unpack("i", netlink.recv(4096)[16:20]) == (0,), "the kernel refused the size"
PY
cat >"$tmp/server.py" <<'PY'
import socket
import sys
import threading

SIZE = 8_000_000
with socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as observer:
        observer.bind(("e0", 0))
        observer.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        print("ready", flush=True)
        heads, received = [], 0

        def receive():
            global received
            sock, _ = server.accept()
            while piece := sock.recv(1 << 20):
                received += len(piece)

        reader = threading.Thread(target=receive, daemon=True)
        reader.start()
        reader.join(30)
        observer.settimeout(0.2)
        try:
            while True:
                packet = observer.recv(1 << 18)
                if len(packet) > 65_550:
                    heads.append((len(packet), packet[14:62]))
        except TimeoutError:
            pass
if heads:
    length, head = heads[-1]
    shown = head[:20] if head[0] >> 4 == 4 else head[:8] + head[40:48]
    print(f"    one of {length} bytes: {shown.hex(' ')}", file=sys.stderr)
zero4 = all(head[2:4] == b"\0\0" and head[9] == 6 for _, head in heads if head[0] >> 4 == 4)
zero6 = all(head[4:7] == b"\0\0\0" and head[40:44] == b"\x06\0\xc2\x04" for _, head in heads if head[0] >> 4 == 6)
print(len(heads), zero4 and zero6, received == SIZE)
PY

transfer() { # the address: prints "packets above 64 KiB, all with length 0, all bytes received"
    local fd answer
    exec {fd}< <(timeout 40 ip netns exec "$b" python3 "$tmp/server.py")
    read -r answer <&"$fd"
    timeout 20 ip netns exec "$a" python3 -c '
import socket, sys
with socket.create_connection((sys.argv[1], 8080), 10) as sock:
    sock.sendall(bytes(8_000_000))' "$1"
    read -r answer <&"$fd"
    exec {fd}<&-
    echo "$answer"
}

echo "Linux $(uname -r | cut -d- -f1)"
holds=1
for address in 10.9.9.2 fd00::2; do
    plain=$(transfer "$address")
    echo "$address, default: $plain"
    [[ $plain == "0 True True" ]] || holds=0
done
for name in "$a" "$b"; do ip netns exec "$name" python3 "$tmp/limit.py"; done
for address in 10.9.9.2 fd00::2; do
    big=$(transfer "$address")
    echo "$address, gso_max_size 150000: $big (packets above 64 KiB, all with length 0, all bytes received)"
    [[ ${big%% *} -gt 0 && ${big#* } == "True True" ]] || holds=0
done
(( holds )) || { echo CHANGED; exit 1; }
echo 'PASS: packets above 64 KiB have 0 as the length in their IP header'
