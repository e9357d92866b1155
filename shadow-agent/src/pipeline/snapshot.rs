//! The counters of a pipeline at one moment.

use shadow_proto::engine::{Counters, Usage};

use super::lane::Role;
use crate::replay::BreakerState;

/// What the capture thread has counted. Published a few times a second, so that reading costs it nothing.
#[derive(Clone, Debug, Default)]
pub struct CaptureCounters {
    /// Segments that the source gave.
    pub segments: u64,
    /// Exchanges that came out of the engine, whole or not.
    pub exchanges: u64,
    /// Responses without a known request.
    pub orphans: u64,
    /// Connections that are not read any further.
    pub abandoned: u64,
    /// The engine's own.
    pub engine: Counters,
    /// What the engine held then.
    pub usage: Usage,
}

/// Why the capture thread ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The source has nothing more: the end of a file.
    Source,
    /// It was told to stop.
    Stopped,
    /// The source cannot go on, or the thread panicked.
    Failed(String),
}

/// One lane at one moment.
#[derive(Clone, Debug, Default)]
pub struct LaneSnapshot {
    /// The target's name.
    pub name: String,
    /// What it is compared for.
    pub role: Role,
    /// Exchanges that wait for a replay.
    pub queued: usize,
    /// How many may.
    pub queue_room: usize,
    /// The bytes of those that wait or are being replayed.
    pub queued_bytes: usize,
    /// Replays under way.
    pub in_flight: usize,
    /// Whether the target is left alone because it fails.
    pub breaker: BreakerState,
    /// How often it was.
    pub breaker_opened: u64,
    /// Requests that were sent a second time, to learn what differs by itself.
    pub second: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// The kill switch is on.
    pub killed: bool,
}

impl Snapshot {
    /// Replays under way, of all lanes.
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
    /// Why the capture ended, once it has.
    pub ended: Option<Ended>,
    /// The capture has ended and everything behind it is done.
    pub finished: bool,
}
