//! The kernel program's counters.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shadow_common::stat::Stat;

/// The counters at one moment, summed over CPUs; none for recorded traffic. In JSON an object: each counter by its
/// name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KernelCounters {
    counts: Option<[u64; Stat::COUNT]>,
}

impl KernelCounters {
    /// Counters that are all zero.
    pub const ZERO: Self = Self {
        counts: Some([0; Stat::COUNT]),
    };

    /// Whether a kernel program counted.
    pub fn exist(&self) -> bool {
        self.counts.is_some()
    }

    /// One counter.
    pub fn get(&self, stat: Stat) -> u64 {
        let count = self.counts.as_ref().and_then(|counts| counts.get(stat.index()));
        count.copied().unwrap_or(0)
    }

    /// Sets one counter.
    pub fn set(&mut self, stat: Stat, count: u64) {
        let counts = self.counts.get_or_insert_default();
        if let Some(counter) = counts.get_mut(stat.index()) {
            *counter = count;
        }
    }

    /// Adds the counters of one CPU or of another node, in the order of [`Stat::ALL`].
    pub fn add(&mut self, counts: &[u64; Stat::COUNT]) {
        let totals = self.counts.get_or_insert_default();
        for (total, count) in totals.iter_mut().zip(counts) {
            *total = total.saturating_add(*count);
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        if let Some(counts) = &other.counts {
            self.add(counts);
        }
        self
    }

    /// The difference to `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for stat in Stat::ALL {
            since.set(stat, self.get(stat).saturating_sub(earlier.get(stat)));
        }
        since
    }

    /// Checks that every packet that was seen has exactly one fate.
    ///
    /// Exact when no packet is in progress. On live traffic a few are counted as seen and not yet as anything else.
    pub fn law(&self) -> Result<(), String> {
        let seen = self.get(Stat::Seen);
        let fates = Stat::fates().fold(0, |sum: u64, stat| sum.saturating_add(self.get(stat)));
        if seen == fates {
            return Ok(());
        }
        let parts: Vec<_> = Stat::fates()
            .map(|stat| format!("{} {}", self.get(stat), stat.as_str()))
            .collect();
        Err(format!(
            "{seen} packets seen, {fates} accounted for: {}",
            parts.join(" + ")
        ))
    }
}

impl Serialize for KernelCounters {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let known = Stat::ALL.into_iter().filter(|_| self.exist());
        to.collect_map(known.map(|stat| (stat.as_str(), self.get(stat))))
    }
}

impl<'de> Deserialize<'de> for KernelCounters {
    /// Ignores names that are not known: another version wrote them.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let counts = BTreeMap::<String, u64>::deserialize(from)?;
        let mut counters = Self::default();
        for stat in Stat::ALL.into_iter().filter(|_| !counts.is_empty()) {
            counters.set(stat, counts.get(stat.as_str()).copied().unwrap_or(0));
        }
        Ok(counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(pairs: &[(Stat, u64)]) -> KernelCounters {
        let mut counters = KernelCounters::ZERO;
        for &(stat, count) in pairs {
            counters.set(stat, count);
        }
        counters
    }

    #[test]
    fn the_law_names_what_does_not_add_up() {
        let good = counters(&[
            (Stat::Seen, 5),
            (Stat::Emitted, 3),
            (Stat::Muted, 2),
            (Stat::Chunks, 9),
        ]);
        assert_eq!(good.law(), Ok(()));
        let bad = counters(&[(Stat::Seen, 5), (Stat::Emitted, 3)]);
        let text = bad.law().unwrap_err();
        assert!(text.contains("5 packets seen, 3 accounted for"), "{text}");
        assert!(text.contains("3 emitted"), "{text}");
    }

    #[test]
    fn differences_are_per_counter() {
        let before = counters(&[(Stat::Seen, 5)]);
        let after = counters(&[(Stat::Seen, 9), (Stat::Emitted, 4)]);
        let difference = counters(&[(Stat::Seen, 4), (Stat::Emitted, 4)]);
        assert_eq!(after.since(&before), difference);
        assert_eq!(before.plus(&difference), after);
    }

    #[test]
    fn the_json_names_every_counter_and_none_that_is_not_known() {
        let counted = counters(&[(Stat::Seen, 5), (Stat::RingFull, 2)]);
        let mut json = serde_json::to_value(counted).expect("a map of numbers");
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(Stat::COUNT));
        json["of_a_later_version"] = 7.into();
        let read: KernelCounters = serde_json::from_value(json).expect("numbers");
        assert_eq!(read, counted);
        let recorded = serde_json::to_string(&KernelCounters::default()).expect("a map");
        assert_eq!(recorded, "{}");
        let read: KernelCounters = serde_json::from_str(&recorded).expect("no numbers");
        assert!(!read.exist() && KernelCounters::ZERO.exist());
    }
}
