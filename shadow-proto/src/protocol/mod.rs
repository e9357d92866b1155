//! Types that every protocol reader and the [`engine`](crate::engine) share: bytes in, events out.
//!
//! A reader gets each direction of a connection as [`Chunk`]s in order, with gaps declared, and writes exchanges,
//! orphans and counters to the [`Sink`] of its [`Context`]. It does not depend on TCP or on the table of connections.

mod counters;

use std::collections::VecDeque;

use shadow_common::flow::FlowKey;

use crate::{
    exchange::{Exchange, Flow, Incomplete, Orphan},
    limits::Limits,
    ranges::RangeLog,
    seq::SeqNum,
    time::Timestamp,
};

pub use counters::{Counters, Sizes};

/// Settings of an [`Engine`](crate::engine::Engine).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Caps and waits.
    pub limits: Limits,
    /// Digest bodies over [`Limits::body`]; off when only lengths matter (`--observe`).
    pub digest: bool,
    /// Keep header and trailer fields; off when only start lines and lengths matter.
    pub fields: bool,
}

/// Output of an [`Engine`](crate::engine::Engine).
#[derive(Debug)]
pub enum Event {
    /// An exchange, complete or with the reason why not.
    Exchange(Box<Exchange>),
    /// A response without a known request.
    Orphan(Box<Orphan>),
    /// Nothing more will be read from this connection: its packets need not be copied any more.
    Abandoned(FlowKey, Abandon),
}

crate::catalogue! {
    /// Why a connection is not read any further.
    Abandon {
        /// The first bytes are no HTTP/1 request, or the framing was lost for good.
        NotHttp = "not_http",
        /// HTTP/2 that cannot be read: the server's first frame without the client's preface, or a server that refuses
        /// it.
        Http2 = "http2",
        /// TLS records.
        Tls = "tls",
        /// A 101 response changed to the WebSocket protocol.
        WebSocket = "websocket",
        /// A 101 response changed to another protocol.
        Upgraded = "upgraded",
        /// Multipath TCP (RFC 8684) spread the stream over several TCP connections.
        Multipath = "mptcp",
        /// A CONNECT request was accepted.
        Tunnel = "tunnel",
        /// Messages cannot be delimited or paired safely any more.
        OutOfStep = "out_of_step",
    }
}

impl Abandon {
    /// Whether exchanges that should be compared may follow, unread.
    pub const fn hides_exchanges(self) -> bool {
        matches!(self, Self::OutOfStep | Self::Multipath)
    }
}

/// Bytes of one stream in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) at: Timestamp,
    pub(crate) offset: u64,
    /// The sequence number of the first byte.
    pub(crate) seq: SeqNum,
    /// Bytes of the other stream that the sender had received.
    pub(crate) ack: Option<u64>,
    pub(crate) starts_segment: bool,
    pub(crate) conflict: bool,
    pub(crate) bytes: &'a [u8],
}

impl Chunk<'_> {
    /// The stream offset of the last bytes of this chunk.
    pub(crate) fn offset_of(&self, rest: &[u8]) -> u64 {
        self.offset + self.bytes.len().saturating_sub(rest.len()) as u64
    }
}

/// The destination of results, and the settings in use.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) flow: Flow,
    /// The client's initial sequence number, if it was seen.
    pub(crate) opened: Option<SeqNum>,
    pub(crate) out: &'a mut Sink,
}

/// Events and counters that the engine passes on.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
    /// The log for the roles of bytes, if enabled.
    pub(crate) ranges: Option<Box<RangeLog>>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By a FIN, all bytes read.
    Fin,
    /// By a RST, from either side.
    Reset,
    /// The engine stopped reading the stream.
    Forgotten(Incomplete),
}

impl End {
    /// The reason for a message that had not ended.
    pub(crate) fn reason(self, cut: Incomplete) -> Incomplete {
        match self {
            Self::Fin | Self::Reset => cut,
            Self::Forgotten(reason) => reason,
        }
    }
}

/// The first byte of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageStart {
    pub(crate) at: Timestamp,
    pub(crate) offset: u64,
    pub(crate) ack: Option<u64>,
}
