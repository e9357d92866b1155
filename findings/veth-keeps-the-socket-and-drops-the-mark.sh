#!/usr/bin/env bash
# Software:  Linux 6.18, SCHED_CLS programs on TCX (6.6 and later), sockets with SO_MARK on lo and on a veth pair
#            between two network namespaces. Needs root for namespaces of its own.
# Behaviour: a packet that the receiving side sees on ingress has the sender's mark and no socket on lo, and the
#            sender's socket and no mark on a veth. The socket's cookie is that of the other network namespace.
# One would guess otherwise: the mark belongs to the sending host's routing and ends with the device, a socket is not
#            visible from another namespace, and both devices hand a packet over in memory and should agree.
# Seen:      lo: egress mark 7, cookie of the client; ingress mark 7, cookie 0. veth: at the pod mark 9, cookie of its
#            socket; at the host's ingress mark 0, the same cookie.
# Source:    Linux loopback_xmit() calls skb_orphan(); skb_scrub_packet() clears the mark between namespaces, and has
#            kept the socket since commit 9c4c325252c5 ("preserve sock reference when scrubbing the skb").
# Date:      2026-11-30
# So, for a passive observer: "my own replays have a mark, so I do not mirror them" holds on lo and on the sender's
#            side, and fails at the host's end of a pod's veth, where the mark is 0: mark the request itself, too. And
#            a cookie on ingress names a socket that no lookup in this namespace finds.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
. "$(dirname "$0")/lib/pod.sh"
cat >"$tmp/mark.py" <<'PY'
import os
import socket
import struct
import subprocess
import sys
import time

from bpf import HASH, TCX_EGRESS, TCX_INGRESS, attach_tcx, create_map, insert, instruction, keys, leave, load

MARK, COOKIE = 36, 57  # SO_MARK, SO_COOKIE
PEER = """
import socket, sys
sys.path.insert(0, sys.argv[2])
from mark import cookie_of, observe, shown
from bpf import TCX_EGRESS
seen = observe("v1", TCX_EGRESS)
with socket.create_server(("10.9.9.2", 8080)) as server:
    print("ready", flush=True)
    sock, _ = server.accept()
    sock.setsockopt(socket.SOL_SOCKET, 36, 9)
    sock.recv(100)
    sock.sendall(b"answer")
    sock.recv(1)
    cookie = cookie_of(sock)
    print(cookie, *map(int, shown(seen, 9, cookie)), flush=True)
"""


def observe(device, hook):
    """The map with (mark, cookie of the socket) of the packets with payload at a hook, and the link."""
    seen = create_map(HASH, 16, 8, 64)
    program = load(
        instruction(0xBF, 6, 1),
        instruction(0x61, 7, 6, 0),  # skb->len
        instruction(0x35, 7, 0, 2, 67),  # a segment with payload has 67 bytes or more
        leave(),
        instruction(0x61, 7, 6, 8),  # skb->mark
        instruction(0x63, 10, 7, -24),
        instruction(0x62, 10, 0, -20, 0),
        instruction(0xBF, 1, 6),
        instruction(0x85, 0, 0, 0, 46),  # bpf_get_socket_cookie
        instruction(0x7B, 10, 0, -16),
        insert(seen, -24),
        leave(),
    )
    return seen, attach_tcx(program, device, hook)


def shown(seen, mark, cookie):
    """Whether a packet with the mark, and one with the cookie, was seen."""
    pairs = [struct.unpack("IIQ", key) for key in keys(seen[0], 16)]
    return any(one == mark for one, _, _ in pairs), any(other == cookie for _, _, other in pairs)


def cookie_of(sock):
    return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, COOKIE, 8))[0]


def main():
    inside = f"nsenter --net=/proc/{sys.argv[1]}/ns/net "
    results = {}
    out, inward = observe("lo", TCX_EGRESS), observe("lo", TCX_INGRESS)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, MARK, 7)
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        client.sendall(b"request")
        accepted.recv(100)
        time.sleep(0.1)
        results["lo, egress"] = shown(out, 7, cookie_of(client))
        results["lo, ingress"] = shown(inward, 7, cookie_of(client))
    host = observe("v0", TCX_INGRESS)
    command = [*inside.split(), sys.executable, "-c", PEER, sys.argv[1], os.path.dirname(os.path.abspath(__file__))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pod:
        pod.stdout.readline()
        with socket.create_connection(("10.9.9.2", 8080), timeout=5) as client:
            client.sendall(b"request")
            client.recv(100)
            time.sleep(0.1)
        cookie, *in_pod = map(int, pod.stdout.readline().split())
    results["veth, egress in the pod"] = tuple(map(bool, in_pod))
    results["veth, ingress at the host"] = shown(host, 9, cookie)
    for name, (mark, cookie) in results.items():
        print(f"{name:26} mark {mark}, socket {cookie}")
    expected = {
        "lo, egress": (True, True),
        "lo, ingress": (True, False),
        "veth, egress in the pod": (True, True),
        "veth, ingress at the host": (False, True),
    }
    sys.exit(0 if results == expected else "CHANGED")


if __name__ == "__main__":
    main()
PY
with_pod "$tmp/mark.py"
echo 'PASS: lo keeps the mark, a veth keeps the socket'
