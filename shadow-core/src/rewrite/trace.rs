//! Identity of a request: its trace, its request id, and the fields in which a mesh describes it.
//!
//! A replay is another request than the one it is made from. With production's ids in it, its spans, log lines and
//! retries would be attributed to production's request. So a replay has ids of its own by default, and a trace that
//! names the original.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use shadow_proto::{exchange::Exchange, time::Timestamp};

/// Handling of trace context: `traceparent` and `tracestate` (W3C Recommendation, 2021), and B3.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TracePolicy {
    /// A request that belongs to a trace gets another one, sampled if the captured one was. Its `tracestate` is
    /// `shadow=TRACE-SPAN` with the ids of the captured one.
    #[default]
    Linked,
    /// Each replay is a separate trace, sampled if the captured one was.
    New,
    /// Removed.
    Strip,
    /// Sent unchanged: replays join production's traces.
    Keep,
}

/// Handling of `X-Request-Id`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestIds {
    /// Another id of the same form; the captured one is in `Shadow-Request-Id`.
    #[default]
    New,
    /// Removed.
    Strip,
    /// Sent unchanged.
    Keep,
}

/// Handling of the fields that a service mesh adds for the next hop (`X-Envoy-*`): retry counts, timeouts, peers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeshFields {
    /// Removed.
    #[default]
    Strip,
    /// Sent unchanged.
    Keep,
}

/// Handling of everything that identifies a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct IdentityRules {
    /// Trace context.
    pub traceparent: TracePolicy,
    /// `X-Request-Id`.
    pub request_id: RequestIds,
    /// `X-Envoy-*`.
    pub envoy: MeshFields,
}

impl IdentityRules {
    /// Everything is sent as it was captured.
    pub const KEPT: Self = Self {
        traceparent: TracePolicy::Keep,
        request_id: RequestIds::Keep,
        envoy: MeshFields::Keep,
    };

    /// Whether this captured field is sent, unchanged.
    pub(super) fn keeps(self, name: &[u8]) -> bool {
        let removed = self.traceparent != TracePolicy::Keep && is_trace(name)
            || self.request_id != RequestIds::Keep && name.eq_ignore_ascii_case(REQUEST_ID)
            || self.envoy == MeshFields::Strip && starts_with(name, b"x-envoy-");
        !removed
    }

    /// The fields to add. Ids are derived from the exchange, the number of the `copy` and the `salt`, so that they are
    /// unique among the replays of a run, and among runs.
    pub(super) fn added(self, exchange: &Exchange, copy: u64, salt: &[u8; 32]) -> Vec<(Bytes, Bytes)> {
        let headers = &exchange.request.headers;
        let trace = headers
            .get("traceparent")
            .filter(|_| self.traceparent != TracePolicy::Keep);
        let request_id = headers
            .iter_bytes()
            .find(|(name, _)| name.eq_ignore_ascii_case(REQUEST_ID))
            .filter(|_| self.request_id == RequestIds::New);
        let traced = match self.traceparent {
            TracePolicy::New => true,
            TracePolicy::Linked => trace.is_some(),
            TracePolicy::Strip | TracePolicy::Keep => false,
        };
        if !traced && request_id.is_none() {
            return Vec::new();
        }
        let mut random = reader(exchange, copy, salt);
        let mut added = Vec::new();
        if traced {
            let mut ids = [0; 32];
            random.fill(&mut ids);
            let ids = blake3::Hash::from_bytes(ids).to_hex();
            let (trace_id, span_id) = (
                ids.get(..32).unwrap_or_default(),
                ids.get(32..48).unwrap_or_default(),
            );
            let flags = if trace.is_some_and(is_sampled) { "01" } else { "00" };
            added.push((
                Bytes::from_static(b"traceparent"),
                format!("00-{trace_id}-{span_id}-{flags}").into(),
            ));
            if let Some(original) = trace.and_then(ids_of)
                && self.traceparent == TracePolicy::Linked
            {
                let link = [b"shadow=".as_slice(), original].concat();
                added.push((Bytes::from_static(b"tracestate"), link.into()));
            }
        }
        if let Some((name, value)) = request_id {
            added.push((name, like(&value, &mut random)));
            added.push((Bytes::from_static(b"Shadow-Request-Id"), value));
        }
        added
    }
}

const REQUEST_ID: &[u8] = b"x-request-id";

/// Fields of trace context, besides B3's.
const TRACE: [&[u8]; 5] = [
    b"traceparent",
    b"tracestate",
    b"b3",
    b"uber-trace-id",
    b"x-cloud-trace-context",
];

fn is_trace(name: &[u8]) -> bool {
    TRACE.iter().any(|field| name.eq_ignore_ascii_case(field)) || starts_with(name, b"x-b3-")
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn reader(exchange: &Exchange, copy: u64, salt: &[u8; 32]) -> blake3::OutputReader {
    let mut hasher = blake3::Hasher::new_keyed(salt);
    let flow = &exchange.flow;
    for endpoint in [&flow.client, &flow.server] {
        hasher.update(&endpoint.addr).update(&endpoint.port.to_be_bytes());
    }
    let at = exchange.timing.request_first.map_or(0, Timestamp::as_nanos);
    hasher
        .update(&exchange.index.to_be_bytes())
        .update(&at.to_be_bytes())
        .update(&copy.to_be_bytes());
    hasher.finalize_xof()
}

/// Trace and span id of a version 00 value, joined as they are.
fn ids_of(value: &[u8]) -> Option<&[u8]> {
    let ids = value.trim_ascii().get(3..52)?;
    let valid = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    ids.iter().all(valid).then_some(ids)
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

/// Random text of the same form: letters and digits become others of their kind. The version and the variant of a UUID
/// (RFC 9562 section 4) stay, so that it is still one.
fn like(value: &Bytes, random: &mut blake3::OutputReader) -> Bytes {
    let mut drawn = vec![0; value.len()];
    random.fill(&mut drawn);
    let dashes = [8, 13, 18, 23];
    let is_uuid = value.len() == 36 && dashes.iter().all(|place| value.get(*place) == Some(&b'-'));
    let is_hex = value
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || !byte.is_ascii_alphanumeric());
    let letters = if is_hex { 6 } else { 26 };
    let other = |(place, (&byte, draw)): (usize, (&u8, u8))| match byte {
        _ if is_uuid && (place == 14 || place == 19) => byte,
        b'0'..=b'9' => b'0' + draw % 10,
        b'a'..=b'z' => b'a' + draw % letters,
        b'A'..=b'Z' => b'A' + draw % letters,
        _ => byte,
    };
    value.iter().zip(drawn).enumerate().map(other).collect()
}
