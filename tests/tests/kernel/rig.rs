//! The loaded kernel program under `BPF_PROG_TEST_RUN`: a frame in, records and counters out.

use std::time::Duration;

use aya::programs::{TestRun as _, TestRunOptions};
use rustix::process::geteuid;
use shadow_agent::capture::{
    Source as _,
    attach::Hook,
    load::{LoadOptions, Program},
};
use shadow_common::stat::Stat;
use shadow_core::evidence::report::KernelCounters;
use shadow_proto::wire::{Direction, Segment, multipath::Multipath};

/// The socket mark of the agent that the rig represents.
pub(crate) const MARK: u32 = 0x5d0;

/// A captured segment that owns its payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) to_server: bool,
    pub(crate) src: ([u8; 16], u16),
    pub(crate) dst: ([u8; 16], u16),
    pub(crate) payload: Vec<u8>,
    pub(crate) missing: u32,
    pub(crate) multipath: Option<Multipath>,
}

impl From<&Segment<'_>> for Seen {
    fn from(segment: &Segment<'_>) -> Self {
        Self {
            seq: segment.seq.0,
            ack: segment.ack.0,
            flags: segment.flags.0,
            to_server: segment.direction == Some(Direction::ToServer),
            src: (segment.src.addr, segment.src.port),
            dst: (segment.dst.addr, segment.dst.port),
            payload: segment.payload.to_vec(),
            missing: segment.missing,
            multipath: segment.multipath,
        }
    }
}

/// Prints why a test does nothing.
pub(crate) fn is_root() -> bool {
    let root = geteuid().is_root();
    if !root {
        println!("SKIPPED: loading the kernel program needs root");
    }
    root
}

/// A loaded program that is not attached.
pub(crate) struct Rig {
    pub(crate) program: Program,
    pub(crate) stats: KernelCounters,
}

impl Rig {
    /// Mirrors port 80 on any address.
    pub(crate) fn new() -> Self {
        Self::with(&LoadOptions {
            ring_bytes: 1 << 20,
            mark: MARK,
            ..LoadOptions::default()
        })
    }

    pub(crate) fn with(options: &LoadOptions) -> Self {
        let program = Program::load(options).expect("the kernel program loads");
        program
            .targets
            .set(&["80".parse().unwrap()], &[])
            .expect("targets can be set");
        let mut rig = Self {
            program,
            stats: KernelCounters::default(),
        };
        assert_eq!(rig.read(), [], "the first poll beats the heart and finds nothing");
        rig
    }

    /// The records in the ring.
    pub(crate) fn read(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.program
            .source
            .poll(Duration::ZERO, &mut |segment| seen.push(segment.into()))
            .expect("the ring can be read");
        assert_eq!(self.program.source.counters().undecodable(), 0);
        seen
    }

    /// Runs one frame through a hook; the program must return nothing but "next".
    pub(crate) fn run_at(&mut self, hook: Hook, frame: &[u8], mark: u32) {
        // struct __sk_buff: len, pkt_type, mark.
        let mut context = [0; 12];
        context[8..].copy_from_slice(&mark.to_ne_bytes());
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.ctx_in = Some(&context);
        let program = self.program.attacher.program(hook).expect("the program exists");
        let result = program.test_run(options).expect("the test run works");
        assert_eq!(result.return_value.cast_signed(), -1, "TCX_NEXT for {frame:02x?}");
    }

    /// Runs one frame; returns its fate and what was captured. Checks that exactly one fate was counted.
    pub(crate) fn run(&mut self, frame: &[u8]) -> (Stat, Vec<Seen>) {
        self.run_at(Hook::Ingress, frame, 0);
        self.fate()
    }

    /// The fate of the one packet since the last call.
    pub(crate) fn fate(&mut self) -> (Stat, Vec<Seen>) {
        let now = self.program.stats.read().expect("counters can be read");
        let change = now.since(&self.stats);
        self.stats = now;
        assert_eq!(now.law(), Ok(()));
        assert_eq!(change.get(Stat::Seen), 1, "{change:?}");
        let fate = Stat::fates()
            .find(|&stat| change.get(stat) == 1)
            .expect("one fate");
        let seen = self.read();
        assert_eq!(change.get(Stat::Chunks), seen.len() as u64, "{change:?}");
        (fate, seen)
    }

    /// Nanoseconds for each of many runs of one frame.
    pub(crate) fn time(&mut self, frame: &[u8], repeat: u32) -> u128 {
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.repeat = repeat;
        let program = self
            .program
            .attacher
            .program(Hook::Ingress)
            .expect("the program exists");
        let result = program.test_run(options).expect("the test run works");
        self.stats = self.program.stats.read().expect("counters can be read");
        // The kernel already returns the mean.
        result.duration.as_nanos()
    }
}
