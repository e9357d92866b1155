//! The kernel program's counters, summed over CPUs.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aya::maps::{Map, MapData, PerCpuArray};
use shadow_common::stat::Stat;
use shadow_core::evidence::report::KernelCounters;

use super::control::ControlError;

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
    pub fn read(&self) -> Result<KernelCounters, ControlError> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let per_cpu = map.get(&0, 0).map_err(ControlError::map("read the counters"))?;
        let mut sum = KernelCounters::ZERO;
        for cpu in per_cpu.iter() {
            sum.add(cpu);
        }
        Ok(sum)
    }
}
