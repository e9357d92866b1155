"""TCP segments over IPv4, as a packet socket sees them on one device."""
import socket
import struct
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
ETH_P_ALL, PACKET_OUTGOING, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 3, 4, 33, 35


class Segment(NamedTuple):
    time: float
    sent: bool  # by this device; lo shows each segment as sent and as received
    source: tuple
    destination: tuple
    sequence: int
    acknowledgement: int
    flags: int
    reserved: int  # the four bits before the flags
    options: dict  # content by kind
    payload: bytes


def options_of(data):
    found = {}
    while data and data[0] != 0:
        size = 1 if data[0] == 1 else data[1]
        if size > 1:
            found[data[0]] = data[2:size]
        data = data[size:]
    return found


def parse(frame, time, sent):
    """The segment in an Ethernet frame, or None."""
    if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
        return None
    ip = frame[14:]
    tcp = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
    ports = struct.unpack("!HH", tcp[:4])
    ends = [(socket.inet_ntoa(ip[at : at + 4]), port) for at, port in zip((12, 16), ports)]
    sequence, acknowledgement, offset, flags = struct.unpack("!IIBB", tcp[4:14])
    head = (offset >> 4) * 4
    options = options_of(tcp[20:head])
    return Segment(time, sent, *ends, sequence, acknowledgement, flags, offset & 15, options, tcp[head:])


class Wire:
    def __init__(self, device):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((device, ETH_P_ALL))
        self.socket.setblocking(False)
        self.found = []

    def segments(self):
        """All segments since the socket was opened."""
        try:
            while True:
                frame, extra, _, address = self.socket.recvmsg(1 << 17, 64)
                seconds, nanoseconds = struct.unpack("qq", extra[0][2])
                segment = parse(frame, seconds + nanoseconds / 1e9, address[2] == PACKET_OUTGOING)
                if segment:
                    self.found.append(segment)
        except BlockingIOError:
            return self.found
