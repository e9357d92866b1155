//! Exchanges in, evidence out: what to replay, what is sent, what differs, and what it proves.
//!
//! No sockets, no files, no clock, no threads: time is an argument ([`shadow_proto::time::Timestamp`]), and
//! everything that is dropped is a named reason and a counter. The modules, in pipeline order:
//!
//! 1. [`gate`]: replay an exchange or skip it, and why
//! 2. [`rewrite`]: the request that is sent to the shadow system
//! 3. [`compare`]: match, mismatch, and where
//! 4. [`evidence`]: aggregates verdicts and decides GO / NO-GO
//! 5. [`redact`]: removes secrets before anything is kept
//! 6. [`case`]: one exchange that differed, for a person to look at
//! 7. [`rollout`]: raises and lowers the sample by evidence
//!
//! [`values`] knows which values of the two systems correspond, where writes are replayed.
//!
//! [`descriptors`] has the names and types of messages of gRPC, where there is a file of them.
//!
//! [`mask`] takes secrets out of captured segments for a recording; it reads them with an engine of its own.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// Captured bytes are hostile: nothing here may panic on them.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

pub mod case;
pub mod compare;
mod connect;
pub mod descriptors;
pub mod evidence;
mod fields;
pub mod gate;
mod marker;
pub mod mask;
pub mod plant;
pub mod redact;
pub mod rewrite;
pub mod rollout;
mod route_text;
pub mod values;
