//! HTTP/2 to the shadow system (RFC 9113): several requests at once on one connection.
//!
//! Owns: sessions (`session`), the streams on them (`stream`), and requests as they are sent (`request`). Bounds:
//! [`session::STREAMS`] requests on a connection, fewer if the shadow system permits fewer; the windows of a connection
//! and a stream; heads by production's limit. Nothing is sent twice here: the caller decides that.

mod request;
mod session;
mod stream;

pub(super) use request::Request;
pub(super) use session::{Session, StreamPermit};
