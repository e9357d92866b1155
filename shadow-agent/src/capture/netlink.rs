//! The part of rtnetlink that capture needs: listing interfaces, their changes and their filters.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkMessage},
    tc::{TcAttribute, TcBpfFlags, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The multicast group of interface changes.
const RTNLGRP_LINK: u32 = 1;

/// Parents of the two hooks of a clsact qdisc.
pub(crate) const CLSACT_INGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff2,
};
pub(crate) const CLSACT_EGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff3,
};

/// A network interface.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Interface {
    /// Its index, which no later interface of this boot gets again while it exists.
    pub index: u32,
    /// Its name, which can change.
    pub name: String,
    /// A packet on a loopback interface passes both hooks, and is captured at one.
    pub loopback: bool,
}

impl Interface {
    fn read(message: &LinkMessage) -> Option<Self> {
        let name = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
        Some(Self {
            index: message.header.index,
            name,
            loopback: message.header.flags.contains(LinkFlags::Loopback),
        })
    }
}

/// A change of the interfaces.
#[derive(Debug)]
pub(crate) enum LinkChange {
    /// It exists: new, or changed.
    Present(Interface),
    /// It is gone.
    Gone(u32),
    /// Changes were lost: list the interfaces again.
    Lost,
}

/// A BPF filter on a clsact qdisc.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) program: Option<u32>,
    pub(crate) priority: u16,
    pub(crate) handle: u32,
}

/// Where a filter is among those of a hook.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FilterPlace {
    /// A lower one runs first.
    pub(crate) priority: u16,
    /// The two halves of its handle.
    pub(crate) major: u16,
    pub(crate) minor: u16,
}

/// Every interface of this network namespace.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    Requests::new()?.interfaces()
}

/// A socket for requests, in the network namespace of the thread that opened it. A confined agent cannot open another
/// one, so it keeps the one that it opened at its start.
#[derive(Debug)]
pub(crate) struct Requests {
    socket: Socket,
    /// Of the last request: a late answer to an earlier request that ended with an error is ignored.
    sequence: u32,
}

impl Requests {
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Every interface.
    pub(crate) fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        let mut found = Vec::new();
        self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |message| {
            if let RouteNetlinkMessage::NewLink(link) = message {
                found.extend(Interface::read(&link));
            }
        })?;
        Ok(found)
    }

    /// The name of each interface, and the largest packet that passes it in one piece, where it says so: by
    /// segmentation or receive offload, beyond 64 KiB with BIG TCP.
    pub(crate) fn largest_packets(&mut self) -> io::Result<Vec<(String, u32)>> {
        let mut found = Vec::new();
        self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |message| {
            let RouteNetlinkMessage::NewLink(link) = message else {
                return;
            };
            let sizes = link.attributes.iter().filter_map(|attribute| match attribute {
                LinkAttribute::GsoMaxSize(size)
                | LinkAttribute::GroMaxSize(size)
                | LinkAttribute::GsoIpv4MaxSize(size)
                | LinkAttribute::GroIpv4MaxSize(size) => Some(*size),
                _ => None,
            });
            found.extend(Interface::read(&link).map(|at| at.name).zip(sizes.max()));
        })?;
        Ok(found)
    }

    /// The BPF filters at one hook of an interface.
    pub(crate) fn filters(&mut self, index: u32, parent: TcHandle) -> io::Result<Vec<Filter>> {
        let mut request = TcMessage::default();
        request.header.index = i32::try_from(index).unwrap_or(0);
        request.header.parent = parent;
        let mut found = Vec::new();
        self.dump(RouteNetlinkMessage::GetTrafficFilter(request), |message| {
            if let RouteNetlinkMessage::NewTrafficFilter(filter) = message {
                found.extend(bpf_filter(&filter));
            }
        })?;
        Ok(found)
    }

    /// Makes sure that an interface has a clsact qdisc.
    pub(crate) fn add_clsact(&mut self, index: u32) -> io::Result<()> {
        let mut request = TcMessage::default();
        request.header.index = i32::try_from(index).unwrap_or(0);
        request.header.parent = TcHandle {
            major: 0xffff,
            minor: 0xfff1,
        };
        request.header.handle = TcHandle {
            major: 0xffff,
            minor: 0,
        };
        request.attributes.push(TcAttribute::Kind("clsact".to_owned()));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        match self.order(RouteNetlinkMessage::NewQueueDiscipline(request), flags) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    /// Puts a program at a hook, in place of the filter that was at the same place.
    pub(crate) fn set_filter(
        &mut self,
        index: u32,
        parent: TcHandle,
        place: FilterPlace,
        program: (&str, BorrowedFd<'_>),
    ) -> io::Result<()> {
        let (name, fd) = program;
        let mut request = filter_at(index, parent, place);
        request.attributes.extend([
            TcAttribute::Kind("bpf".to_owned()),
            TcAttribute::Options(vec![
                TcOption::Bpf(TcFilterBpfOption::ProgFd(fd.as_raw_fd().unsigned_abs())),
                TcOption::Bpf(TcFilterBpfOption::ProgName(name.to_owned())),
                TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
            ]),
        ]);
        self.order(
            RouteNetlinkMessage::NewTrafficFilter(request),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// Takes the filter at a place away, if there is one.
    pub(crate) fn remove_filter(
        &mut self,
        index: u32,
        parent: TcHandle,
        place: FilterPlace,
    ) -> io::Result<()> {
        let request = filter_at(index, parent, place);
        match self.order(RouteNetlinkMessage::DelTrafficFilter(request), 0) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => Ok(()),
            done => done,
        }
    }

    /// A request that is answered by its result only.
    fn order(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.ask(request, NLM_F_ACK | flags, |_| ())
    }

    fn dump(
        &mut self,
        request: RouteNetlinkMessage,
        take: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.ask(request, NLM_F_DUMP, take)
    }

    fn ask(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
        mut take: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            for message in messages(&bytes) {
                let NetlinkMessage { header, payload, .. } = message?;
                if header.sequence_number != self.sequence {
                    continue;
                }
                match payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) => return Ok(()),
                    NetlinkPayload::InnerMessage(inner) => take(inner),
                    _ => {}
                }
            }
        }
    }
}

fn filter_at(index: u32, parent: TcHandle, place: FilterPlace) -> TcMessage {
    /// `ETH_P_ALL`, in network order.
    const ANY: u16 = 0x0003_u16.to_be();
    let FilterPlace {
        priority,
        major,
        minor,
    } = place;
    let mut message = TcMessage::default();
    message.header.index = i32::try_from(index).unwrap_or(0);
    message.header.parent = parent;
    message.header.handle = TcHandle { major, minor };
    message.header.info = u32::from(priority) << 16 | u32::from(ANY);
    message
}

fn bpf_filter(message: &TcMessage) -> Option<Filter> {
    let mut name = None;
    let mut program = None;
    for attribute in &message.attributes {
        let TcAttribute::Options(options) = attribute else {
            continue;
        };
        for option in options {
            match option {
                TcOption::Bpf(TcFilterBpfOption::ProgName(text)) => name = Some(text.clone()),
                TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => program = Some(*id),
                _ => {}
            }
        }
    }
    let [high, low, ..] = message.header.info.to_be_bytes();
    Some(Filter {
        name: name?,
        program,
        priority: u16::from_be_bytes([high, low]),
        handle: message.header.handle.into(),
    })
}

/// The messages of one datagram.
fn messages(bytes: &[u8]) -> impl Iterator<Item = io::Result<NetlinkMessage<RouteNetlinkMessage>>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
            Ok(message) => {
                let len = usize::try_from(message.header.length).unwrap_or(usize::MAX);
                rest = rest.get(len.next_multiple_of(4).max(16)..).unwrap_or_default();
                Some(Ok(message))
            }
            Err(error) => {
                rest = &[];
                Some(Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())))
            }
        }
    })
}

/// Receives the changes of interfaces.
#[derive(Debug)]
pub(crate) struct LinkMonitor {
    socket: Socket,
}

impl LinkMonitor {
    /// Starts to listen. List the interfaces afterwards, so that none is missed between.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(RTNLGRP_LINK)?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket })
    }

    /// The changes so far, without waiting.
    pub(crate) fn changes(&self) -> io::Result<Vec<LinkChange>> {
        let mut changes = Vec::new();
        loop {
            let bytes = match self.socket.recv_from_full() {
                Ok((bytes, _)) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(changes),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    changes.push(LinkChange::Lost);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for message in messages(&bytes) {
                match message.map(|message| message.payload) {
                    Ok(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link))) => {
                        changes.extend(Interface::read(&link).map(LinkChange::Present));
                    }
                    Ok(NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link))) => {
                        changes.push(LinkChange::Gone(link.header.index));
                    }
                    Ok(_) => {}
                    // A message this library cannot read still says that something changed.
                    Err(_) => changes.push(LinkChange::Lost),
                }
            }
        }
    }
}

impl AsFd for LinkMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
