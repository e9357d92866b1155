//! The kernel program's counters, summed over CPUs.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aya::maps::{Map, MapData, PerCpuArray};
use shadow_common::stat::Stat;

use super::control::ControlError;

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KernelStats {
    counts: [u64; Stat::COUNT],
}

impl KernelStats {
    /// One counter.
    pub fn get(&self, stat: Stat) -> u64 {
        self.counts.get(stat.index()).copied().unwrap_or(0)
    }

    /// Every counter with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Stat::ALL.into_iter().map(|stat| (stat.as_str(), self.get(stat)))
    }

    /// The difference to `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts;
        for (count, before) in counts.iter_mut().zip(earlier.counts) {
            *count = count.saturating_sub(before);
        }
        Self { counts }
    }

    /// Checks that every packet that was seen has exactly one fate.
    ///
    /// Exact when no packet is in progress. On live traffic a few are counted as seen and not yet as anything else.
    pub fn law(&self) -> Result<(), String> {
        let seen = self.get(Stat::Seen);
        let fates: u64 = Stat::fates().map(|stat| self.get(stat)).sum();
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

/// Reads the counters of a loaded kernel program.
#[derive(Clone)]
pub struct StatsReader {
    map: Arc<Mutex<PerCpuArray<MapData, [u64; Stat::COUNT]>>>,
}

impl fmt::Debug for StatsReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsReader").finish_non_exhaustive()
    }
}

impl StatsReader {
    pub(crate) fn new(map: Map) -> Result<Self, ControlError> {
        let map = PerCpuArray::try_from(map).map_err(ControlError::map("use the counter map"))?;
        Ok(Self {
            map: Arc::new(Mutex::new(map)),
        })
    }

    /// The counters now.
    pub fn read(&self) -> Result<KernelStats, ControlError> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let per_cpu = map.get(&0, 0).map_err(ControlError::map("read the counters"))?;
        let mut sum = KernelStats::default();
        for cpu in per_cpu.iter() {
            for (total, count) in sum.counts.iter_mut().zip(cpu) {
                *total = total.wrapping_add(*count);
            }
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(pairs: &[(Stat, u64)]) -> KernelStats {
        let mut stats = KernelStats::default();
        for &(stat, count) in pairs {
            stats.counts[stat.index()] = count;
        }
        stats
    }

    #[test]
    fn the_law_names_what_does_not_add_up() {
        let good = stats(&[
            (Stat::Seen, 5),
            (Stat::Emitted, 3),
            (Stat::Muted, 2),
            (Stat::Chunks, 9),
        ]);
        assert_eq!(good.law(), Ok(()));
        let bad = stats(&[(Stat::Seen, 5), (Stat::Emitted, 3)]);
        let text = bad.law().unwrap_err();
        assert!(text.contains("5 packets seen, 3 accounted for"), "{text}");
        assert!(text.contains("3 emitted"), "{text}");
    }

    #[test]
    fn differences_are_per_counter() {
        let before = stats(&[(Stat::Seen, 5)]);
        let after = stats(&[(Stat::Seen, 9), (Stat::Emitted, 4)]);
        assert_eq!(
            after.since(&before),
            stats(&[(Stat::Seen, 4), (Stat::Emitted, 4)])
        );
    }
}
