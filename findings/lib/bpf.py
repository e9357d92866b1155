"""The few calls of bpf(2) that the findings need, without a loader or a compiler: maps, programs as instructions, and
links on TCX hooks."""
import ctypes
import os
import platform
import socket
import struct

NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_NEXT, PROG_LOAD, OBJ_PIN, LINK_CREATE = 0, 1, 2, 4, 5, 6, 28
HASH, ARRAY, LRU_HASH = 1, 2, 9
TCX_INGRESS, TCX_EGRESS = 46, 47
NEXT = -1  # TCX_NEXT; for clsact TC_ACT_UNSPEC
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 144)
    result = libc.syscall(NR_BPF, command, room, len(room))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def create_map(kind, key_size, value_size, entries, flags=0):
    return bpf(MAP_CREATE, struct.pack("5I", kind, key_size, value_size, entries, flags))


def update(fd, key, value):
    key, value = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value)
    bpf(MAP_UPDATE, struct.pack("2I3Q", fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0))


def lookup(fd, key, size=8):
    key, value = ctypes.create_string_buffer(key), ctypes.create_string_buffer(size)
    bpf(MAP_LOOKUP, struct.pack("2I3Q", fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
    return value.raw


def keys(fd, size):
    """All keys of a map that does not change meanwhile."""
    found, last = [], None
    following = ctypes.create_string_buffer(size)
    while True:
        given = ctypes.create_string_buffer(last, size) if last is not None else None
        address = ctypes.addressof(given) if given else 0
        try:
            bpf(MAP_NEXT, struct.pack("2I2Q", fd, 0, address, ctypes.addressof(following)))
        except FileNotFoundError:
            return found
        last = following.raw
        found.append(last)


def instruction(op, destination=0, source=0, offset=0, number=0):
    return struct.pack("<BBhi", op, source << 4 | destination, offset, number)


def map_of(register, fd):
    """Loads the map itself, for a helper."""
    return instruction(0x18, register, 1, 0, fd) + instruction(0)


def value_of(register, fd):
    """Loads the address of the first value of an array."""
    return instruction(0x18, register, 2, 0, fd) + instruction(0)


def leave(code=NEXT):
    return instruction(0xB7, 0, 0, 0, code) + instruction(0x95)


def insert(fd, key_offset):
    """Updates fd with the key at the frame's key_offset and the value 1. Uses the frame's first eight bytes."""
    return b"".join(
        [
            instruction(0x7A, 10, 0, -8, 1),  # *(u64 *)(fp - 8) = 1
            map_of(1, fd),
            instruction(0xBF, 2, 10),
            instruction(0x07, 2, 0, 0, key_offset),
            instruction(0xBF, 3, 10),
            instruction(0x07, 3, 0, 0, -8),
            instruction(0xB7, 4, 0, 0, 0),
            instruction(0x85, 0, 0, 0, 2),  # bpf_map_update_elem
        ]
    )


def load(*parts, kind=3, expected=0):
    """A program from instructions, of type SCHED_CLS if no other is given; `expected` is its attach type."""
    text = b"".join(parts)
    insns, licence = ctypes.create_string_buffer(text), ctypes.create_string_buffer(b"GPL")
    head = struct.pack("2I2Q", kind, len(text) // 8, ctypes.addressof(insns), ctypes.addressof(licence))
    return bpf(PROG_LOAD, head + struct.pack("44xI", expected))


def counter(code=NEXT):
    """A program that counts its packets, and the map with the count."""
    fd = create_map(ARRAY, 4, 8, 1)
    add = instruction(0xB7, 2, 0, 0, 1) + instruction(0xDB, 1, 2)
    return load(value_of(1, fd), add, leave(code)), fd


def count(fd):
    return struct.unpack("Q", lookup(fd, bytes(4)))[0]


def link(program, target, hook):
    return bpf(LINK_CREATE, struct.pack("4I", program, target, hook, 0))


def attach_tcx(program, device, hook):
    return link(program, socket.if_nametoindex(device), hook)


def pin(program, path):
    name = ctypes.create_string_buffer(path.encode())
    bpf(OBJ_PIN, struct.pack("Q2I", ctypes.addressof(name), program, 0))
