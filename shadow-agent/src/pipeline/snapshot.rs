//! The counters of a pipeline at one moment.

use shadow_proto::engine::{Counters, Usage};

use super::settings::Role;
use crate::replay::BreakerState;

/// The capture thread's counters. Published a few times a second, so that reading costs it nothing.
#[derive(Clone, Debug, Default)]
pub struct CaptureCounters {
    /// Segments read from the source.
    pub segments: u64,
    /// Exchanges that came out of the engine, whole or not.
    pub exchanges: u64,
    /// Responses without a known request.
    pub orphans: u64,
    /// Connections that are not read any further.
    pub abandoned: u64,
    /// The engine's own counters.
    pub engine: Counters,
    /// The engine's memory use at that time.
    pub usage: Usage,
}

/// The reason why the capture thread ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The source is exhausted: the end of a file.
    Source,
    /// It was stopped.
    Stopped,
    /// The source cannot continue, or the thread panicked.
    Failed(String),
}

/// One lane at one moment.
#[derive(Clone, Debug, Default)]
pub struct LaneSnapshot {
    /// The target's name.
    pub name: String,
    /// Its role in the comparison.
    pub role: Role,
    /// Exchanges that wait for a replay.
    pub queued: usize,
    /// The capacity of the queue.
    pub queue_room: usize,
    /// The bytes of those that wait or are being replayed.
    pub queued_bytes: usize,
    /// Replays in flight.
    pub in_flight: usize,
    /// Whether the target gets no requests because it fails.
    pub breaker: BreakerState,
    /// How often the breaker opened.
    pub breaker_opened: u64,
    /// Requests that were sent a second time, to measure nondeterminism.
    pub second: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// The kill switch is on.
    pub killed: bool,
}

impl Snapshot {
    /// Replays in flight, of all lanes.
    pub fn in_flight(&self) -> usize {
        self.lanes.iter().map(|lane| lane.in_flight).sum()
    }
}

/// A pipeline at one moment. Each number is right by itself; only after the end do they belong to one instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Of the capture thread, a quarter of a second old at most.
    pub capture: CaptureCounters,
    /// Of each lane, in the order of the configuration; never empty in a running pipeline.
    pub lanes: Vec<LaneSnapshot>,
    /// The kill switch is on.
    pub killed: bool,
    /// The reason why the capture ended, once it has.
    pub ended: Option<Ended>,
    /// The capture has ended and all its exchanges are done.
    pub finished: bool,
}
