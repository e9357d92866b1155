//! The order in which replays depend on each other.
//!
//! Owns: which replays must have ended before one may be sent. A replay depends on an earlier one that introduces a
//! value it has, and, where either of them changes something, on one that has the same identifier or session. Reads do
//! not depend on each other. Bounds: by the caller, who ends each replay once; a session with more than [`SHARED`]
//! replays at once is a client of many users, and has no order. No clock: waiting is the caller's.

use hashbrown::{HashMap, HashSet};

/// Replays of one session at once.
const SHARED: usize = 32;

/// The dependencies of a replay, by the hashes of [`super::Carried`] and [`super::Introduced`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Claims<'c> {
    /// Identifiers that its request has.
    pub ids: &'c [u64],
    /// The session that its request belongs to.
    pub session: &'c [u64],
    /// Values that production's answer to it introduced.
    pub introduces: &'c [u64],
    /// Whether it changes something.
    pub is_write: bool,
}

/// The replays that have begun and not ended, and those that wait for them.
#[derive(Debug, Default)]
pub struct Order {
    replays: HashMap<u64, Node>,
    keys: HashMap<u64, Key>,
}

#[derive(Debug, Default)]
struct Node {
    /// Replays that it waits for; one counts several times if it has several reasons.
    blockers: usize,
    dependents: Vec<u64>,
    keys: Vec<u64>,
}

/// Who has claimed a value.
#[derive(Debug, Default)]
struct Key {
    /// The latest replay that changes or introduces it.
    writer: Option<u64>,
    /// Those that only have it, since then.
    readers: HashSet<u64>,
}

impl Key {
    fn is_free(&self) -> bool {
        self.writer.is_none() && self.readers.is_empty()
    }
}

impl Order {
    /// Adds a replay after all earlier ones; `id` must be new. Returns whether it may be sent at once; otherwise
    /// [`Order::end`] returns it later.
    pub fn begin(&mut self, id: u64, claims: Claims<'_>) -> bool {
        let Claims {
            ids,
            session,
            introduces,
            is_write,
        } = claims;
        let mut blocking = Vec::new();
        let mut keys = Vec::with_capacity(ids.len().saturating_add(session.len()));
        for (key, is_session) in ids
            .iter()
            .map(|key| (*key, false))
            .chain(session.iter().map(|key| (*key, true)))
        {
            let entry = self.keys.entry(key).or_default();
            if is_session && entry.readers.len() > SHARED {
                continue;
            }
            let Key { writer, readers } = entry;
            blocking.extend(writer.filter(|writer| *writer != id));
            if is_write {
                blocking.extend(readers.drain().filter(|reader| *reader != id));
                *writer = Some(id);
            } else if *writer != Some(id) {
                readers.insert(id);
            }
            keys.push(key);
        }
        for key in introduces {
            let entry = self.keys.entry(*key).or_default();
            // The first one resolves it for all.
            if entry.writer.is_none() {
                entry.writer = Some(id);
                keys.push(*key);
            }
        }
        let mut blockers = 0usize;
        for other in blocking {
            if let Some(other) = self.replays.get_mut(&other) {
                other.dependents.push(id);
                blockers = blockers.saturating_add(1);
            }
        }
        self.replays.insert(
            id,
            Node {
                blockers,
                dependents: Vec::new(),
                keys,
            },
        );
        blockers == 0
    }

    /// A replay has ended, or will never be sent. Returns those that may be sent now, in the order in which they began
    /// to wait.
    pub fn end(&mut self, id: u64) -> Vec<u64> {
        let Some(node) = self.replays.remove(&id) else {
            return Vec::new();
        };
        for key in node.keys {
            let Some(entry) = self.keys.get_mut(&key) else {
                continue;
            };
            if entry.writer == Some(id) {
                entry.writer = None;
            }
            entry.readers.remove(&id);
            if entry.is_free() {
                self.keys.remove(&key);
            }
        }
        let mut free = Vec::new();
        for dependent in node.dependents {
            if let Some(node) = self.replays.get_mut(&dependent) {
                node.blockers = node.blockers.saturating_sub(1);
                if node.blockers == 0 {
                    free.push(dependent);
                }
            }
        }
        free
    }

    /// Replays that have begun and not ended.
    pub fn len(&self) -> usize {
        self.replays.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.replays.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ids: &[u64]) -> Claims<'_> {
        Claims {
            ids,
            ..Claims::default()
        }
    }

    fn write(ids: &[u64]) -> Claims<'_> {
        Claims {
            is_write: true,
            ..read(ids)
        }
    }

    #[test]
    fn a_request_waits_for_the_exchange_that_introduces_its_value() {
        let mut order = Order::default();
        let create = Claims {
            introduces: &[7],
            is_write: true,
            ..Claims::default()
        };
        assert!(order.begin(1, create));
        assert!(!order.begin(2, read(&[7])));
        assert!(!order.begin(3, read(&[7, 8])));
        assert!(order.begin(4, read(&[8])), "unrelated");
        assert_eq!(order.end(1), [2, 3]);
        assert!(order.begin(5, read(&[7])), "it is known now");
        for id in 2..6 {
            assert!(order.end(id).is_empty());
        }
        assert!(order.is_empty() && order.keys.is_empty());
    }

    #[test]
    fn reads_are_concurrent_and_a_write_is_alone() {
        let mut order = Order::default();
        assert!(order.begin(1, read(&[7])));
        assert!(order.begin(2, read(&[7])));
        assert!(!order.begin(3, write(&[7])));
        assert!(!order.begin(4, read(&[7])));
        assert!(!order.begin(5, read(&[7])));
        assert!(!order.begin(6, write(&[7])));
        assert!(order.end(1).is_empty());
        assert_eq!(order.end(2), [3]);
        assert_eq!(order.end(3), [4, 5]);
        assert!(order.end(5).is_empty());
        assert_eq!(order.end(4), [6]);
        assert!(order.end(6).is_empty());
        assert!(order.is_empty() && order.keys.is_empty());
    }

    #[test]
    fn one_that_gives_up_keeps_the_order_of_the_others() {
        let mut order = Order::default();
        assert!(order.begin(1, write(&[7])));
        assert!(!order.begin(2, write(&[7])));
        assert!(!order.begin(3, read(&[7])));
        // It waited too long. The one behind it is then free, although the first has not ended.
        assert_eq!(order.end(2), [3]);
        assert!(order.end(1).is_empty());
        assert!(order.end(3).is_empty());
    }

    #[test]
    fn a_session_of_many_users_has_no_order() {
        let mut order = Order::default();
        let session = |is_write| Claims {
            session: &[9],
            is_write,
            ..Claims::default()
        };
        for id in 0..=SHARED as u64 {
            assert!(order.begin(id, session(false)));
        }
        assert!(order.begin(1000, session(true)));
    }
}
