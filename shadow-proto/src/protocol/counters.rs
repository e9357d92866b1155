//! The counters of the engine.

use super::Abandon;
use crate::exchange::Incomplete;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, collections::BTreeMap};

/// Prefix of the names of incomplete exchanges.
const INCOMPLETE: &str = "incomplete_";

/// Declares the counters. The doc comment of each is also its help text in metrics.
macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)+) => {
        /// Counts of everything the engine saw and did. Values only grow.
        ///
        /// In JSON an object: each counter by its name, and each reason of incomplete exchanges with the prefix
        /// `incomplete_`. [`Self::sizes`] is not part of it.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $name: u64,)+
            /// Sizes of the requests that were read.
            pub sizes: Sizes,
            /// Incomplete exchanges, by reason, in the order of [`Incomplete::ALL`].
            incomplete: [u64; Incomplete::ALL.len()],
        }

        impl Counters {
            /// Name, help text and value of every counter except the incomplete ones and the sizes, in a stable order.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),*).trim_ascii(), self.$name),)+].into_iter()
            }

            /// Adds the counts of another engine.
            pub fn add(&mut self, other: &Self) {
                let Self { $($name,)+ sizes, incomplete } = other;
                $(self.$name = self.$name.saturating_add(*$name);)+
                self.sizes.add(sizes);
                for (count, more) in self.incomplete.iter_mut().zip(incomplete) {
                    *count = count.saturating_add(*more);
                }
            }

            /// The counter with this name in JSON.
            fn by_name(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)+
                    _ => {
                        let reason = name.strip_prefix(INCOMPLETE)?;
                        let place = Incomplete::ALL.iter().position(|known| known.as_str() == reason)?;
                        self.incomplete.get_mut(place)
                    }
                }
            }
        }
    };
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let counts = self.iter().map(|(name, _, count)| (Cow::Borrowed(name), count));
        let reasons = self.incomplete();
        let reasons = reasons.map(|(reason, count)| (Cow::Owned(format!("{INCOMPLETE}{reason}")), count));
        to.collect_map(counts.chain(reasons))
    }
}

impl<'de> Deserialize<'de> for Counters {
    /// Ignores names that are not known: another version wrote them.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut counters = Self::default();
        for (name, count) in BTreeMap::<String, u64>::deserialize(from)? {
            if let Some(counter) = counters.by_name(&name) {
                *counter = count;
            }
        }
        Ok(counters)
    }
}

counters! {
    /// TCP segments given to the engine.
    segments,
    /// TCP payload bytes given to the engine.
    payload_bytes,
    /// Segments without payload, SYN, FIN or RST.
    empty_segments,
    /// Connections seen from their beginning.
    flows_opened,
    /// Connections first seen in the middle.
    flows_midstream,
    /// Pairs of addresses that were another view of a known connection, and were read with it.
    flows_joined,
    /// Connections that ended by FIN or RST.
    flows_closed,
    /// Connections removed after `limits.idle`.
    flows_idle,
    /// Connections evicted to stay under `limits.flows` or `limits.memory`.
    flows_evicted,
    /// Connections not read any further: protocol, framing or step.
    flows_abandoned,
    /// Connections not read any further: HTTP/2 whose preface was not seen, or that the server refused.
    flows_http2,
    /// Connections not read any further: TLS.
    flows_tls,
    /// Connections not read any further: upgraded to WebSocket.
    flows_websocket,
    /// Connections not read any further: another protocol, an upgrade, or a tunnel.
    flows_unknown,
    /// HTTP/1 connections not read any further: message boundaries were lost.
    flows_unread,
    /// Connections not read any further: Multipath TCP spread their stream over several, or may have.
    flows_mptcp,
    /// Segments with payload that followed on connections of the two kinds above; copied to count this.
    unread_segments,
    /// Payload bytes that followed on connections with lost boundaries or Multipath TCP.
    unread_bytes,
    /// Of `unread_bytes`, those that clients sent.
    unread_request_bytes,
    /// Requests that appear to begin in `unread_bytes`: exchanges that lower the coverage.
    exchanges_unread,
    /// Connections that ended without any payload: probes, or an acceleration (sockmap) that bypasses the capture.
    flows_empty,
    /// Connections that were read as HTTP/2.
    h2_connections,
    /// HTTP/2 connections joined in the middle.
    h2_joined,
    /// Frames of HTTP/2.
    h2_frames,
    /// Streams of HTTP/2 that were reset.
    h2_resets,
    /// Pushes promised by HTTP/2 servers: their responses are not read.
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
    /// Holes in a stream that were declared lost.
    gaps,
    /// Bytes in holes that were declared lost.
    gap_bytes,
    /// Times that the pairing count of a connection was lost.
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
    /// Exchanges reported by the engine.
    exchanges,
    /// Complete exchanges.
    exchanges_complete,
    /// Incomplete exchanges.
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
