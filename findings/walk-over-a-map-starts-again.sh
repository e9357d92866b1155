#!/usr/bin/env bash
# Software:  Linux 6.18, a map of type HASH and BPF_MAP_GET_NEXT_KEY, by which all tools walk over a map. Needs root.
# Behaviour: if the key that the walk has reached is deleted, the next step does not continue after it: it gives the
#            first key again. A walk that deletes some entries as it goes sees the others again each time, and one
#            beside which somebody else deletes counts entries twice, without an error.
# One would guess otherwise: an iterator over a hash table goes on, or fails, when its element is gone, and "next key
#            of a key that is not there" sounds like an error.
# Seen:      1000 entries. A walk that deletes nothing: 1000 steps. One that deletes each tenth entry that it meets:
#            45,000 to 50,000 steps. Asking for the key after a deleted one: the very first key.
# Source:    bpf(2), BPF_MAP_GET_NEXT_KEY: "If key is not found, the operation returns zero and sets the next_key
#            pointer to the key of the first element".
# Date:      2026-11-30
# So, for a tool that keeps connections in a map which the kernel program also deletes from (on FIN, say): a sweep for
#            idle entries may never end under load, and a count of connections by walking is too high. Take the next
#            key before the current one is deleted, stop after max_entries steps, or use BPF_MAP_LOOKUP_BATCH or an
#            iterator program.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/walk.py" <<'PY'
import ctypes
import struct
import sys

from bpf import HASH, MAP_NEXT, bpf, create_map, keys, update

MAP_DELETE = 3
ENTRIES = 1000


def delete(fd, key):
    key = ctypes.create_string_buffer(key)
    bpf(MAP_DELETE, struct.pack("2IQ", fd, 0, ctypes.addressof(key)))


def following(fd, key):
    """The next key, or None at the end."""
    given = ctypes.create_string_buffer(key, 4) if key is not None else None
    found = ctypes.create_string_buffer(4)
    address = ctypes.addressof(given) if given else 0
    try:
        bpf(MAP_NEXT, struct.pack("2I2Q", fd, 0, address, ctypes.addressof(found)))
    except FileNotFoundError:
        return None
    return found.raw


def walk(deletes):
    """Steps of a walk over a new map that deletes entries as it goes, and the entries it met."""
    fd = create_map(HASH, 4, 8, ENTRIES)
    for number in range(ENTRIES):
        update(fd, struct.pack("I", number), bytes(8))
    key, steps, met = None, 0, set()
    while (key := following(fd, key)) is not None:
        steps += 1
        met.add(key)
        if deletes(key):
            delete(fd, key)
    return steps, len(met)


quiet = walk(lambda _: False)
sweep = walk(lambda key: struct.unpack("I", key)[0] % 10 == 0)
fd = create_map(HASH, 4, 8, ENTRIES)
for number in range(ENTRIES):
    update(fd, struct.pack("I", number), bytes(8))
order = keys(fd, 4)
delete(fd, order[500])
after = following(fd, order[500])
print(f"nothing deleted: {quiet[0]} steps, {quiet[1]} entries")
print(f"every tenth entry deleted: {sweep[0]} steps, {sweep[1]} entries")
print(f"after a deleted key comes the {order.index(after) + 1}st of {ENTRIES}")
holds = quiet == (ENTRIES, ENTRIES) and sweep[0] > 5 * ENTRIES and sweep[1] == ENTRIES and after == order[0]
sys.exit(0 if holds else "CHANGED")
PY
timeout 30 python3 "$tmp/walk.py"
echo 'PASS: a walk starts again at the first key'
