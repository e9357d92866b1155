//! The table of connections.

use hashbrown::HashMap;
use shadow_common::{
    config::LABELLED,
    flow::{Endpoint, FlowKey},
};

use super::track::{Track, acknowledges_syn};
use crate::{
    exchange::Flow,
    protocol::Abandon,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

/// A connection among those of every network namespace that is captured.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    /// The label of an attachment in another network namespace, or 0: two namespaces may use the same addresses and
    /// ports at once, as they all do on a loopback interface.
    pub(crate) scope: u32,
    pub(crate) flow: FlowKey,
}

impl Key {
    pub(crate) fn of(segment: &Segment<'_>) -> Self {
        let labelled = segment.ifindex & LABELLED != 0;
        Self {
            scope: if labelled { segment.ifindex } else { 0 },
            flow: FlowKey::new(segment.src, segment.dst),
        }
    }
}

/// A known connection.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Being read.
    Open(Box<Track>),
    /// Ended: late segments do not start a new connection.
    Closed(Past),
    /// Not read any further, until it ends.
    Abandoned(Past, Abandon),
}

/// State kept for a connection that is no longer read: the sequence number of its client's SYN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past(Option<SeqNum>);

impl Past {
    fn of(track: &Track) -> Self {
        Self(track.half(Direction::ToServer).isn)
    }

    /// Whether a SYN, or the answer to one, opened this connection. It was captured again, for example on the next
    /// interface that the packet passes: another connection has another number (RFC 9293 section 3.4.1).
    pub(crate) fn began_with(self, segment: &Segment<'_>) -> bool {
        self.0.is_some_and(|isn| {
            if segment.flags.contains(Flags::ACK) {
                acknowledges_syn(segment, isn)
            } else {
                segment.seq == isn
            }
        })
    }
}

/// Other pairs of addresses of one connection. A node translates a connection once or twice.
const MOST_ALIASES: usize = 4;

#[derive(Debug)]
struct Slot {
    generation: u32,
    key: Key,
    flow: Flow,
    /// Other keys of the same connection, with the client's endpoint under each.
    aliases: Vec<(Key, Endpoint)>,
    deadline: Timestamp,
    entry: Option<Entry>,
}

/// Flows by key, in slots that timers can refer to.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
    by_key: HashMap<Key, usize>,
    /// The slot found last: consecutive segments often belong to one connection.
    last: usize,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn find(&mut self, key: &Key) -> Option<usize> {
        let last = self.slots.get(self.last);
        if last.is_some_and(|place| place.entry.is_some() && place.key == *key) {
            return Some(self.last);
        }
        self.last = self.by_key.get(key).copied()?;
        Some(self.last)
    }

    /// Adds a flow; returns its slot and generation.
    pub(crate) fn insert(
        &mut self,
        scope: u32,
        flow: Flow,
        deadline: Timestamp,
        entry: Entry,
    ) -> (usize, u32) {
        let key = Key {
            scope,
            flow: FlowKey::new(flow.client, flow.server),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                key,
                flow,
                aliases: Vec::new(),
                deadline,
                entry: None,
            });
            self.slots.len() - 1
        });
        self.by_key.insert(key, slot);
        let generation = self.slots.get_mut(slot).map_or(0, |place| {
            place.generation = place.generation.wrapping_add(1);
            place.key = key;
            place.flow = flow;
            place.deadline = deadline;
            place.entry = Some(entry);
            place.generation
        });
        (slot, generation)
    }

    /// Adds another pair of addresses to a connection. `false` when it has too many.
    pub(crate) fn alias(&mut self, slot: usize, key: Key, client: Endpoint) -> bool {
        let Some(place) = self.slots.get_mut(slot) else {
            return false;
        };
        if place.aliases.len() >= MOST_ALIASES {
            return false;
        }
        place.aliases.push((key, client));
        self.by_key.insert(key, slot);
        true
    }

    /// The endpoints of a flow.
    pub(crate) fn flow(&self, slot: usize) -> Option<Flow> {
        self.slots.get(slot).map(|place| place.flow)
    }

    /// The key by which a flow was first known.
    pub(crate) fn key(&self, slot: usize) -> Option<Key> {
        self.slots.get(slot).map(|place| place.key)
    }

    /// Every pair of addresses of a flow.
    pub(crate) fn keys(&self, slot: usize) -> impl Iterator<Item = FlowKey> {
        self.slots.get(slot).into_iter().flat_map(|place| {
            let aliases = place.aliases.iter().map(|(alias, _)| alias.flow);
            core::iter::once(place.key.flow).chain(aliases)
        })
    }

    /// The segment with the addresses by which its connection was first known.
    pub(crate) fn named<'a>(&self, slot: usize, key: &Key, segment: &Segment<'a>) -> Segment<'a> {
        let place = self.slots.get(slot).filter(|place| place.key != *key);
        let Some((flow, (_, client))) = place.and_then(|place| {
            let alias = place.aliases.iter().find(|(alias, _)| alias == key)?;
            Some((place.flow, alias))
        }) else {
            return *segment;
        };
        let Flow {
            client: first,
            server,
        } = flow;
        let (src, dst) = if segment.src == *client {
            (first, server)
        } else {
            (server, first)
        };
        Segment { src, dst, ..*segment }
    }

    /// The flow in a slot.
    pub(crate) fn get(&mut self, slot: usize) -> Option<&mut Entry> {
        self.slots.get_mut(slot)?.entry.as_mut()
    }

    /// Whether a timer entry still refers to the flow in its slot.
    pub(crate) fn is_current(&self, slot: usize, generation: u32) -> bool {
        self.slots
            .get(slot)
            .is_some_and(|place| place.generation == generation && place.entry.is_some())
    }

    pub(crate) fn generation(&self, slot: usize) -> u32 {
        self.slots.get(slot).map_or(0, |place| place.generation)
    }

    pub(crate) fn deadline(&self, slot: usize) -> Timestamp {
        self.slots
            .get(slot)
            .map_or_else(Timestamp::default, |place| place.deadline)
    }

    pub(crate) fn set_deadline(&mut self, slot: usize, deadline: Timestamp) {
        if let Some(place) = self.slots.get_mut(slot) {
            place.deadline = deadline;
        }
    }

    /// Keeps only what distinguishes a flow's own SYN from that of the next connection.
    pub(crate) fn retire(&mut self, slot: usize, keep: impl FnOnce(Past) -> Entry) -> Option<Entry> {
        let place = self.slots.get_mut(slot)?;
        let past = match place.entry.as_ref()? {
            Entry::Open(track) => Past::of(track),
            Entry::Closed(past) | Entry::Abandoned(past, _) => *past,
        };
        place.entry.replace(keep(past))
    }

    /// Removes a flow.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<(Key, Entry)> {
        let place = self.slots.get_mut(slot)?;
        let entry = place.entry.take()?;
        for (alias, _) in place.aliases.drain(..) {
            self.by_key.remove(&alias);
        }
        self.by_key.remove(&place.key);
        self.free.push(slot);
        Some((place.key, entry))
    }

    /// Every occupied slot, in order.
    pub(crate) fn occupied(&self) -> Vec<usize> {
        let occupied = |(slot, place): (usize, &Slot)| place.entry.is_some().then_some(slot);
        self.slots.iter().enumerate().filter_map(occupied).collect()
    }
}
