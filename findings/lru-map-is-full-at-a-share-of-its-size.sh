#!/usr/bin/env bash
# Software:  Linux 6.18, maps of type LRU_HASH with and without BPF_F_NO_COMMON_LRU. Needs root.
# Behaviour: with that flag a map for 1024 entries, filled from one CPU, never has more than 1024 divided by the number
#            of possible CPUs: from there on each insertion evicts one, though the rest of the map is empty.
# One would guess otherwise: max_entries is the number of entries, an LRU map evicts when it is full, and the flag is
#            named for speed (no common lock), not for size.
# Seen:      1024 insertions of different keys on CPU 0, with 2 possible CPUs: 512 keys are left, the last 512. Without
#            the flag: 1024. 1024 on each of the two CPUs: 1024 are left with the flag.
# Source:    Linux Documentation/bpf/map_hash.rst: with the flag each CPU has its own LRU list, and its share of the
#            entries is fixed. Possible CPUs count, not those that are online: on many machines these are more.
# Date:      2026-11-30
# So, for a passive observer: a network card that steers a connection's packets to one CPU, or a busy one, makes a
#            table of connections forget at a fraction of its size, and the entry that is gone looks like a connection
#            that began before the capture. Size such a map for one CPU, or leave the flag out, and count evictions by
#            another way than "the map is full".
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/lru.py" <<'PY'
import os
import struct
import sys

from bpf import LRU_HASH, create_map, keys, update

ENTRIES = 1024
NO_COMMON_LRU = 2
with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
    possible = 1 + int(file.read().strip().rpartition("-")[2])
cpus = sorted(os.sched_getaffinity(0))
share = ENTRIES // possible


def left(flags, per_cpu):
    """Keys that are left of those inserted on each of the given CPUs."""
    fd = create_map(LRU_HASH, 4, 8, ENTRIES, flags)
    key = 0
    for cpu in per_cpu:
        os.sched_setaffinity(0, {cpu})
        for _ in range(ENTRIES):
            update(fd, struct.pack("I", key), bytes(8))
            key += 1
    found = sorted(struct.unpack("I", one)[0] for one in keys(fd, 4))
    os.close(fd)
    return found


if possible < 2 or len(cpus) < 2:
    print("this finding needs two CPUs")
    sys.exit(2)
own, common, all_cpus = left(NO_COMMON_LRU, cpus[:1]), left(0, cpus[:1]), left(NO_COMMON_LRU, cpus)
print(f"{ENTRIES} entries, {possible} possible CPUs; one CPU with the flag {len(own)}, without {len(common)}")
print(f"all {len(cpus)} CPUs with the flag: {len(all_cpus)}")
holds = own == list(range(ENTRIES - share, ENTRIES)) and len(common) == ENTRIES and len(all_cpus) == share * len(cpus)
sys.exit(0 if holds else "CHANGED")
PY
timeout 30 python3 "$tmp/lru.py"
echo 'PASS: one CPU can use only its share of the map'
