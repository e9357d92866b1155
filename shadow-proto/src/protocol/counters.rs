//! The counters of the engine.

use serde::{Deserialize, Serialize};

use super::Abandon;
use crate::exchange::Incomplete;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counts of everything the engine saw and did. Values only grow.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)+
            /// Sizes of the requests that were read.
            pub sizes: Sizes,
            /// Incomplete exchanges, by reason, in the order of [`Incomplete::ALL`].
            incomplete: [u64; Incomplete::ALL.len()],
        }

        impl Counters {
            /// Name and value of every counter except the incomplete ones and the sizes, in a stable order.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }

            /// Adds the counts of another engine.
            pub fn add(&mut self, other: &Self) {
                let Self { $($name,)+ sizes, incomplete } = other;
                $(self.$name += $name;)+
                self.sizes.add(sizes);
                for (count, more) in self.incomplete.iter_mut().zip(incomplete) {
                    *count += more;
                }
            }
        }
    };
}

counters! {
    /// Segments given to the engine.
    segments,
    /// Payload bytes in them.
    payload_bytes,
    /// Segments without payload, SYN, FIN or RST: they carry nothing to read.
    empty_segments,
    /// Connections seen from their beginning.
    flows_opened,
    /// Connections first seen in the middle.
    flows_midstream,
    /// Pairs of addresses that were another view of a known connection, and were read with it.
    flows_joined,
    /// Connections that ended by FIN or RST.
    flows_closed,
    /// Connections removed after the idle time.
    flows_idle,
    /// Connections evicted to stay under the flow or memory limit.
    flows_evicted,
    /// Connections not read any further (protocol, framing, step).
    flows_abandoned,
    /// Of these, HTTP/2.
    flows_http2,
    /// Of these, TLS.
    flows_tls,
    /// Of these, upgraded to WebSocket.
    flows_websocket,
    /// Of these, another protocol: the first bytes are not a request, an upgrade, or a tunnel.
    flows_unknown,
    /// Of these, HTTP/1 whose message boundaries were lost.
    flows_unread,
    /// Of these, parts of a stream that Multipath TCP spread over several connections.
    flows_mptcp,
    /// Segments with payload that followed on connections of these last two kinds, and were not read.
    unread_segments,
    /// Payload bytes in them.
    unread_bytes,
    /// Of these, bytes that the clients sent.
    unread_request_bytes,
    /// Requests that appear to begin in them: exchanges that were not compared.
    exchanges_unread,
    /// Connections that ended without any payload.
    flows_empty,
    /// Connections that were read as HTTP/2.
    h2_connections,
    /// Of these, joined in the middle.
    h2_joined,
    /// Frames of HTTP/2.
    h2_frames,
    /// Streams of HTTP/2 that were reset (RST_STREAM).
    h2_resets,
    /// Pushes that HTTP/2 servers promised; their responses are not read.
    h2_pushes,
    /// Segments of connections that have ended or were abandoned.
    ignored_segments,
    /// Segments without new data: retransmissions, keep-alive and window probes.
    duplicate_segments,
    /// Segments that arrived before the bytes that precede them.
    out_of_order_segments,
    /// Copies of bytes that differed from the first copy.
    conflicting_overlaps,
    /// Sequence numbers outside any plausible window; the connection restarts from there.
    out_of_window,
    /// Payload bytes of resets: a reason text that does not reach the application.
    reset_bytes,
    /// Holes that were declared lost.
    gaps,
    /// Bytes in them.
    gap_bytes,
    /// Times that the pairing count was lost.
    out_of_step,
    /// Request heads.
    requests,
    /// Requests for which only part of the head was seen.
    requests_lost,
    /// Final response heads.
    responses,
    /// Interim (1xx) responses.
    interim_responses,
    /// Responses without a known request.
    orphans,
    /// Exchanges reported.
    exchanges,
    /// Of these, complete ones.
    exchanges_complete,
    /// Of these, incomplete ones; this is the sum over all reasons.
    exchanges_incomplete,
}

/// How many bytes clients sent for an exchange, over all that were read: payload as captured, with repetitions. It is
/// the measure for connections that are not read, whose bytes are counted alike.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sizes {
    /// Exchanges.
    pub exchanges: u64,
    /// Bytes of them all.
    pub bytes: u64,
    /// Sum of their squares.
    pub squares: u128,
}

impl Sizes {
    /// Counts exchanges that took `bytes` together. Several at once count as equally large.
    pub fn count(&mut self, exchanges: u64, bytes: u64) {
        let Some(square) = (u128::from(bytes) * u128::from(bytes)).checked_div(exchanges.into()) else {
            return;
        };
        self.add(&Self {
            exchanges,
            bytes,
            squares: square,
        });
    }

    /// Adds the sizes of other exchanges.
    pub fn add(&mut self, other: &Self) {
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.squares = self.squares.saturating_add(other.squares);
    }
}

impl Counters {
    /// Counts one more connection that is not read any further.
    pub(crate) fn count_abandoned(&mut self, reason: Abandon) {
        self.flows_abandoned += 1;
        *match reason {
            Abandon::Http2 => &mut self.flows_http2,
            Abandon::Tls => &mut self.flows_tls,
            Abandon::WebSocket => &mut self.flows_websocket,
            Abandon::NotHttp | Abandon::Upgraded | Abandon::Tunnel => &mut self.flows_unknown,
            Abandon::OutOfStep => &mut self.flows_unread,
            Abandon::Multipath => &mut self.flows_mptcp,
        } += 1;
    }

    /// Counts one more segment with payload of a connection whose message boundaries were lost.
    pub(crate) fn count_unread(&mut self, bytes: u64, is_request: bool, begins_request: bool) {
        self.unread_segments += 1;
        self.unread_bytes += bytes;
        self.unread_request_bytes += if is_request { bytes } else { 0 };
        self.exchanges_unread += u64::from(begins_request);
    }

    pub(crate) fn count_exchange(&mut self, incomplete: Option<Incomplete>) {
        self.exchanges += 1;
        let Some(reason) = incomplete else {
            self.exchanges_complete += 1;
            return;
        };
        self.exchanges_incomplete += 1;
        if let Some(count) = self.incomplete.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Incomplete exchanges by reason.
    pub fn incomplete(&self) -> impl Iterator<Item = (Incomplete, u64)> {
        Incomplete::ALL.iter().copied().zip(self.incomplete)
    }

    /// Checks `exchanges = complete + incomplete` and `incomplete = sum of its reasons`.
    pub fn check(&self) -> Result<(), String> {
        let by_reason: u64 = self.incomplete.iter().sum();
        if self.exchanges == self.exchanges_complete + self.exchanges_incomplete
            && self.exchanges_incomplete == by_reason
        {
            return Ok(());
        }
        Err(format!("exchanges do not add up: {self:?}"))
    }
}
