//! Which of two agents reports an exchange, while one takes over from the other.
//!
//! Both capture the same packets. At one moment the predecessor lists the connections that it follows, each with the
//! sequence number up to which it knows the client's bytes: the [`Cut`]. A request that begins before it, on that
//! connection, is the predecessor's; every other one is the successor's. Sequence numbers are the same for both, their
//! clocks and places in the stream are not. The successor was attached before the list was made, so it has seen every
//! byte that is not before the cut. Requests of one HTTP/2 connection are not divided: all are the predecessor's.
//!
//! Bounds: as many connections as the engine's table has. Bias: an exchange that both could report is never replayed
//! twice.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst},
        mpsc,
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use shadow_common::flow::{Endpoint, FlowKey};
use shadow_proto::{
    engine::{Engine, Followed},
    exchange::{Exchange, Place},
    seq::SeqNum,
    time::Timestamp,
};

/// The exchanges that the predecessor keeps.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cut {
    /// Connections between the same endpoints follow each other.
    flows: HashMap<FlowKey, Vec<Kept>>,
}

/// The part of one connection that the predecessor keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Kept {
    opened: Option<SeqNum>,
    /// The first byte that is not its; `None` when the whole connection is.
    to: Option<SeqNum>,
}

/// One connection of a [`Cut`], as it is sent to the successor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CutFlow {
    a: SocketAddr,
    b: SocketAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<u32>,
}

impl Cut {
    fn of(followed: &[Followed]) -> Self {
        let kept = |one: &Followed| {
            let (opened, to) = (one.opened, one.next);
            one.keys
                .clone()
                .into_iter()
                .map(move |key| (key, Kept { opened, to }))
        };
        Self::with(followed.iter().flat_map(kept))
    }

    fn with(all: impl Iterator<Item = (FlowKey, Kept)>) -> Self {
        let mut flows: HashMap<FlowKey, Vec<Kept>> = HashMap::new();
        for (key, kept) in all {
            flows.entry(key).or_default().push(kept);
        }
        Self { flows }
    }

    /// From what was sent.
    pub fn received(sent: Vec<CutFlow>) -> Self {
        let endpoint = |address: SocketAddr| {
            let octets = match address.ip() {
                std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                std::net::IpAddr::V6(ip) => ip.octets(),
            };
            Endpoint::v6(octets, address.port())
        };
        let flow = |CutFlow { a, b, opened, to }| {
            let kept = Kept {
                opened: opened.map(SeqNum),
                to: to.map(SeqNum),
            };
            (FlowKey::new(endpoint(a), endpoint(b)), kept)
        };
        Self::with(sent.into_iter().map(flow))
    }

    /// To be sent.
    pub fn sent(&self) -> Vec<CutFlow> {
        let address = |end: Endpoint| SocketAddr::new(std::net::Ipv6Addr::from(end.addr).into(), end.port);
        let all = self
            .flows
            .iter()
            .flat_map(|(key, all)| all.iter().map(move |kept| (key, kept)));
        let flow = |(key, kept): (&FlowKey, &Kept)| CutFlow {
            a: address(key.low),
            b: address(key.high),
            opened: kept.opened.map(|seq| seq.0),
            to: kept.to.map(|seq| seq.0),
        };
        all.map(flow).collect()
    }

    /// Connections, each under every pair of addresses.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Whether an exchange is the predecessor's.
    pub fn keeps(&self, exchange: &Exchange) -> bool {
        let kept = self
            .flows
            .get(&FlowKey::new(exchange.flow.client, exchange.flow.server));
        kept.is_some_and(|all| all.iter().any(|kept| kept.has(exchange.place)))
    }

    /// Connections with exchanges of the predecessor that are not done.
    fn unfinished(&self, followed: &[Followed]) -> usize {
        let is_kept = |one: &&Followed| {
            let kept = one.keys.first().and_then(|key| self.flows.get(key));
            let (opened, begins) = (one.opened, one.unfinished);
            let open =
                |kept: &Kept| (kept.to.is_none() || begins.is_some()) && kept.has(Place { opened, begins });
            one.is_open && kept.is_some_and(|all| all.iter().any(open))
        };
        followed.iter().filter(is_kept).count()
    }
}

impl Kept {
    fn has(self, place: Place) -> bool {
        if let (Some(kept), Some(seen)) = (self.opened, place.opened)
            && kept != seen
        {
            // Another connection between the same endpoints.
            return false;
        }
        match (self.to, place.begins) {
            (None, _) => true,
            // It changed to HTTP/2 after the cut.
            (Some(_), None) => false,
            (Some(to), Some(begins)) => begins.is_before(to),
        }
    }
}

/// The side of the cut on which this agent is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    /// It hands over.
    Predecessor,
    /// It has taken over.
    Successor,
}

/// Which exchanges are this agent's; shared with the capture thread.
#[derive(Debug, Default)]
pub struct Ownership {
    cut: ArcSwapOption<(Side, Cut)>,
    wanted: Mutex<Option<CutOrder>>,
    is_wanted: AtomicBool,
    unfinished: AtomicU64,
    /// Whether the capture thread remembers connections that end, because somebody is about to take over.
    logs: AtomicBool,
    is_logging: AtomicBool,
    inherited: OnceLock<Instant>,
}

/// How long exchanges that a predecessor has begun may still come after its end.
const LATE: Duration = Duration::from_mins(1);

/// An order to the capture thread to make a cut.
#[derive(Debug)]
pub(super) struct CutOrder {
    /// The list is made after every segment captured before this time.
    after: Timestamp,
    cut_tx: mpsc::SyncSender<Cut>,
}

impl CutOrder {
    /// Whether a segment captured at this time is recent enough.
    pub(super) fn is_due(&self, at: Timestamp) -> bool {
        at >= self.after
    }
}

impl Ownership {
    /// Of an agent that takes over.
    pub fn successor(cut: Cut) -> Self {
        let own = Self::default();
        own.cut.store(Some((Side::Successor, cut).into()));
        own
    }

    /// Somebody is about to attach and take over: connections that end meanwhile will be in the cut.
    pub fn prepare(&self) {
        self.logs.store(true, SeqCst);
    }

    /// Whether the capture thread does so.
    pub fn is_prepared(&self) -> bool {
        self.is_logging.load(SeqCst)
    }

    /// Orders a cut. From the moment at which it is received, what is not in it is skipped.
    pub fn order(&self, after: Timestamp) -> mpsc::Receiver<Cut> {
        let (cut_tx, cut_rx) = mpsc::sync_channel(1);
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(CutOrder { after, cut_tx });
        self.is_wanted.store(true, SeqCst);
        cut_rx
    }

    /// Every exchange is this agent's again.
    pub fn take_all(&self) {
        self.is_wanted.store(false, SeqCst);
        self.logs.store(false, SeqCst);
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.cut.store(None);
    }

    /// The predecessor has ended: whole connections that it kept are this agent's from now on.
    pub fn inherit(&self) {
        let Some(held) = self.cut.load_full() else { return };
        let (side, mut cut) = (held.0, held.1.clone());
        for all in cut.flows.values_mut() {
            all.retain(|kept| kept.to.is_some());
        }
        self.cut.store(Some((side, cut).into()));
        self.inherited.get_or_init(Instant::now);
    }

    /// Connections with exchanges that this agent has to finish before it ends.
    pub fn unfinished(&self) -> u64 {
        self.unfinished.load(Relaxed)
    }

    /// Whether another agent reports this exchange.
    pub(super) fn is_anothers(&self, exchange: &Exchange) -> bool {
        match self.cut.load().as_deref() {
            None => false,
            Some((Side::Predecessor, cut)) => !cut.keeps(exchange),
            Some((Side::Successor, cut)) => cut.keeps(exchange),
        }
    }

    /// The order, once.
    pub(super) fn wanted(&self) -> Option<CutOrder> {
        if !self.is_wanted.swap(false, SeqCst) {
            return None;
        }
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Makes the cut here, between two segments. Without it when too many connections have ended meanwhile.
    pub(super) fn cut(&self, engine: &mut Engine, order: &CutOrder) {
        let Some(followed) = engine.followed() else { return };
        let cut = Cut::of(&followed);
        self.unfinished.store(cut.unfinished(&followed) as u64, Relaxed);
        let before = self.cut.swap(Some((Side::Predecessor, cut.clone()).into()));
        self.logs.store(false, SeqCst);
        if order.cut_tx.send(cut).is_err() {
            // Nobody waits any more.
            self.cut.store(before);
        }
    }

    /// Called a few times a second: counts what is still to be finished, and forgets a cut that nothing follows from.
    pub(super) fn count(&self, engine: &mut Engine) {
        if let Some((Side::Predecessor, cut)) = self.cut.load().as_deref() {
            let left = engine.followed().map_or(0, |followed| cut.unfinished(&followed));
            self.unfinished.store(left as u64, Relaxed);
        }
        if self.inherited.get().is_some_and(|at| at.elapsed() > LATE)
            && matches!(self.cut.load().as_deref(), Some((Side::Successor, _)))
        {
            self.cut.store(None);
        }
    }

    /// Turns the log of connections that end on or off. Called before segments are read.
    pub(super) fn log(&self, engine: &mut Engine) {
        let logs = self.logs.load(SeqCst);
        if logs {
            engine.log_ended();
        } else {
            engine.forget_ended();
        }
        self.is_logging.store(logs, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::exchange as made;

    fn at(opened: Option<u32>, begins: Option<u32>) -> Exchange {
        let mut exchange = *made("GET", "/", "");
        exchange.place = Place {
            opened: opened.map(SeqNum),
            begins: begins.map(SeqNum),
        };
        exchange
    }

    fn cut(opened: Option<u32>, to: Option<u32>) -> Cut {
        let flow = made("GET", "/", "").flow;
        Cut::of(&[Followed {
            keys: vec![FlowKey::new(flow.client, flow.server)],
            opened: opened.map(SeqNum),
            next: to.map(SeqNum),
            unfinished: None,
            is_open: true,
        }])
    }

    #[test]
    fn every_exchange_is_the_predecessors_or_the_successors() {
        // Also where sequence numbers wrap.
        let cut = cut(Some(7), Some(3));
        let before = Ownership::default();
        before.cut.store(Some((Side::Predecessor, cut.clone()).into()));
        let after = Ownership::successor(Cut::received(cut.sent()));
        for (exchange, is_predecessors) in [
            (at(Some(7), Some(u32::MAX - 5)), true),
            (at(Some(7), Some(2)), true),
            (at(None, Some(2)), true),
            (at(Some(7), Some(3)), false),
            (at(Some(7), Some(400)), false),
            (at(Some(8), Some(2)), false),
            (at(Some(7), None), false),
        ] {
            assert_eq!(
                before.is_anothers(&exchange),
                !is_predecessors,
                "{:?}",
                exchange.place
            );
            assert_eq!(
                after.is_anothers(&exchange),
                is_predecessors,
                "{:?}",
                exchange.place
            );
        }
        before.take_all();
        assert!(!before.is_anothers(&at(Some(8), Some(2))));
    }

    #[test]
    fn a_whole_connection_is_inherited_when_its_agent_has_ended() {
        let own = Ownership::successor(cut(None, None));
        assert!(own.is_anothers(&at(None, None)));
        own.inherit();
        assert!(!own.is_anothers(&at(None, None)));
    }
}
