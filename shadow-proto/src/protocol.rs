//! Types that every protocol reader and the [`engine`](crate::engine) share: bytes in, events out.
//!
//! A reader gets each direction of a connection as [`Chunk`]s in order, with gaps declared, and writes exchanges, orphans and
//! counters to the [`Sink`] of its [`Context`]. It knows neither TCP nor the table of connections.

use std::collections::VecDeque;

use shadow_common::flow::FlowKey;

use crate::{
    counters::Counters,
    exchange::{Exchange, Flow, Incomplete, Orphan},
    limits::Limits,
    time::Timestamp,
};

/// What an [`Engine`] is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Caps and waits.
    pub limits: Limits,
    /// Digest bodies over [`Limits::body`]; off where only lengths matter (`--observe`).
    pub digest: bool,
    /// Keep header and trailer fields; off where only start lines and lengths matter.
    pub fields: bool,
}

/// What comes out of an [`Engine`].
#[derive(Debug)]
pub enum Event {
    /// An exchange, whole or with the reason why not.
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
        /// HTTP/2 with prior knowledge.
        Http2 = "http2",
        /// A 101 response changed the protocol.
        Upgraded = "upgraded",
        /// A CONNECT request was accepted.
        Tunnel = "tunnel",
        /// Messages cannot be delimited or paired safely any more.
        OutOfStep = "out_of_step",
    }
}

/// Bytes of one stream in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) at: Timestamp,
    pub(crate) offset: u64,
    /// How far the sender had received the other stream.
    pub(crate) ack: Option<u64>,
    pub(crate) starts_segment: bool,
    pub(crate) conflict: bool,
    pub(crate) bytes: &'a [u8],
}

/// Where results go, and under which settings.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) flow: Flow,
    pub(crate) out: &'a mut Sink,
}

/// Events and counters that the engine hands on.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By a FIN, all bytes read.
    Fin,
    /// By a RST, from either side.
    Reset,
    /// The engine stopped looking.
    Forgotten(Incomplete),
}

impl End {
    /// The reason for a message that was not over.
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
