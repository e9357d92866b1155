//! The latest values by key, bounded in number and bytes.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use shadow_core::compare::{Discrepancy, ShadowResponse};
use shadow_proto::{exchange::Exchange, time::Timestamp};

/// A mismatch, and when it was judged.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) exchange: Arc<Exchange>,
    pub(super) shadow: ShadowResponse,
    pub(super) found: Vec<Discrepancy>,
    pub(super) judged: Timestamp,
}

/// Values by key; the oldest is dropped when it is full. One that is too large for its share is not kept.
#[derive(Debug)]
pub(super) struct Recent<T> {
    known: HashMap<u64, Held<T>>,
    /// Insertions, oldest first; entries that were replaced or removed since are skipped.
    order: VecDeque<(u64, u64)>,
    puts: u64,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Held<T> {
    value: T,
    put: u64,
    bytes: usize,
}

impl<T> Recent<T> {
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
            puts: 0,
            bytes: 0,
            most,
            most_bytes,
        }
    }

    pub(super) fn get(&self, key: u64) -> Option<&T> {
        self.known.get(&key).map(|held| &held.value)
    }

    pub(super) fn put(&mut self, key: u64, value: T, bytes: usize) {
        if bytes > self.most_bytes / 16 {
            return;
        }
        self.remove(key);
        while self.order.len() >= self.most || self.bytes + bytes > self.most_bytes {
            if self.pop().is_none() {
                break;
            }
        }
        self.puts += 1;
        let put = self.puts;
        self.order.push_back((key, put));
        self.bytes += bytes;
        self.known.insert(key, Held { value, put, bytes });
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<T> {
        let held = self.known.remove(&key)?;
        self.bytes -= held.bytes;
        Some(held.value)
    }

    /// Removes old values, from the oldest on.
    pub(super) fn forget(&mut self, is_old: impl Fn(&T) -> bool) {
        while let Some((key, put)) = self.order.front() {
            let held = self.known.get(key).filter(|held| held.put == *put);
            if held.is_some_and(|held| !is_old(&held.value)) {
                return;
            }
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<()> {
        let (key, put) = self.order.pop_front()?;
        if self.known.get(&key).is_some_and(|held| held.put == put) {
            self.remove(key);
        }
        Some(())
    }

    /// How many there are, and their bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let bytes = self.known.values().map(|held| held.bytes).sum();
        assert_eq!(self.bytes, bytes, "what is kept is what is counted");
        (self.known.len(), bytes)
    }
}
