//! HTTP/2 on one connection (RFC 9113), and its field compression (RFC 7541).
//!
//! Owns: frames (`frame`, `read`), field blocks with provenance (`hpack`, `table`, `huffman`), messages (`message`),
//! and streams, each of which is one exchange (`stream`, `exchanges`). Bounds: a field block by `Limits::head` and
//! `Limits::fields`, the kept part of a body by `Limits::body`, streams by eight times `Limits::pipeline`, a dynamic
//! table by 64 KiB, everything together by `Limits::memory`. Drops: nothing silently; each request that is seen becomes
//! one exchange, complete or with a reason.
//!
//! Bias: never a wrong field and never a wrong pair. A lost field block shifts the index of every entry of the dynamic
//! table, so that later blocks decode without an error, to wrong values. Therefore the table is empty after a loss, and
//! only what was inserted since then is used. After a start in the middle of a connection, or a loss outside the
//! payload of one frame, frames are looked for where segments begin. They count only after three exchanges have shown
//! that they fit: request and response on one new stream, acknowledged by the other side in the order in which they
//! must be.

mod conn;
mod exchanges;
mod frame;
mod hpack;
mod huffman;
mod huffman_codes;
mod message;
mod read;
mod side;
mod static_table;
mod stream;
mod table;

pub(crate) use conn::Conn;
pub(crate) use frame::{are_frames, begins_with_preface, may_begin_server};
