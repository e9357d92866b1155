//! Trace Context (W3C Recommendation, 2021): whether replays appear in production's traces.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use shadow_proto::exchange::Exchange;

/// Handling of `traceparent`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TracePolicy {
    /// Sent unchanged: replays join production's traces.
    #[default]
    Keep,
    /// Removed, together with `tracestate`.
    Strip,
    /// Each replay is a separate trace, sampled if the captured one was.
    New,
}

impl TracePolicy {
    /// Whether this captured field is sent.
    pub(super) fn keeps(self, name: &[u8]) -> bool {
        self == Self::Keep
            || !(name.eq_ignore_ascii_case(b"traceparent") || name.eq_ignore_ascii_case(b"tracestate"))
    }

    /// The field to add. Its ids are derived from the exchange and the `salt`, so that they are unique among the
    /// replays of a run, and among runs.
    pub(super) fn added(self, exchange: &Exchange, salt: &[u8; 32]) -> Option<(Bytes, Bytes)> {
        if self != Self::New {
            return None;
        }
        let sampled = exchange
            .request
            .headers
            .get("traceparent")
            .is_some_and(is_sampled);
        let mut hasher = blake3::Hasher::new_keyed(salt);
        let flow = &exchange.flow;
        for endpoint in [&flow.client, &flow.server] {
            hasher.update(&endpoint.addr).update(&endpoint.port.to_be_bytes());
        }
        let at = exchange
            .timing
            .request_first
            .map_or(0, shadow_proto::time::Timestamp::as_nanos);
        hasher
            .update(&exchange.index.to_be_bytes())
            .update(&at.to_be_bytes());
        let hash = hasher.finalize().to_hex();
        let (trace, rest) = hash.as_str().split_at_checked(32)?;
        let (span, _) = rest.split_at_checked(16)?;
        let flags = if sampled { "01" } else { "00" };
        Some((
            Bytes::from_static(b"traceparent"),
            format!("00-{trace}-{span}-{flags}").into(),
        ))
    }
}

/// The lowest bit of the flags, which are the last two digits of a version 00 value.
fn is_sampled(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    value.len() >= 55
        && value
            .get(54)
            .and_then(|digit| char::from(*digit).to_digit(16))
            .is_some_and(|digit| digit & 1 == 1)
}
