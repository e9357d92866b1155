//! Whether an attachment sees what it should: both directions, and HTTP.
//!
//! The kernel program keeps the time of the last packet for each direction, whether it copies the packet or not. What
//! kind of bytes they are shows in what is copied: the reader looks at the beginning of each segment to a server.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use shadow_common::config::{Heard, LABELLED, MOST_LABELS, heard_index};
use shadow_proto::{
    time::Timestamp,
    wire::{Direction, Segment},
};

use super::Reason;

/// A direction that was not seen for this long is missing.
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// Why nothing, or not everything, is seen of a namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blind {
    /// The kernel program is not there.
    NotAttached(Reason),
    /// No packet to or from a target within [`WINDOW`].
    NoTraffic,
    /// Packets of one direction only: the others take another way.
    OneDirection,
    /// Connections open and close, and no byte passes: probes that connect only, or a sockmap of the network plug-in
    /// passes the bytes on between sockets.
    NoPayload,
    /// TLS, which cannot be read on an interface.
    Tls,
    /// Another protocol than HTTP.
    NotHttp,
}

impl Blind {
    /// Its name in status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAttached(_) => "not_attached",
            Self::NoTraffic => "no_traffic",
            Self::OneDirection => "one_direction",
            Self::NoPayload => "no_payload",
            Self::Tls => "tls",
            Self::NotHttp => "not_http",
        }
    }

    /// The names of all of them.
    pub const ALL: [&'static str; 6] = [
        "not_attached",
        "no_traffic",
        "one_direction",
        "no_payload",
        "tls",
        "not_http",
    ];
}

/// How segments to a server have begun.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Kinds {
    /// As a request, or a frame of HTTP/2.
    pub http: u64,
    /// As a record of TLS.
    pub tls: u64,
    /// In another way.
    pub other: u64,
}

/// The kinds for each label. Written by the reader of the ring.
#[derive(Debug)]
pub struct Traffic(Box<[[AtomicU64; 3]]>);

impl Default for Traffic {
    fn default() -> Self {
        Self(
            (0..MOST_LABELS)
                .map(|_| [const { AtomicU64::new(0) }; 3])
                .collect(),
        )
    }
}

impl Traffic {
    /// Counts a segment.
    #[inline]
    pub(crate) fn note(&self, segment: &Segment<'_>) {
        let counted = segment.ifindex & LABELLED != 0
            && segment.direction == Some(Direction::ToServer)
            && !segment.payload.is_empty();
        if counted && let Some([http, tls, other]) = self.place(segment.ifindex) {
            let count = match begins(segment.payload) {
                Begins::Http => http,
                Begins::Tls => tls,
                Begins::Other => other,
            };
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn of(&self, label: u32) -> Kinds {
        let Some([http, tls, other]) = self.place(label) else {
            return Kinds::default();
        };
        Kinds {
            http: http.load(Relaxed),
            tls: tls.load(Relaxed),
            other: other.load(Relaxed),
        }
    }

    pub(super) fn forget(&self, label: u32) {
        for count in self.place(label).into_iter().flatten() {
            count.store(0, Relaxed);
        }
    }

    fn place(&self, label: u32) -> Option<&[AtomicU64; 3]> {
        self.0.get(usize::try_from(heard_index(label)).ok()?)
    }
}

enum Begins {
    Http,
    Tls,
    Other,
}

fn begins(payload: &[u8]) -> Begins {
    /// Frames of HTTP/2 that any server must accept (RFC 9113 section 4.2).
    const LARGEST: u32 = 1 << 14;
    // The highest type of frame that is registered and in use is ORIGIN.
    const HIGHEST_TYPE: u8 = 0x0c;
    match payload {
        // RFC 8446 section 5.1: a type from 20 to 24, then a version of TLS.
        [0x14..=0x18, 3, 0..=4, ..] => Begins::Tls,
        [high, middle, low, kind, _, stream, ..]
            if *kind <= HIGHEST_TYPE
                && *stream < 0x80
                && u32::from_be_bytes([0, *high, *middle, *low]) <= LARGEST =>
        {
            Begins::Http
        }
        _ => {
            let method = payload
                .iter()
                .take_while(|byte| byte.is_ascii_uppercase())
                .count();
            let known = (3..=24).contains(&method) && payload.get(method) == Some(&b' ');
            if known { Begins::Http } else { Begins::Other }
        }
    }
}

/// Why not everything is seen of an attachment, from the times of its last packets.
pub(super) fn judge(heard: [u64; Heard::COUNT], kinds: Kinds, now: Timestamp) -> Option<Blind> {
    let recent = |which: Heard| {
        let at = heard.get(which as usize).copied().unwrap_or(0);
        at != 0 && now.since(Timestamp::from_nanos(at)) <= WINDOW
    };
    let both = (recent(Heard::ToServer), recent(Heard::ToClient));
    let payload = (recent(Heard::PayloadToServer), recent(Heard::PayloadToClient));
    match (both, payload) {
        ((false, false), _) => Some(Blind::NoTraffic),
        ((true, false) | (false, true), _) => Some(Blind::OneDirection),
        (_, (false, false)) => Some(Blind::NoPayload),
        (_, (true, false) | (false, true)) => Some(Blind::OneDirection),
        // Nothing of it was in the sample, or HTTP was.
        _ if kinds.http > 0 || kinds.tls + kinds.other == 0 => None,
        _ if kinds.tls > 0 => Some(Blind::Tls),
        _ => Some(Blind::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000_000;
    const LATE: u64 = NOW - 61_000_000_000;

    fn judged(heard: [u64; 4], kinds: [u64; 3]) -> Option<Blind> {
        let [http, tls, other] = kinds;
        judge(heard, Kinds { http, tls, other }, Timestamp::from_nanos(NOW))
    }

    #[test]
    fn each_way_to_see_too_little_has_its_reason() {
        for (heard, kinds, blind) in [
            ([0, 0, 0, 0], [0, 0, 0], Some(Blind::NoTraffic)),
            ([LATE, LATE, LATE, LATE], [9, 0, 0], Some(Blind::NoTraffic)),
            ([NOW, LATE, NOW, LATE], [9, 0, 0], Some(Blind::OneDirection)),
            ([0, NOW, 0, NOW], [0, 0, 0], Some(Blind::OneDirection)),
            ([NOW, NOW, NOW, 0], [9, 0, 0], Some(Blind::OneDirection)),
            ([NOW, NOW, 0, LATE], [0, 0, 0], Some(Blind::NoPayload)),
            ([NOW, NOW, NOW, NOW], [0, 5, 1], Some(Blind::Tls)),
            ([NOW, NOW, NOW, NOW], [0, 0, 5], Some(Blind::NotHttp)),
            // A pod with a plain and a TLS connection; and one of which nothing is in the sample.
            ([NOW, NOW, NOW, NOW], [1, 5, 5], None),
            ([NOW, NOW, NOW, NOW], [0, 0, 0], None),
        ] {
            assert_eq!(judged(heard, kinds), blind, "{heard:?} {kinds:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_segment_tells_its_protocol() {
        let kind = |payload: &[u8]| match begins(payload) {
            Begins::Http => "http",
            Begins::Tls => "tls",
            Begins::Other => "other",
        };
        assert_eq!(kind(b"GET / HTTP/1.1\r\n"), "http");
        assert_eq!(kind(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "http");
        // HEADERS of 38 bytes on stream 1.
        assert_eq!(kind(&[0, 0, 38, 1, 5, 0, 0, 0, 1, 0x82]), "http");
        assert_eq!(kind(&[0x16, 3, 1, 2, 0, 1]), "tls");
        assert_eq!(kind(&[0x17, 3, 3, 0, 30]), "tls");
        for other in [
            b"".as_slice(),
            b"*1\r\n$4\r\nPING\r\n",
            &[0xff; 9],
            b"GETAWAY",
            b"hello world",
        ] {
            assert_eq!(kind(other), "other", "{other:02x?}");
        }
    }

    #[test]
    fn a_label_that_is_used_again_begins_at_nothing() {
        let traffic = Traffic::default();
        let label = LABELLED | 5;
        let segment = Segment {
            at: Timestamp::default(),
            src: shadow_common::flow::Endpoint::default(),
            dst: shadow_common::flow::Endpoint::default(),
            direction: Some(Direction::ToServer),
            ifindex: label,
            seq: shadow_proto::seq::SeqNum(0),
            ack: shadow_proto::seq::SeqNum(0),
            flags: shadow_proto::wire::Flags(0),
            payload: b"GET / HTTP/1.1\r\n",
            missing: 0,
            multipath: None,
        };
        traffic.note(&segment);
        traffic.note(&Segment {
            ifindex: 5,
            ..segment
        });
        traffic.note(&Segment {
            direction: Some(Direction::ToClient),
            ..segment
        });
        assert_eq!(traffic.of(5).http, 1);
        traffic.forget(5);
        assert_eq!(traffic.of(label), Kinds::default());
    }
}
