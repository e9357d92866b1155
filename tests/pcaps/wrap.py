#!/usr/bin/env python3
"""Puts the packets of one capture of plain IP into other link layers and into tunnels, as another implementation (scapy)
writes them: `wrap.py PLAIN DIRECTORY`. Each way is one connection, told apart by its client port. Needs scapy."""
import struct
import sys

from scapy.all import (GRE, IP, LLC, SNAP, TCP, UDP, Dot1AD, Dot1Q, Dot11, Dot11QoS, Ether, IPv6, IPv6ExtHdrFragment, RadioTap,
                       Raw, fragment, fragment6, rdpcap)
from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.l2 import GRE_PPTP
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN

plain, directory = sys.argv[1:]
packets = [(p.time, p[IP]) for p in rdpcap(plain) if TCP in p]
server = packets[0][1][TCP].dport
ports = iter(range(30001, 31000))


def copies(six=False):
    """The connection again, from a client port of its own."""
    port = next(ports)
    for time, packet in packets:
        tcp = packet[TCP].copy()
        forward = tcp.dport == server
        tcp.sport, tcp.dport = (port, server) if forward else (server, port)
        del tcp.chksum
        if six:
            ends = ("fd00::1", "fd00::2") if forward else ("fd00::2", "fd00::1")
            yield forward, time, IPv6(src=ends[0], dst=ends[1]) / tcp
        else:
            ends = ("10.0.0.1", "10.0.0.2") if forward else ("10.0.0.2", "10.0.0.1")
            yield forward, time, IP(src=ends[0], dst=ends[1]) / tcp


def outer(forward, six=False):
    if six:
        ends = ("fd01::1", "fd01::2") if forward else ("fd01::2", "fd01::1")
        return IPv6(src=ends[0], dst=ends[1])
    ends = ("192.0.2.1", "192.0.2.2") if forward else ("192.0.2.2", "192.0.2.1")
    return IP(src=ends[0], dst=ends[1], id=next(ids))


ids = iter(range(1, 65000))
eth = lambda: Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
udp = lambda port: UDP(sport=50000, dport=port)


def write(name, link, ways, six=()):
    """Each way is a function of direction and packet that gives one packet, or several."""
    out = []
    for number, way in enumerate(ways):
        for forward, time, packet in copies(six=number in six):
            made = way(forward, packet)
            for part in made if isinstance(made, list) else [made]:
                part.time = time + number + len(out) * 1e-6
                out.append(part)
    with open(f"{directory}/{name}", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link))
        for part in out:
            raw, micros = bytes(part), int(part.time * 1_000_000)
            file.write(struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(raw), len(raw)) + raw)


write("scapy-tags.pcap", 1, [
    lambda f, p: eth() / Dot1Q(vlan=5) / p,
    lambda f, p: eth() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / p,
    lambda f, p: eth() / Dot1Q(vlan=5) / Dot1Q(vlan=6) / p,
    lambda f, p: eth() / MPLS(label=16, s=0) / MPLS(label=17, s=1) / p,
    lambda f, p: eth() / PPPoE(sessionid=1) / PPP(proto=0x21) / p,
    lambda f, p: eth() / Dot1Q(vlan=7) / PPPoE(sessionid=1) / PPP(proto=0x57) / p,
    lambda f, p: Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=len(p) + 8) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3)
    / SNAP(OUI=0, code=0x800) / p,
], six={5})
write("scapy-tunnels.pcap", 1, [
    lambda f, p: eth() / outer(f) / p,
    lambda f, p: eth() / outer(f) / p,
    lambda f, p: eth() / outer(f, six=True) / p,
    lambda f, p: eth() / outer(f, six=True) / p,
    lambda f, p: eth() / outer(f) / GRE() / p,
    lambda f, p: eth() / outer(f) / GRE(chksum_present=1, key_present=1, key=7, seqnum_present=1) / p,
    lambda f, p: eth() / outer(f) / GRE(proto=0x6558) / eth() / Dot1Q(vlan=9) / p,
    lambda f, p: eth() / outer(f) / GRE_PPTP(call_id=1, seqnum_present=1) / PPP(proto=0x21) / p,
    lambda f, p: eth() / outer(f) / GRE(proto=0x88be, seqnum_present=1) / ERSPAN_II() / eth() / p,
    lambda f, p: eth() / outer(f) / udp(4789) / VXLAN(vni=5, flags=8) / eth() / p,
    lambda f, p: eth() / outer(f) / udp(6081) / GENEVE(vni=5, proto=0x6558) / eth() / p,
    lambda f, p: eth() / outer(f) / udp(2152) / GTP_U_Header(teid=1, gtp_type=255) / p,
    lambda f, p: eth() / outer(f) / udp(2152) / GTP_U_Header(teid=1, gtp_type=255, S=1, seq=3) / p,
    lambda f, p: eth() / outer(f) / UDP(sport=1701, dport=1701) / L2TP(hdr=["length"], tunnel_id=1, session_id=2)
    / PPP(proto=0x21) / p,
    lambda f, p: eth() / outer(f) / UDP(sport=3544, dport=3544) / p,
    lambda f, p: eth() / outer(f) / outer(f) / outer(f) / p,
], six={1, 3, 5, 14})
write("scapy-fragments.pcap", 1, [
    lambda f, p: [eth() / part for part in fragment(IP(bytes(p)), 64)],
    lambda f, p: [eth() / part for part in reversed(fragment(IP(bytes(p)), 64))],
    lambda f, p: [eth() / part for part in fragment6(IPv6(src=p.src, dst=p.dst) / IPv6ExtHdrFragment(id=next(ids)) / p[TCP], 1280)],
    lambda f, p: [eth() / part for part in fragment(IP(bytes(outer(f) / p)), 80)],
    lambda f, p: [eth() / part for part in fragment(IP(bytes(outer(f) / udp(4789) / VXLAN(vni=5, flags=8) / eth() / p)), 96)],
], six={2})
llc = lambda: LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(OUI=0, code=0x800)
to_ds = lambda f: Dot11(type=2, subtype=0, FCfield=1 if f else 2, addr1="02:00:00:00:00:01", addr2="02:00:00:00:00:02",
                        addr3="02:00:00:00:00:03")
write("scapy-wlan.pcap", 127, [
    lambda f, p: RadioTap() / to_ds(f) / llc() / p,
    lambda f, p: RadioTap() / Dot11(type=2, subtype=8, FCfield=1, addr1="02:00:00:00:00:01", addr2="02:00:00:00:00:02",
                                    addr3="02:00:00:00:00:03") / Dot11QoS() / llc() / p,
])
write("scapy-nflog.pcap", 239, [
    lambda f, p: Raw(b"\x02\0\0\0\x08\0\x01\0\x08\0\0\0\x05\0\x0a\0a\0\0\0" + (len(p) + 4).to_bytes(2, "little") + b"\x09\0" + bytes(p)),
])
write("scapy-null.pcap", 0, [lambda f, p: Raw(b"\x02\0\0\0") / p, lambda f, p: Raw(b"\x1e\0\0\0") / p], six={1})
write("scapy-sll2.pcap", 276, [
    lambda f, p: Raw(b"\x08\0\0\0\0\0\0\x01\0\x01\0\x06\x02\0\0\0\0\x01\0\0") / p,
    lambda f, p: Raw(b"\x81\0\0\0\0\0\0\x01\0\x01\0\x06\x02\0\0\0\0\x01\0\0\0\x05\x08\0") / p,
])
