#!/usr/bin/env bash
# Software:  Linux 6.18, macvlan in bridge mode, as the CNI plugin `macvlan` makes it; iproute2 6.1.0. Needs root for
#            namespaces of its own and packet sockets.
# Behaviour: two pods of one node talk to each other. Their packets pass the parent device: both directions as received
#            packets, none as a sent one, though nothing has come in from the wire, whose other end sees nothing.
# One would guess otherwise: either macvlan bridges below the parent, which then sees nothing, as is often written, or
#            the parent sees a packet leave and come back. And what a device receives comes from outside.
# Seen:      parent: request and answer, both as received packets. Other end of the parent's wire: neither.
# Source:    Linux drivers/net/macvlan.c, macvlan_queue_xmit(): a local receiver in bridge mode gets its packet by
#            dev_forward_skb() to the lower device.
# Date:      2026-11-30
# So, for a passive observer on the parent: "requests arrive on ingress, answers leave on egress" takes the
#            answers of such exchanges for requests. And the counters of the network card have packets that no switch
#            has seen. Tell direction by addresses, not by the hook.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/macvlan.py" <<'PY'
import subprocess
import sys
import time

from wire import Wire

SERVER = """
import socket
with socket.create_server(("10.9.9.2", 8080)) as server:
    print("ready", flush=True)
    sock, _ = server.accept()
    sock.recv(100)
    sock.sendall(b"answer")
    sock.recv(1)
"""
CLIENT = """
import socket
with socket.create_connection(("10.9.9.2", 8080), 5) as client:
    client.sendall(b"request")
    assert client.recv(100) == b"answer"
"""
wires = {"parent": Wire("e0"), "other end": Wire("e1")}
client, server = (["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c"] for pid in sys.argv[1:3])
with subprocess.Popen([*server, SERVER], stdout=subprocess.PIPE) as process:
    process.stdout.readline()
    subprocess.run([*client, CLIENT], check=True)
time.sleep(0.2)
seen = {}
for name, wire in wires.items():
    payloads = [("sent" if one.sent else "received", one.payload.decode()) for one in wire.segments() if one.payload]
    print(f"{name:9}", payloads or "nothing")
    seen[name] = payloads
expected = {"parent": [("received", "request"), ("received", "answer")], "other end": []}
sys.exit(0 if seen == expected else "CHANGED")
PY
unshare --net bash -euc '
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip link add e0 type veth peer name e1
    ip link set e0 up
    ip link set e1 up
    pods=()
    trap "kill \${pods[*]}" EXIT
    for number in 1 2; do
        unshare --net sleep 60 &
        pods+=($!)
        until [[ $(readlink "/proc/$!/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.05; done
        ip link add "m$number" link e0 type macvlan mode bridge
        ip link set "m$number" netns $!
        nsenter "--net=/proc/$!/ns/net" ip link set "m$number" up
        nsenter "--net=/proc/$!/ns/net" ip addr add "10.9.9.$number/24" dev "m$number"
    done
    timeout 30 python3 "$1" "${pods[@]}"
' bash "$tmp/macvlan.py"
echo 'PASS: the parent receives both directions'
