//! The real threads, from segments to the final counters.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use shadow_core::evidence::report::ReportInputs;
use shadow_proto::{
    engine,
    limits::Limits,
    seq::SeqNum,
    time::Timestamp,
    wire::{Direction, Flags, Segment},
};

use super::{
    super::{
        Ended, Hooks, LaneSettings, Mode, PairSettings, Pipeline, PipelineSettings, Replay, Role, Snapshot,
    },
    comparator, flow, gate, ledger, rewrite, skipped,
};
use crate::{
    capture::{Polled, Source, SourceError},
    replay::{ReplaySettings, Target},
};

const REQUEST: &[u8] = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
pub(super) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// How a [`Wire`] continues after its exchanges.
#[derive(Clone, Copy)]
enum Then {
    End,
    Idle,
    Fail,
    Panic,
}

/// One keep-alive connection with this many exchanges, one in each batch.
struct Wire {
    left: usize,
    then: Then,
    pending: VecDeque<(Direction, Flags, &'static [u8])>,
    sent: [u32; 2],
    at: u64,
}

impl Wire {
    fn new(exchanges: usize, then: Then) -> Self {
        let handshake = [
            (Direction::ToServer, Flags::SYN, &b""[..]),
            (Direction::ToClient, Flags::SYN.union(Flags::ACK), b""),
        ];
        Self {
            left: exchanges,
            then,
            pending: handshake.into(),
            sent: [1000, 2000],
            at: 1_000_000,
        }
    }
}

impl Source for Wire {
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError> {
        if self.left == 0 {
            return match self.then {
                Then::End => Ok(Polled::End),
                Then::Fail => Err(SourceError::File("cut off".to_owned())),
                Then::Panic => panic!("as the test asked for"),
                Then::Idle => {
                    std::thread::sleep(wait.min(Duration::from_millis(5)));
                    Ok(Polled::Idle)
                }
            };
        }
        self.left -= 1;
        self.pending.push_back((Direction::ToServer, Flags::ACK, REQUEST));
        self.pending
            .push_back((Direction::ToClient, Flags::ACK, RESPONSE));
        let mut count = 0;
        while let Some((direction, flags, payload)) = self.pending.pop_front() {
            let (own, peer) = match direction {
                Direction::ToServer => (0, 1),
                Direction::ToClient => (1, 0),
            };
            let flow = flow();
            let ends = [flow.client, flow.server];
            self.at += 1000;
            sink(&Segment {
                at: Timestamp::from_nanos(self.at),
                src: ends[own],
                dst: ends[peer],
                direction: Some(direction),
                ifindex: 0,
                seq: SeqNum(self.sent[own]),
                ack: SeqNum(self.sent[peer]),
                flags,
                payload,
                missing: 0,
                multipath: None,
            });
            let syn = u32::from(flags.contains(Flags::SYN));
            self.sent[own] += u32::try_from(payload.len()).unwrap() + syn;
            count += 1;
        }
        Ok(Polled::Segments(count))
    }
}

fn lane(name: &str, mode: Mode) -> LaneSettings {
    LaneSettings {
        name: name.to_owned(),
        role: Role::Shadow,
        ledger: ledger(),
        paused: false,
        samples: None,
        reversed: false,
        mode,
    }
}

pub(super) fn settings(mode: Mode) -> PipelineSettings {
    PipelineSettings {
        unfinished: Arc::default(),
        ownership: Arc::default(),
        engine: engine::Settings {
            limits: Limits::default(),
            digest: true,
            fields: true,
        },
        idle_cpu: 0,
        nice: None,
        lanes: vec![lane("shadow", mode)],
    }
}

pub(super) fn replay_to(address: SocketAddr) -> Mode {
    Mode::Replay(Box::new(Replay {
        target: Target::at(address),
        settings: ReplaySettings::default(),
        mark: None,
        gate: gate(),
        rewrite: rewrite(),
        comparator: comparator(),
        pairs: PairSettings::default(),
        values: None,
    }))
}

pub(super) fn wait_until(what: &str, pipeline: &Pipeline, done: impl Fn(&Snapshot) -> bool) {
    let begin = Instant::now();
    while !done(&pipeline.snapshot()) {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{what}: {:?}",
            pipeline.snapshot()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A server on its own thread that answers every request alike, or never.
pub(super) fn serve(response: Option<&'static [u8]>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while std::io::Read::read(&mut stream, &mut buffer).is_ok_and(|read| read > 0) {
                    if let Some(response) = response {
                        let _gone = std::io::Write::write_all(&mut stream, response);
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_file_is_observed_to_its_end() {
    let beats = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&beats);
    let hooks = Hooks {
        heartbeat: Box::new(move || {
            count.fetch_add(1, SeqCst);
        }),
        ..Hooks::none()
    };
    let source = Box::new(Wire::new(50, Then::End));
    let pipeline = Pipeline::start(source, hooks, settings(Mode::Observe)).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    let snapshot = pipeline.stop(Duration::ZERO);
    assert_eq!(snapshot.ended, Some(Ended::Source));
    assert_eq!((snapshot.capture.segments, snapshot.capture.exchanges), (102, 50));
    let funnel = super::final_funnel(&pipeline.threads.lanes[0].books);
    assert_eq!(
        (funnel.exchanges, skipped(&funnel, "observe_only")),
        (50, 50),
        "{funnel:?}"
    );
    assert!(beats.load(SeqCst) >= 50, "a beat every round: {beats:?}");
}

#[test]
fn a_capture_is_replayed_and_compared_over_real_sockets() {
    let source = Box::new(Wire::new(300, Then::End));
    let mode = replay_to(serve(Some(RESPONSE)));
    let pipeline = Pipeline::start(source, Hooks::none(), settings(mode)).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    let snapshot = pipeline.stop(Duration::ZERO);
    assert_eq!(
        (
            snapshot.lanes[0].queued,
            snapshot.lanes[0].queued_bytes,
            snapshot.in_flight()
        ),
        (0, 0, 0)
    );
    let report = pipeline.report(ReportInputs::default());
    assert_eq!(
        (report.funnel.exchanges, report.funnel.matched),
        (300, 300),
        "{:?}",
        report.funnel
    );
}

#[test]
fn stop_ends_a_live_capture_and_cancels_what_does_not_end_by_itself() {
    let source = Box::new(Wire::new(100, Then::Idle));
    let mode = replay_to(serve(None));
    let pipeline = Pipeline::start(source, Hooks::none(), settings(mode)).unwrap();
    wait_until("replays", &pipeline, |snapshot| snapshot.in_flight() == 64);
    let begin = Instant::now();
    let snapshot = pipeline.stop(Duration::from_millis(100));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(snapshot.ended, Some(Ended::Stopped));
    let funnel = super::final_funnel(&pipeline.threads.lanes[0].books);
    assert_eq!(
        (
            funnel.exchanges,
            super::failed(&funnel, "cancelled"),
            skipped(&funnel, "shutdown")
        ),
        (100, 64, 36),
        "{funnel:?}"
    );
}

#[test]
fn a_source_that_fails_ends_the_pipeline_with_its_reason() {
    let source = Box::new(Wire::new(5, Then::Fail));
    let pipeline =
        Pipeline::start(source, Hooks::none(), settings(replay_to(serve(Some(RESPONSE))))).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    match pipeline.stop(Duration::ZERO).ended {
        Some(Ended::Failed(reason)) => assert!(reason.contains("cut off"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(super::final_funnel(&pipeline.threads.lanes[0].books).matched, 5);
}

#[test]
fn a_panic_on_the_capture_thread_is_an_end_like_another() {
    let source = Box::new(Wire::new(5, Then::Panic));
    let pipeline =
        Pipeline::start(source, Hooks::none(), settings(replay_to(serve(Some(RESPONSE))))).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    let ended = pipeline.stop(Duration::ZERO).ended;
    assert_eq!(
        ended,
        Some(Ended::Failed("the capture thread panicked".to_owned()))
    );
    assert_eq!(super::final_funnel(&pipeline.threads.lanes[0].books).matched, 5);
}

#[test]
fn settings_that_cannot_work_do_not_start() {
    let Mode::Replay(mut replay) = replay_to("127.0.0.1:9".parse().unwrap()) else {
        panic!("a replay");
    };
    replay.settings.concurrency = 0;
    let source = Box::new(Wire::new(0, Then::End));
    let error = Pipeline::start(source, Hooks::none(), settings(Mode::Replay(replay))).unwrap_err();
    assert_eq!(error.to_string(), "replay.concurrency must be 1 to 65536, not 0");
}

#[test]
fn a_target_that_never_answers_costs_another_nothing() {
    let source = Box::new(Wire::new(300, Then::Idle));
    let mut settings = settings(replay_to(serve(None)));
    settings
        .lanes
        .push(lane("next", replay_to(serve(Some(RESPONSE)))));
    settings.lanes.push(lane("watch", Mode::Observe));
    let pipeline = Pipeline::start(source, Hooks::none(), settings).unwrap();
    let lane = |index: usize| pipeline.lanes().nth(index).unwrap();
    wait_until("the second lane", &pipeline, |_| {
        lane(1).with_ledger(|ledger| ledger.counts().matched) == 300
    });
    assert_eq!(lane(0).snapshot().in_flight, 64, "the first still waits");
    let snapshot = pipeline.stop(Duration::ZERO);
    assert_eq!(snapshot.in_flight(), 0);
    let report = pipeline.report(ReportInputs::default());
    let names: Vec<_> = report.also.iter().map(|also| also.target.as_str()).collect();
    assert_eq!((report.target.as_str(), names), ("shadow", vec!["next", "watch"]));
    for lane in pipeline.lanes() {
        assert_eq!(super::final_funnel(&lane.books).exchanges, 300, "{}", lane.name());
    }
}
