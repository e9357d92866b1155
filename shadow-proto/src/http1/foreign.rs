//! Detection of other protocols, by the first bytes of a connection or by its upgrade.

use super::conn::Conn;
use crate::protocol::{Abandon, Context};

/// Number of server bytes that decide.
pub(super) const FIRST: usize = 4;

/// Classifies a client whose first bytes are not a request.
pub(super) fn of_client(bytes: &[u8]) -> Abandon {
    match bytes.first() {
        // A TLS record with a handshake (RFC 8446 section 5.1).
        Some(0x16) => Abandon::Tls,
        _ => Abandon::NotHttp,
    }
}

/// Classifies a server whose first bytes are not a response; `None` while there are too few bytes.
pub(super) fn of_server(bytes: &[u8]) -> Option<Abandon> {
    match bytes {
        [0x15 | 0x16, ..] => Some(Abandon::Tls),
        [] | [0] | [0, 0] | [0, 0, _] => None,
        // An HTTP/2 server begins with SETTINGS, or refuses with GOAWAY (RFC 9113 sections 3.4, 6.5, 6.8).
        [0, 0, _, 4 | 7, ..] => Some(Abandon::Http2),
        _ => Some(Abandon::NotHttp),
    }
}

/// The protocol in an Upgrade field of a 101 response.
pub(super) fn upgraded(value: &[u8]) -> Abandon {
    let value = value.trim_ascii();
    if value.eq_ignore_ascii_case(b"websocket") {
        Abandon::WebSocket
    } else if value.eq_ignore_ascii_case(b"h2c") {
        Abandon::Http2
    } else if value.len() >= 3
        && value
            .get(..3)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"tls"))
    {
        Abandon::Tls
    } else {
        Abandon::Upgraded
    }
}

impl Conn {
    /// Handles bytes that begin no request.
    pub(super) fn leave_garbage(&mut self, bytes: &[u8], ctx: &mut Context<'_>) {
        let reason = if self.pair.is_fresh() {
            of_client(bytes)
        } else {
            Abandon::OutOfStep
        };
        self.leave(reason, ctx);
    }
}
