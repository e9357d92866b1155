#!/usr/bin/env bash
# Software:  Linux 6.18, a SCHED_CLS program on TCX (6.6 and later) that copies packets by bpf_perf_event_output into a
#            perf buffer. Needs root for a network namespace of its own.
# Behaviour: a packet copied with its exact length arrives with up to seven bytes more: the record's size is rounded
#            up, so that it is a multiple of eight with the four bytes of the size itself, and the size given to user
#            space is the rounded one. Only lengths of 4 modulo 8 come as they were.
# One would guess otherwise: the helper takes a length, the record has a length of its own for just that, and libraries
#            hand these bytes over as the sample.
# Seen:      frames of 60 to 75 bytes: samples of 60, 68 (61 to 68) and 76 bytes (69 to 75). The first bytes are those
#            of the frame.
# Source:    Linux kernel/events/core.c, perf_prepare_sample(): the raw size is rounded up to u64. libbpf and others
#            pass it on; perf_event_open(2) tells it of the record, not of the sample.
# Date:      2026-11-30
# So, for a passive observer: the last segment of an answer has bytes that were never sent, and a body that ends with
#            the connection is longer by them. A test with packets of a lucky length passes. Send the length in a
#            header of one's own, or use the ring buffer (5.8), whose records are exact.
set -euo pipefail

. "$(dirname "$0")/lib/bpf.sh"
cat >"$tmp/perf.py" <<'PY'
import ctypes
import mmap
import os
import platform
import socket
import struct
import sys
import time

from bpf import TCX_EGRESS, attach_tcx, create_map, instruction, leave, libc, load, map_of, update

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}[platform.machine()]
PERF_EVENT_ARRAY, SOFTWARE, BPF_OUTPUT, SAMPLE_RAW = 4, 1, 10, 1 << 10
SAMPLE, PAGES = 9, 8
LENGTHS = range(60, 76)


def perf_buffer(cpu):
    """The file and the mapping of a buffer for the output of BPF programs on a CPU."""
    attributes = struct.pack("IIQQQQQII", SOFTWARE, 112, BPF_OUTPUT, 1, SAMPLE_RAW, 0, 0, 1, 0).ljust(112, b"\0")
    given = ctypes.create_string_buffer(attributes, 112)
    fd = libc.syscall(PERF_EVENT_OPEN, given, -1, cpu, -1, 8)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd, mmap.mmap(fd, (1 + PAGES) * mmap.PAGESIZE)


def samples(memory):
    """The raw data of all records, with the size that they say."""
    head = struct.unpack_from("Q", memory, 1024)[0]
    data, at, found = memory[mmap.PAGESIZE :], 0, []
    while at < head:
        kind, _, size = struct.unpack_from("IHH", data, at)
        if kind == SAMPLE:
            length = struct.unpack_from("I", data, at + 8)[0]
            found.append(data[at + 12 : at + 12 + length])
        at += size
    return found


cpu = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {cpu})
events = create_map(PERF_EVENT_ARRAY, 4, 4, os.cpu_count())
fd, memory = perf_buffer(cpu)
update(events, struct.pack("I", cpu), struct.pack("I", fd))
program = load(
    instruction(0xBF, 6, 1),
    instruction(0x61, 3, 6, 0),  # skb->len
    instruction(0x67, 3, 0, 0, 32),  # to the upper half of the flags: that many bytes of the packet
    instruction(0x18, 4, 0, 0, -1) + instruction(0),  # BPF_F_CURRENT_CPU
    instruction(0x4F, 3, 4),
    map_of(2, events),
    instruction(0x7A, 10, 0, -8, 0),
    instruction(0xBF, 4, 10),
    instruction(0x07, 4, 0, 0, -8),
    instruction(0xB7, 5, 0, 0, 0),  # no data before the packet
    instruction(0x85, 0, 0, 0, 25),  # bpf_perf_event_output
    leave(),
)
link = attach_tcx(program, "lo", TCX_EGRESS)
frames = [b"\xff" * 12 + b"\x88\xb5" + bytes([length]) * (length - 14) for length in LENGTHS]
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
    sender.bind(("lo", 0))
    for frame in frames:
        sender.send(frame)
time.sleep(0.1)
found = samples(memory)
sizes = {len(frame): len(sample) for frame, sample in zip(frames, found)}
print("frame and sample:", ", ".join(f"{frame} {sample}" for frame, sample in sizes.items()))
expected = {length: (length + 4 + 7) // 8 * 8 - 4 for length in LENGTHS}
begin = all(sample.startswith(frame) for frame, sample in zip(frames, found))
sys.exit(0 if len(found) == len(frames) and sizes == expected and begin else f"CHANGED: expected {expected}")
PY
unshare --net bash -euc 'ip link set lo up; exec timeout 30 python3 "$1"' bash "$tmp/perf.py"
echo 'PASS: a sample is longer than the packet that was copied'
