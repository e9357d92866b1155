//! The live source: records out of the ring buffer.
//!
//! Bounds: [`BATCH`] records a poll. Drops: segments not copied because the ring was full are counted by the kernel
//! program; a record that cannot be decoded is counted here.
//!
//! Bias: throughput over latency. The kernel program does not wake this side for each record, because the packet's CPU
//! would pay for the wake-up; the ring is emptied every [`BUSY_WAIT`] while data flows. It is woken early only by a
//! burst that would fill the ring before that.

use std::{
    fmt,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aya::maps::{Map, MapData, RingBuf};
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
};
use shadow_proto::wire::{Segment, record};

use super::{
    Polled, Source, SourceError,
    backlog::Backlog,
    control::{Control, ControlError},
    heartbeat::{self, Heartbeat},
    namespaces::Traffic,
};

/// Records handed on in one poll at most, so that timeouts and the heartbeat are served in time.
pub const BATCH: usize = 4096;

/// How long the ring fills before it is emptied again, while data flows.
pub const BUSY_WAIT: Duration = Duration::from_millis(1);

/// The same on an idle node.
pub const IDLE_WAIT: Duration = Duration::from_millis(20);

/// The reader's counters.
#[derive(Debug)]
pub struct RingCounters {
    records: AtomicU64,
    undecodable: AtomicU64,
    backlog: Backlog,
    /// The most bytes that waited at once since the figure was last taken, and the figure taken then.
    most: AtomicU64,
    taken: AtomicU64,
}

impl RingCounters {
    /// Records read, the undecodable ones too.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Records in another version's format: agent and kernel program do not match.
    pub fn undecodable(&self) -> u64 {
        self.undecodable.load(Ordering::Relaxed)
    }

    /// The most bytes that waited in the ring at once since the last call: as the reader found it, and now.
    pub fn take_most(&self) -> u64 {
        let most = self.most.swap(0, Ordering::Relaxed).max(self.backlog.bytes());
        self.taken.store(most, Ordering::Relaxed);
        most
    }

    /// The figure that [`RingCounters::take_most`] returned last.
    pub fn most(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many bytes the ring holds.
    pub fn size(&self) -> u64 {
        self.backlog.size()
    }

    fn look(&self) {
        self.most.fetch_max(self.backlog.bytes(), Ordering::Relaxed);
    }
}

/// Reads the kernel program's ring, and renews its heartbeat with every poll.
pub struct LiveSource {
    ring: RingBuf<MapData>,
    epoll: OwnedFd,
    heartbeat: Heartbeat,
    counters: Arc<RingCounters>,
    /// Set where attachments have labels.
    traffic: Option<Arc<Traffic>>,
    /// Doubles while the ring is empty.
    pause: Duration,
}

impl fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counters, pause, .. } = self;
        f.debug_struct("LiveSource")
            .field("counters", counters)
            .field("pause", pause)
            .finish_non_exhaustive()
    }
}

impl LiveSource {
    /// `size` is that of the ring in bytes.
    pub(crate) fn new(
        map: Map,
        size: u32,
        control: Control,
        deadline: Duration,
    ) -> Result<Self, ControlError> {
        let what = "use the ring buffer";
        let ring = RingBuf::try_from(map).map_err(ControlError::map(what))?;
        let backlog = Backlog::of(&ring, size.into()).map_err(|error| ControlError::Map {
            what,
            reason: error.to_string(),
        })?;
        let failed = |error: Errno| ControlError::Map {
            what,
            reason: error.to_string(),
        };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        // Edge-triggered: level-triggered would report data at once, and batches would not accumulate.
        let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, ring.as_fd(), epoll::EventData::new_u64(0), edge).map_err(failed)?;
        Ok(Self {
            ring,
            epoll,
            heartbeat: Heartbeat::new(control, deadline),
            counters: Arc::new(RingCounters {
                records: AtomicU64::new(0),
                undecodable: AtomicU64::new(0),
                backlog,
                most: AtomicU64::new(0),
                taken: AtomicU64::new(0),
            }),
            traffic: None,
            pause: BUSY_WAIT,
        })
    }

    /// Also counts the segments of labelled attachments.
    pub(crate) fn count_labels(&mut self, traffic: Arc<Traffic>) {
        self.traffic = Some(traffic);
    }

    /// The reader's own counters.
    pub fn counters(&self) -> Arc<RingCounters> {
        Arc::clone(&self.counters)
    }

    fn drain(&mut self, sink: &mut dyn FnMut(&Segment<'_>)) -> usize {
        let mut records = 0;
        let mut undecodable = 0;
        while records < BATCH {
            let Some(item) = self.ring.next() else { break };
            records += 1;
            match record::decode(&item) {
                Ok(segment) => {
                    if let Some(traffic) = &self.traffic {
                        traffic.note(&segment);
                    }
                    sink(&segment);
                }
                Err(_) => undecodable += 1,
            }
        }
        if records > 0 {
            let counters = &self.counters;
            counters.records.fetch_add(records as u64, Ordering::Relaxed);
            counters.undecodable.fetch_add(undecodable, Ordering::Relaxed);
        }
        records
    }

    /// Waits until the kernel program signals that the ring fills, or until `wait` has passed.
    fn wait(&self, wait: Duration) -> Result<(), SourceError> {
        let wait = Timespec::try_from(wait).map_err(|error| SourceError::Wait(error.to_string()))?;
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 1];
        match epoll::wait(&self.epoll, &mut events, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(SourceError::Wait(error.to_string())),
        }
    }
}

impl Source for LiveSource {
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        self.heartbeat
            .beat(heartbeat::now())
            .map_err(|error| SourceError::Heartbeat(error.to_string()))?;
        // A full batch means that more is there: no pause before the next one.
        self.wait(self.pause.min(wait))?;
        self.counters.look();
        let records = self.drain(sink);
        self.pause = match records {
            0 => (self.pause * 2).clamp(BUSY_WAIT, IDLE_WAIT),
            BATCH => Duration::ZERO,
            _ => BUSY_WAIT,
        };
        Ok(if records == 0 {
            Polled::Idle
        } else {
            Polled::Segments(records)
        })
    }
}
