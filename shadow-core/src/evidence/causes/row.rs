//! Counts of features over a number of exchanges.

use super::features::Lost;
use crate::evidence::trend::Slices;

/// Features of one row.
const WIDE: usize = 512;

/// Counts of all rows together: 8 MiB.
const ALL: usize = 1 << 20;

/// Id of a feature.
pub(super) type FeatureId = u16;

/// Counts of the features of one set of exchanges.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The exchanges.
    pub(super) all: u64,
    /// The number of the exchange that was counted last.
    pub(super) latest: u64,
    /// The exchanges over time.
    pub(super) slices: Slices,
    /// By feature, in ascending order.
    counts: Vec<(FeatureId, u32)>,
}

/// The number of counts in all rows, and of exchanges.
#[derive(Debug, Default)]
pub(super) struct Room {
    used: usize,
    exchanges: u64,
}

impl Room {
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Gives back the counts of a row that is dropped.
    pub(super) fn free(&mut self, row: &Row) {
        self.used = self.used.saturating_sub(row.counts.len());
    }
}

impl Row {
    /// Counts one exchange with these features, in ascending order.
    pub(super) fn count(&mut self, features: &[FeatureId], slice: usize, room: &mut Room, lost: &mut Lost) {
        room.exchanges = room.exchanges.saturating_add(1);
        self.latest = room.exchanges;
        self.all = self.all.saturating_add(1);
        self.slices.count(slice);
        for feature in features {
            match self.counts.binary_search_by_key(feature, |(known, _)| *known) {
                Ok(at) => {
                    if let Some((_, count)) = self.counts.get_mut(at) {
                        *count = count.saturating_add(1);
                    }
                }
                Err(at) => self.insert(at, (*feature, 1), room, lost),
            }
        }
    }

    /// Counts a feature for every exchange so far.
    pub(super) fn have_all(&mut self, feature: FeatureId, room: &mut Room, lost: &mut Lost) {
        let all = u32::try_from(self.all).unwrap_or(u32::MAX);
        if all == 0 {
            return;
        }
        match self.counts.binary_search_by_key(&feature, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count = all;
                }
            }
            Err(at) => self.insert(at, (feature, all), room, lost),
        }
    }

    fn insert(&mut self, at: usize, count: (FeatureId, u32), room: &mut Room, lost: &mut Lost) {
        if self.counts.len() >= WIDE || room.used >= ALL {
            lost.add(count.0);
            return;
        }
        self.counts.insert(at, count);
        room.used = room.used.saturating_add(1);
    }

    /// Adds the counts of other exchanges.
    pub(super) fn take_over(&mut self, part: Self, room: &mut Room, lost: &mut Lost) {
        room.free(&part);
        self.all = self.all.saturating_add(part.all);
        self.latest = self.latest.max(part.latest);
        self.slices.add(&part.slices);
        for (feature, count) in part.counts {
            match self.counts.binary_search_by_key(&feature, |(known, _)| *known) {
                Ok(at) => {
                    if let Some((_, sum)) = self.counts.get_mut(at) {
                        *sum = sum.saturating_add(count);
                    }
                }
                Err(at) => self.insert(at, (feature, count), room, lost),
            }
        }
    }

    /// Adds its counts to `sums`, by feature.
    pub(super) fn add_to(&self, sums: &mut [u64]) {
        for (feature, count) in &self.counts {
            if let Some(sum) = sums.get_mut(usize::from(*feature)) {
                *sum = sum.saturating_add(u64::from(*count));
            }
        }
    }
}
