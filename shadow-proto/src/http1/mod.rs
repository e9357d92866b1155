//! HTTP/1.0 and HTTP/1.1 messages on one connection (RFC 9112).
//!
//! Owns: finding heads (`begins`, `head`, `fast_path`), determining the length of a body (`framing`) and the host
//! (`host`), reading the body (`body`, `chunked`) and keeping the two directions of a connection synchronised (`conn`).
//! Bounds: a head and a trailer section up to `Limits::head`, kept body bytes up to `Limits::body`. Drops: nothing
//! silently; a message that cannot be read with certainty is incomplete with a reason. Bias: this is an observer, not a
//! server. Faults that a server would "fix" (conflicting lengths, folded fields, bare line feeds) are refused as
//! ambiguous, because a guess could pair bytes with the wrong message.

mod answer;
pub(crate) mod begins;
pub(crate) mod body;
mod chunked;
pub(crate) mod conn;
mod endings;
mod fast_path;
mod foreign;
pub(crate) mod framing;
pub(crate) mod head;
mod head_copy;
mod host;
mod lenient;
mod odd;
mod pair;
mod requests;
mod responses;
pub(crate) mod roles;

pub use answer::{AnswerContent, AnswerReader, AnswerSettings, ReadAnswer, Unread};
pub use begins::is_request_line;
pub use lenient::{OddField, Oddity};
