//! Sources of segments: the live ring of the kernel program, or a capture file.
//!
//! Owns: everything that touches the kernel (loading, attaching, maps) and capture files. Bounds: one batch per
//! [`Source::poll`]. Drops: what the ring could not take is counted by the kernel program ([`stats`]); what cannot be
//! decoded is counted by the source.

pub mod attach;
mod backlog;
pub mod control;
pub mod fault;
pub mod front;
pub mod guard;
pub mod heartbeat;
pub mod hook;
mod link_state;
pub mod links;
pub mod load;
pub(crate) mod mapped;
pub mod namespaces;
pub mod netlink;
pub mod others;
pub mod packet_log;
pub mod pcap;
pub mod ring;
pub mod stats;
mod stop;
pub mod targets;
pub(crate) mod tcx;

use std::{collections::VecDeque, time::Duration};

use shadow_proto::wire::Segment;

/// Yields segments in the order of capture.
pub trait Source: Send {
    /// Gives at most one batch of segments to `sink`, waiting at most `wait` for the first.
    ///
    /// `sink` must not block: while it does, the ring fills and the heartbeat ages.
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError>;
}

/// Result of a [`Source::poll`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Polled {
    /// This many segments; more may wait.
    Segments(usize),
    /// Nothing within the wait.
    Idle,
    /// The file is at its end: nothing will follow.
    End,
}

/// The source cannot continue.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// Waiting for the ring buffer failed.
    #[error("waiting for captured packets failed: {0}")]
    Wait(String),
    /// The kernel program's control map cannot be written, so it will stop copying at its deadline.
    #[error("the heartbeat of the kernel program cannot be renewed: {0}")]
    Heartbeat(String),
    /// A file forbids the operation.
    #[error("{0}")]
    Refused(String),
    /// A capture file cannot be read any further.
    #[error("the capture file cannot be read any further: {0}")]
    File(String),
}

/// A segment that owns its payload: input of tests.
#[derive(Clone, Debug)]
pub struct OwnedSegment {
    /// Everything but the payload, whose slice is empty here.
    pub facts: Segment<'static>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Segments from memory, for tests: one batch per poll.
#[derive(Debug, Default)]
pub struct VecSource {
    batches: VecDeque<Vec<OwnedSegment>>,
}

impl VecSource {
    /// A source of these batches; after the last one it is at its end.
    pub fn new(batches: impl IntoIterator<Item = Vec<OwnedSegment>>) -> Self {
        Self {
            batches: batches.into_iter().collect(),
        }
    }
}

impl Source for VecSource {
    fn poll(&mut self, _wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        let Some(batch) = self.batches.pop_front() else {
            return Ok(Polled::End);
        };
        if batch.is_empty() {
            return Ok(Polled::Idle);
        }
        for OwnedSegment { facts, payload } in &batch {
            sink(&Segment { payload, ..*facts });
        }
        Ok(Polled::Segments(batch.len()))
    }
}
