//! HTTP/1.0 and HTTP/1.1 messages on one connection (RFC 9112).
//!
//! Owns: finding heads (`head`, `quick`), deciding how long a body is (`framing`), for which host it is (`host`), reading it (`body`, `chunked`) and
//! keeping the two directions of a connection in step (`conn`). Bounds: a head and a trailer section up to
//! `Limits::head`, kept body bytes up to `Limits::body`. Drops: nothing silently; a message that cannot be read
//! with certainty is incomplete with a reason. Bias: this is an observer, not a server. What a real server would
//! "fix" (conflicting lengths, folded fields, bare line feeds) is refused as ambiguous, because a guess could pair
//! bytes with the wrong message.

pub(crate) mod body;
mod chunked;
pub(crate) mod conn;
mod endings;
pub(crate) mod framing;
pub(crate) mod head;
mod host;
mod kept;
mod pair;
mod quick;
mod requests;
mod responses;

pub use head::is_request_line;
