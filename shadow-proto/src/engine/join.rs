//! One connection that is seen under several pairs of addresses is read once ([`Views`]).
//!
//! All its segments go to the connection that was known first, under its addresses, where those that repeat bytes are
//! duplicates as on any second interface. So nothing depends on which of the views is complete: a view that shows one
//! direction only adds to the others. Bias: of two views that were read apart for a while, the one that was read less
//! is dropped without a report, because the other reports the same exchanges.

use super::Engine;
use crate::{
    exchange::Flow,
    flow::{Entry, Key, Print, Sighting, Views},
    protocol::Event,
    wire::Segment,
};

impl Engine {
    /// Reads a connection once that is seen under several pairs of addresses, because the host translates them.
    #[must_use]
    pub fn join_views(mut self) -> Self {
        self.views = Some(Views::default());
        self
    }

    /// Joins the connection of a segment with the one on which the same segment was seen a moment ago.
    pub(super) fn join(&mut self, key: &Key, segment: &Segment<'_>, print: &Print) {
        let Some(seen) = self
            .views
            .as_ref()
            .and_then(|views| views.find(print, segment.at))
        else {
            return;
        };
        let other = seen.slot;
        if !self.flows.is_current(other, seen.generation) {
            return;
        }
        let Some(mine) = self.flows.find(key) else {
            return self.add_view(*key, segment, seen);
        };
        if mine == other {
            return;
        }
        match (self.weight(mine), self.weight(other)) {
            (Some(mine_read), Some(other_read)) if mine_read > other_read => {
                self.absorb(key, segment, mine, seen);
            }
            (Some(_), _) => {
                self.drop_view(mine);
                self.add_view(*key, segment, seen);
            }
            // It has ended, or is not read any further.
            (None, _) => {}
        }
    }

    /// Remembers the segment with the connection to which it belongs.
    pub(super) fn note(&mut self, key: &Key, segment: &Segment<'_>, print: Print) {
        let Some(slot) = self.flows.find(key) else { return };
        let client = self.flows.flow(slot).map(|flow| flow.client);
        let sighting = Sighting {
            slot,
            generation: self.flows.generation(slot),
            from_client: client == Some(self.flows.named(slot, key, segment).src),
        };
        if let Some(views) = &mut self.views {
            views.note(print, segment.at, sighting);
        }
    }

    /// How much of a connection was read; `None` when it is not read any more.
    fn weight(&mut self, slot: usize) -> Option<(bool, bool, u64)> {
        match self.flows.get(slot)? {
            Entry::Open(track) => Some(track.weight()),
            Entry::Closed(_) | Entry::Abandoned(..) => None,
        }
    }

    /// Gives the addresses of this segment to the connection on which it was seen before.
    fn add_view(&mut self, key: Key, segment: &Segment<'_>, seen: Sighting) {
        while self.flows.len() >= self.settings.limits.flows {
            if !self.evict_one() {
                break;
            }
        }
        if !self.flows.is_current(seen.slot, seen.generation) {
            return;
        }
        let client = if seen.from_client {
            segment.src
        } else {
            segment.dst
        };
        if !self.flows.alias(seen.slot, key, client) {
            return;
        }
        self.out.counters.flows_joined += 1;
        if let Some(&mut Entry::Abandoned(_, reason)) = self.flows.get(seen.slot) {
            self.out.events.push_back(Event::Abandoned(key.flow, reason));
        }
    }

    /// Joins the other way round: this segment's connection takes over the addresses of the one that was seen before.
    fn absorb(&mut self, key: &Key, segment: &Segment<'_>, mine: usize, seen: Sighting) {
        let (Some(own), Some(Flow { client, server })) = (self.flows.flow(mine), self.flows.flow(seen.slot))
        else {
            return;
        };
        let Some(theirs) = self.flows.key(seen.slot) else {
            return;
        };
        self.drop_view(seen.slot);
        let from_client = self.flows.named(mine, key, segment).src == own.client;
        let first = if from_client == seen.from_client {
            client
        } else {
            server
        };
        if self.flows.alias(mine, theirs, first) {
            self.out.counters.flows_joined += 1;
        }
    }

    /// Forgets a view whose exchanges another one reports.
    fn drop_view(&mut self, slot: usize) {
        if let Some((_, Entry::Open(track))) = self.flows.remove(slot) {
            self.buffered = self.buffered.saturating_sub(track.charged);
            self.report_over(track.flow());
        }
    }
}
