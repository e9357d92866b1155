//! Times at which bytes moved on a connection to the shadow system.
//!
//! Shadow latency is taken at the socket, not where a task happens to run: just before the last write that took request
//! bytes, and after the first and the last read that brought response bytes. To another host the round trip of the path
//! is subtracted, as production's latency is measured beside the server. That is the smallest one of all connections to
//! the address: one slow handshake (a cold ARP entry, a SYN sent twice) is not evidence about the path.
//!
//! Bias: against the shadow system. A read happens when the replay thread gets to it, some tens of microseconds after
//! the bytes came, and replays are sent in the small batches in which they were captured.

use std::{
    net::SocketAddr,
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::tcp_info;

/// The marks of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    sent: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// The two spans of one exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spans {
    /// Last request byte written to first response byte read.
    pub(super) first_byte: Duration,
    /// Last request byte written to last response byte read.
    pub(super) total: Duration,
    /// Whether the first byte came in less than a round trip, which is impossible.
    pub(super) is_under_path: bool,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            sent: Instant::now(),
            first: None,
            last: None,
        }
    }

    /// Request bytes were handed over; `now` was before that.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.sent = now;
    }

    /// Response bytes came. Until the final response has `begun`, they were interim ones.
    pub(super) fn read(&mut self, now: Instant, begun: bool) {
        self.last = Some(now);
        if begun {
            self.first.get_or_insert(now);
        }
    }

    /// Whether any byte of a response came, final or interim.
    pub(super) fn has_read(&self) -> bool {
        self.last.is_some()
    }

    /// The spans minus a round trip. A response that began before the request was written has a span of zero.
    pub(super) fn spans(&self, rtt: Duration) -> Spans {
        let last = self.last.unwrap_or(self.sent);
        let first = self.first.unwrap_or(last);
        let span = |end: Instant| end.saturating_duration_since(self.sent);
        Spans {
            first_byte: span(first).saturating_sub(rtt),
            total: span(last).saturating_sub(rtt),
            is_under_path: first >= self.sent && span(first) < rtt,
        }
    }
}

/// The smallest round trip to each address of the shadow system.
#[derive(Debug, Default)]
pub(super) struct Paths(Mutex<Vec<(SocketAddr, Duration)>>);

impl Paths {
    /// Records the kernel's measurement on this connection. Zero to the own host, where there is no path to subtract,
    /// and if the kernel does not report one.
    pub(super) fn look(&self, peer: Option<SocketAddr>, socket: &impl AsFd) -> Duration {
        match peer.filter(|peer| !peer.ip().is_loopback()) {
            Some(peer) => self.least(peer, tcp_info::min_rtt(socket.as_fd())),
            None => Duration::ZERO,
        }
    }

    /// The smallest round trip that was measured to an address.
    pub(super) fn known(&self, peer: Option<SocketAddr>) -> Duration {
        match peer.filter(|peer| !peer.ip().is_loopback()) {
            Some(peer) => self.least(peer, None),
            None => Duration::ZERO,
        }
    }

    /// The smallest round trip to an address, including the new measurement.
    fn least(&self, peer: SocketAddr, measured: Option<Duration>) -> Duration {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = paths.iter_mut().find(|(address, _)| *address == peer);
        match (known, measured) {
            (Some((_, least)), measured) => {
                *least = measured.map_or(*least, |measured| measured.min(*least));
                *least
            }
            (None, Some(measured)) => {
                // Connections are made to the addresses of one target only, so there are few.
                paths.push((peer, measured));
                measured
            }
            (None, None) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_slow_handshake_does_not_count() {
        let paths = Paths::default();
        let [near, far] = ["10.0.0.1:80", "10.0.0.2:80"].map(|address| address.parse().unwrap());
        assert_eq!(paths.least(near, None), Duration::ZERO);
        assert_eq!(paths.least(near, Some(900 * MS)), 900 * MS);
        assert_eq!(paths.least(far, Some(30 * MS)), 30 * MS);
        assert_eq!(paths.least(near, Some(20 * MS)), 20 * MS);
        assert_eq!(paths.least(near, Some(700 * MS)), 20 * MS, "another slow one");
        assert_eq!(paths.least(near, None), 20 * MS);
        assert_eq!(paths.least(far, None), 30 * MS, "each address has its own");
    }

    #[test]
    fn a_span_is_never_below_zero_and_says_when_it_would_be() {
        let sent = Instant::now();
        let spans = |first: u32, rtt: u32| {
            let mut marks = Marks::new();
            marks.wrote(sent);
            marks.read(sent + MS, false);
            marks.read(sent + first * MS, true);
            marks.read(sent + 50 * MS, true);
            let spans = marks.spans(rtt * MS);
            (spans.first_byte, spans.total, spans.is_under_path)
        };
        assert_eq!(spans(30, 0), (30 * MS, 50 * MS, false));
        assert_eq!(spans(30, 20), (10 * MS, 30 * MS, false));
        assert_eq!(spans(10, 20), (Duration::ZERO, 30 * MS, true));
    }

    #[test]
    fn an_answer_before_the_end_of_the_request_took_no_time() {
        let mut marks = Marks::new();
        let read = Instant::now();
        marks.read(read, true);
        marks.wrote(read + 5 * MS);
        let spans = marks.spans(MS);
        assert_eq!(
            (spans.first_byte, spans.total, spans.is_under_path),
            (Duration::ZERO, Duration::ZERO, false)
        );
    }
}
