//! Segments in, exchanges out: joins the wire, flow, stream, http and pair rooms.
//!
//! Owns: every tracked connection and the buffers under [`Limits`]. Time comes with each segment and with
//! [`Engine::handle_timeout`]; the engine never reads a clock.

use shadow_common::flow::FlowKey;

use crate::{
    exchange::{Exchange, Orphan},
    limits::Limits,
    time::Timestamp,
    wire::Segment,
};

/// What an [`Engine`] is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Caps and waits.
    pub limits: Limits,
    /// Digest bodies over [`Limits::body`]; off where only lengths matter (`--observe`).
    pub digest: bool,
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

crate::exchange::reasons! {
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

/// Reassembly, HTTP and pairing for any number of connections.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
}

impl Engine {
    /// An engine without connections.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Takes one segment in. Call [`Engine::poll`] until `None` afterwards.
    pub fn push(&mut self, _segment: &Segment<'_>) {}

    /// The next event, in order of completion.
    pub fn poll(&mut self) -> Option<Event> {
        None
    }

    /// When [`Engine::handle_timeout`] wants to be called next. Changes after every other call.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Declares gaps and forgets idle flows. Extra calls do nothing and are safe.
    pub fn handle_timeout(&mut self, _now: Timestamp) {}

    /// The capture is over: every open flow is closed and reported.
    pub fn finish(&mut self) {
        let _ = &self.settings;
    }
}
