//! How far the client of a connection has come.

use super::{reader::Reader, track::Track};
use crate::seq::SeqNum;

impl Track {
    /// The client's initial sequence number, if its SYN was seen.
    pub(crate) fn opened(&self) -> Option<SeqNum> {
        self.to_server.isn
    }

    /// The sequence number after the last byte of the client that has arrived; `None` without one.
    pub(crate) fn known_end(&self) -> Option<SeqNum> {
        let stream = self.to_server.stream.as_ref()?;
        Some(stream.seq(stream.known_end()))
    }

    /// Whether its messages follow each other, so that a sequence number divides them.
    pub(crate) fn is_serial(&self) -> bool {
        matches!(self.conn, Reader::Http1(_))
    }

    /// The sequence number of the first request that is not done; where bytes are missing, that of the first of these.
    pub(crate) fn unfinished(&self) -> Option<SeqNum> {
        let stream = self.to_server.stream.as_ref()?;
        let missing = (stream.next() < stream.known_end()).then(|| stream.seq(stream.next()));
        self.conn.unfinished().or(missing)
    }
}
