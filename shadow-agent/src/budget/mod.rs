//! The limit on the agent's own resource use, and the part of the sample that it allows.
//!
//! Owns: a share from 0 to 1 by which the sample is multiplied, from one [`Reading`] a second. Over a limit it falls by
//! half, again after [`SETTLE`]; well under every limit for a while it rises by a quarter. Between the two it stays, so
//! that it does not oscillate. Bounds: never over 1, so the budget never raises a sample set elsewhere; never under
//! `floor`, so that recovery is noticed. Bias: too little mirroring rather than too much. Giving way to other processes
//! within a second is done in [`crate::pipeline`] (`idle_cpu`); this module limits only what the agent itself uses.

mod probe;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    time::{Duration, Instant},
};

pub use probe::Probe;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::units::{As, Rate, Size, Span};

/// Time until the effect of a step down shows in the readings.
const SETTLE: Duration = Duration::from_secs(3);

/// Below this share of every limit the share may rise.
const ROOM: f64 = 0.7;

/// Limits on the agent's use of the node. 0 means no limit.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSettings {
    /// Cores, as an average of a second.
    pub cores: f64,
    /// Bytes of resident memory.
    #[serde(with = "As::<Size>")]
    pub memory: u64,
    /// Share of packets that are lost because the ring is full.
    #[serde(with = "As::<Rate>")]
    pub ring_loss: f64,
    /// Share of the ring that waits to be read at once.
    #[serde(with = "As::<Rate>")]
    pub ring_used: f64,
    /// Share of time in which something on the node waits for a CPU (PSI, `some`).
    #[serde(with = "As::<Rate>")]
    pub cpu_pressure: f64,
    /// Share of time in which everything on the node waits for memory (PSI, `full`).
    #[serde(with = "As::<Rate>")]
    pub memory_pressure: f64,
    /// The part of the sample that is always kept.
    #[serde(with = "As::<Rate>")]
    pub floor: f64,
    /// How long usage must stay low before a step up.
    #[serde(with = "As::<Span>")]
    pub calm: Duration,
    /// The share of the node's CPU time that replays leave idle.
    pub idle_cpu: Rate,
    /// The nice value of the threads that replay and compare.
    pub nice: u8,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            cores: 1.0,
            memory: 1 << 30,
            ring_loss: 0.01,
            ring_used: 0.5,
            cpu_pressure: 0.0,
            memory_pressure: 0.2,
            floor: 0.01,
            calm: Duration::from_secs(10),
            idle_cpu: Rate::from_percent(5),
            nice: 5,
        }
    }
}

/// Usage in the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Cores.
    pub cores: f64,
    /// Bytes of resident memory.
    pub memory: u64,
    /// Packets lost because the ring was full.
    pub lost: u64,
    /// Packets copied.
    pub copied: u64,
    /// The largest share of the ring that waited to be read.
    pub waiting: f64,
    /// Share of the last ten seconds in which something waited for a CPU; `None` if the kernel does not report it.
    pub cpu_pressure: Option<f64>,
    /// The same for time in which everything waited for memory.
    pub memory_pressure: Option<f64>,
}

/// The limit that is exceeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The agent's own CPU time.
    Cores,
    /// The agent's own memory.
    Memory,
    /// Packets are lost before the agent reads them.
    RingLoss,
    /// Packets are about to be lost.
    RingUsed,
    /// The node is short of CPU time.
    CpuPressure,
    /// The node is short of memory.
    MemoryPressure,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cores => "its CPU time",
            Self::Memory => "its memory",
            Self::RingLoss => "the packets lost because the ring is full",
            Self::RingUsed => "the part of the ring that waits to be read",
            Self::CpuPressure => "the node's CPU pressure",
            Self::MemoryPressure => "the node's memory pressure",
        })
    }
}

/// The share changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The new share.
    pub share: f64,
    /// The reason for a fall; `None` for a rise.
    pub cause: Option<Cause>,
}

/// The state machine. Time and readings are arguments.
#[derive(Debug)]
pub struct Budget {
    settings: BudgetSettings,
    share: f64,
    /// Readings over a limit, one after the other.
    over: u32,
    changed: Option<Instant>,
    /// Since when usage has been low.
    calm: Option<Instant>,
    /// Since when it has been over a limit at the lowest share.
    spent: Option<Instant>,
}

impl Budget {
    /// Starts with the whole sample.
    pub fn new(settings: BudgetSettings) -> Self {
        Self {
            settings,
            share: 1.0,
            over: 0,
            changed: None,
            calm: None,
            spent: None,
        }
    }

    /// Applies other limits from now on. The share stays, and follows them step by step.
    pub fn set(&mut self, settings: BudgetSettings) {
        self.settings = settings;
    }

    /// The part of the sample that is allowed.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// For how long the lowest share has been too much.
    pub fn spent(&self, now: Instant) -> Option<Duration> {
        self.spent.map(|since| now.saturating_duration_since(since))
    }

    /// Restarts the measurement of how long the lowest share has been too much.
    pub fn forgive(&mut self) {
        self.spent = None;
    }

    /// Records a reading.
    pub fn observe(&mut self, reading: &Reading, now: Instant) -> Option<Step> {
        let worst = self.uses(reading);
        let worst = worst.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let (cause, used) = worst.copied().unwrap_or((Cause::Cores, 0.0));
        if used > 1.0 {
            self.calm = None;
            self.over = self.over.saturating_add(1);
            return self.down(cause, now);
        }
        self.over = 0;
        self.spent = None;
        if used > ROOM || self.share >= 1.0 {
            self.calm = None;
            return None;
        }
        let since = *self.calm.get_or_insert(now);
        if now.saturating_duration_since(since) < self.settings.calm {
            return None;
        }
        self.calm = Some(now);
        Some(self.step((self.share * 1.25).min(1.0), None, now))
    }

    fn down(&mut self, cause: Cause, now: Instant) -> Option<Step> {
        if self.share <= self.settings.floor {
            self.spent.get_or_insert(now);
            return None;
        }
        // A single second may be a report being made; memory is not returned by itself.
        let settled = self
            .changed
            .is_none_or(|at| now.saturating_duration_since(at) >= SETTLE);
        if !settled || (self.over < 2 && cause != Cause::Memory) {
            return None;
        }
        let share = (self.share / 2.0).max(self.settings.floor);
        Some(self.step(share, Some(cause), now))
    }

    fn step(&mut self, share: f64, cause: Option<Cause>, now: Instant) -> Step {
        self.share = share;
        self.changed = Some(now);
        Step { share, cause }
    }

    /// Everything that is limited, as a share of its limit.
    #[expect(
        clippy::cast_precision_loss,
        reason = "bytes of memory and packets of a second"
    )]
    fn uses(&self, reading: &Reading) -> [(Cause, f64); 6] {
        let BudgetSettings {
            cores,
            memory,
            ring_loss,
            ring_used,
            cpu_pressure,
            memory_pressure,
            ..
        } = self.settings;
        let of = |used: f64, limit: f64| if limit > 0.0 { used / limit } else { 0.0 };
        let offered = reading.lost.saturating_add(reading.copied);
        let lost = reading.lost as f64 / offered.max(1) as f64;
        [
            (Cause::Cores, of(reading.cores, cores)),
            (Cause::Memory, of(reading.memory as f64, memory as f64)),
            (Cause::RingLoss, of(lost, ring_loss)),
            (Cause::RingUsed, of(reading.waiting, ring_used)),
            (
                Cause::CpuPressure,
                of(reading.cpu_pressure.unwrap_or(0.0), cpu_pressure),
            ),
            (
                Cause::MemoryPressure,
                of(reading.memory_pressure.unwrap_or(0.0), memory_pressure),
            ),
        ]
    }
}
