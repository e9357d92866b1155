//! All limits of the core in one validated struct.

use core::time::Duration;

use crate::units::{As, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits on the memory of the engine and on its waits. Memory use depends on these numbers, not on the traffic.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections tracked at once; beyond it the longest idle one is evicted.
    pub flows: usize,
    /// Bytes buffered over all flows: out-of-order segments, heads and bodies being read. Beyond it, the flow that
    /// needs more is given up.
    #[serde(with = "As::<Size>")]
    pub memory: usize,
    /// Out-of-order bytes held for one direction of one flow before the hole before them is declared lost.
    #[serde(with = "As::<Size>")]
    pub out_of_order: usize,
    /// A request or response head (start line and fields), and a trailer section, in bytes.
    #[serde(with = "As::<Size>")]
    pub head: usize,
    /// Fields in one head.
    pub fields: usize,
    /// Bytes of one body that are kept; beyond it only length and digest.
    #[serde(with = "As::<Size>")]
    pub body: usize,
    /// Requests of one connection that wait for their response.
    pub pipeline: usize,
    /// A hole whose bytes the receiver has acknowledged was lost by the capture. It is declared after this wait,
    /// which only covers reordering between CPUs.
    #[serde(with = "As::<Span>")]
    pub acked_gap: Duration,
    /// A hole without an acknowledgement may still be filled by a retransmission.
    #[serde(with = "As::<Span>")]
    pub open_gap: Duration,
    /// A flow without any segment for this long is removed.
    #[serde(with = "As::<Span>")]
    pub idle: Duration,
    /// The same after a FIN from one side.
    #[serde(with = "As::<Span>")]
    pub half_closed: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 65_536,
            memory: 256 << 20,
            out_of_order: 2 << 20,
            head: 64 << 10,
            fields: 256,
            body: 8 << 20,
            pipeline: 128,
            acked_gap: Duration::from_millis(200),
            open_gap: Duration::from_secs(10),
            idle: Duration::from_mins(5),
            half_closed: Duration::from_secs(30),
        }
    }
}

/// A limit that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("limits.{name} must be at least {least}, not {given}")]
pub struct LimitError {
    /// The field.
    pub name: &'static str,
    /// Its smallest workable value.
    pub least: usize,
    /// The given value.
    pub given: usize,
}

impl Limits {
    /// Rejects limits under which nothing could ever complete.
    pub fn validate(&self) -> Result<(), LimitError> {
        let least = [
            ("flows", self.flows, 1),
            ("memory", self.memory, 1 << 20),
            ("out_of_order", self.out_of_order, 64 << 10),
            ("head", self.head, 1 << 10),
            ("fields", self.fields, 16),
            ("pipeline", self.pipeline, 1),
        ];
        match least.into_iter().find(|(_, given, least)| given < least) {
            Some((name, given, least)) => Err(LimitError { name, least, given }),
            None => Ok(()),
        }
    }
}
