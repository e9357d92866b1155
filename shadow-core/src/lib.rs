//! Shadow's core: bytes and a timestamp in, values out.
//!
//! No sockets, no files, no clock, no threads: time is an argument ([`time::Timestamp`]) and everything that is
//! dropped is a named reason and a counter. The rooms, in the order of the data:
//!
//! 1. [`wire`]: a ring record or a captured frame becomes a [`wire::Segment`]
//! 2. [`flow`]: which connection it belongs to
//! 3. [`stream`]: one direction as ordered bytes with declared gaps
//! 4. [`http`]: HTTP/1 messages
//! 5. [`exchange`], [`pair`]: requests with their responses; [`engine`] joins 1 to 5
//! 6. [`gate`]: replay it or skip it, and why
//! 7. [`rewrite`]: what is sent to the shadow system
//! 8. [`compare`]: match, mismatch, and where
//! 9. [`evidence`]: what it all proves
//! 10. [`redact`]: secrets out, before anything is kept
//! 11. [`case`]: one exchange that differed, for a person to look at
//!
//! [`mask`] takes secrets out of captured segments for a recording; it reads them with an engine of its own.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// Captured bytes are hostile: nothing here may panic on them.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

pub mod case;
pub mod compare;
pub mod engine;
pub mod evidence;
pub mod exchange;
pub mod flow;
pub mod gate;
pub mod http;
pub mod limits;
pub mod mask;
pub mod pair;
pub mod redact;
pub mod rewrite;
pub mod rollout;
pub mod seq;
pub mod stream;
mod target;
#[cfg(test)]
mod testing;
pub mod time;
pub mod wire;
