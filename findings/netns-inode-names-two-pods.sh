#!/usr/bin/env bash
# Software:  Linux 6.18, network namespaces (a pod has one); iproute2 6.1.0.
# Behaviour: the inode number of a network namespace (`net:[4026532...]`) is given to the next namespace as soon as
#            the old one is gone, and the interface inside has the same ifindex again. The cookie (SO_NETNS_COOKIE)
#            differs each time.
# One would guess otherwise: lsns, /proc/PID/ns and container tools print that number as the name of the namespace, it
#            comes from a large range, and pids, sockets' cookies and host ifindexes count up before they come again.
# Seen:      eight namespaces one after the other: 1 inode, 1 ifindex inside, 8 cookies.
# Date:      2026-11-29
# So, for a passive observer: state that is kept by inode (open connections, counters, the pod's name) passes from a
#            dead pod to the one that starts next, often on the same address. Key by the cookie, asked by a socket
#            made inside (Linux 5.14), or by the pod's UID. A kept fd of the namespace would make the number unique,
#            but keeps the dead pod's devices alive.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
command -v ip >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 >/dev/null
name=finding-$$
trap 'ip netns del "$name" 2>/dev/null || true; ip link del "f$$" 2>/dev/null || true' EXIT

seen=
for _ in 1 2 3 4 5 6 7 8; do
    ip netns add "$name"
    ip link add "f$$" type veth peer name eth0 netns "$name"
    seen+=$(ip netns exec "$name" python3 -c '
import os, socket
cookie = socket.socket().getsockopt(socket.SOL_SOCKET, 71, 8)
print(os.stat("/proc/self/ns/net").st_ino, socket.if_nametoindex("eth0"), int.from_bytes(cookie, "little"))
')$'\n'
    ip netns del "$name"
    # The kernel takes namespaces down in the background; the veth goes with its namespace.
    for _ in {1..100}; do
        ip link show "f$$" >/dev/null 2>&1 || break
        sleep 0.05
    done
    sleep 0.2
done
echo 'eight namespaces one after the other: inode, ifindex inside, cookie'
printf '%s' "$seen"
column() { printf '%s' "$seen" | cut -d' ' -f"$1" | sort -u | wc -l; }
inodes=$(column 1) indexes=$(column 2) cookies=$(column 3)
echo "different values: $inodes inodes, $indexes ifindexes, $cookies cookies"
(( inodes < 8 && indexes == 1 && cookies == 8 )) || { echo CHANGED; exit 1; }
