//! The connections that an engine follows, for another one that is to continue.

use shadow_common::flow::FlowKey;

use super::Engine;
use crate::{flow::Entry, seq::SeqNum};

/// A connection, and how far its client has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Followed {
    /// Every pair of addresses under which it is seen.
    pub keys: Vec<FlowKey>,
    /// The client's initial sequence number, if its SYN was seen.
    pub opened: Option<SeqNum>,
    /// The sequence number after the last byte of the client that has arrived: a request that begins there or later is
    /// not known yet. `None` where streams of requests are interleaved (HTTP/2).
    pub next: Option<SeqNum>,
    /// Where the first request begins that is not done yet.
    pub unfinished: Option<SeqNum>,
    /// Whether it is still read.
    pub is_open: bool,
}

/// Connections that have ended since somebody wanted to know.
#[derive(Debug, Default)]
pub(super) struct EndedLog(Option<Vec<Followed>>);

impl Engine {
    /// Remembers connections that end from now on, as many as may be open at once.
    pub fn log_ended(&mut self) {
        self.ended.0.get_or_insert_default();
    }

    /// Forgets those, and remembers none from now on.
    pub fn forget_ended(&mut self) {
        self.ended.0 = None;
    }

    /// Every open connection of whose client something is known, and those that have ended since
    /// [`Engine::log_ended`]. `None` when there were too many of these.
    pub fn followed(&mut self) -> Option<Vec<Followed>> {
        let mut found = self.ended.0.clone().unwrap_or_default();
        if found.len() > self.settings.limits.flows {
            return None;
        }
        for slot in self.flows.occupied() {
            found.extend(self.follows(slot));
        }
        Some(found)
    }

    /// Remembers a connection that is about to end.
    pub(super) fn note_end(&mut self, slot: usize) {
        let most = self.settings.limits.flows;
        if self.ended.0.as_ref().is_none_or(|log| log.len() > most) {
            return;
        }
        let ended = self.follows(slot).map(|followed| Followed {
            is_open: false,
            ..followed
        });
        self.ended
            .0
            .as_mut()
            .into_iter()
            .for_each(|log| log.extend(ended.clone()));
    }

    fn follows(&mut self, slot: usize) -> Option<Followed> {
        let keys = self.flows.keys(slot).collect();
        let Some(Entry::Open(track)) = self.flows.get(slot) else {
            return None;
        };
        let next = if track.is_serial() {
            // Where nothing came from the client, not even its SYN, nothing is known.
            Some(track.known_end()?)
        } else {
            None
        };
        Some(Followed {
            keys,
            opened: track.opened(),
            next,
            unfinished: track.unfinished(),
            is_open: true,
        })
    }
}
