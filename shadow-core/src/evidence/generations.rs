//! A bounded table that forgets what was not used for the longest time.

use hashbrown::HashMap;

/// A table of two generations: when the young one is full, the old one is dropped.
#[derive(Debug)]
pub(super) struct Generations<T> {
    young: HashMap<u64, T>,
    old: HashMap<u64, T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<T: Default> Generations<T> {
    pub(super) fn len(&self) -> u64 {
        (self.young.len() as u64).saturating_add(self.old.len() as u64)
    }

    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = &T> {
        self.young.get(&key).into_iter().chain(self.old.get(&key))
    }

    /// The entry of a key, and how many entries were dropped for it.
    pub(super) fn entry(&mut self, key: u64, limit: usize) -> (&mut T, u64) {
        let mut gone = 0;
        if !self.young.contains_key(&key) && self.young.len() >= limit.div_ceil(2) {
            let old = core::mem::replace(&mut self.old, core::mem::take(&mut self.young));
            gone = old.len() as u64;
        }
        let former = self.old.remove(&key).unwrap_or_default();
        (self.young.entry(key).or_insert(former), gone)
    }
}
