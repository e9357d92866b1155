//! From captured packets to HTTP exchanges, without I/O: segments in, exchanges out.
//!
//! No sockets, no files, no clock, no threads: time is an argument ([`time::Timestamp`]), and everything that is
//! dropped is a named reason and a counter. The modules, in pipeline order:
//!
//! 1. [`wire`]: a ring record or a captured frame becomes a [`wire::Segment`]
//! 2. [`flow`]: the connection it belongs to
//! 3. [`stream`]: one direction as ordered bytes with declared gaps
//! 4. [`protocol`]: the interface between streams and the readers of a protocol
//! 5. [`http1`]: HTTP/1 messages, and requests paired with their responses
//! 6. `http2`: HTTP/2 frames, and requests with the responses on their streams
//! 7. [`ranges`]: the role of each byte that was read, for a recorder
//! 8. [`exchange`]: the result; [`engine`] joins 1 to 7

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// Captured bytes are hostile: nothing here may panic on them.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod catalogue;
pub mod engine;
pub mod exchange;
pub mod flow;
pub mod http1;
mod http2;
pub mod limits;
pub mod protocol;
pub mod ranges;
pub mod request_target;
pub mod seq;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod units;
pub mod wire;
