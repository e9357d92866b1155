//! A feed waits where a capture drops.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shadow_core::evidence::report::ReportInputs;

use super::{
    super::{CaptureCounters, Fed, Feed, Pipeline},
    exchange, skipped,
    threads::{RESPONSE, replay_to, serve, settings, wait_until},
};
use crate::{capture::SourceError, pipeline::Mode};

/// This many exchanges, all due at once.
#[derive(Debug)]
struct Many {
    left: usize,
    handed_on: usize,
}

impl Feed for Many {
    fn next(&mut self, _wait: Duration) -> Result<Fed, SourceError> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(Fed::End);
        };
        self.left = left;
        Ok(Fed::Exchange(Arc::from(exchange("GET", "/ok", "ok"))))
    }

    fn handed_on(&mut self, replays: usize) {
        self.handed_on += replays;
    }

    fn count(&self, into: &mut CaptureCounters) {
        into.exchanges = self.handed_on as u64;
    }
}

#[test]
fn a_feed_is_held_up_and_nothing_is_dropped() {
    let mut mode = replay_to(serve(Some(RESPONSE)));
    let Mode::Replay(replay) = &mut mode else {
        panic!("it replays");
    };
    replay.settings.queue = 2;
    replay.settings.concurrency = 2;
    let feed = Many {
        left: 2_000,
        handed_on: 0,
    };
    let pipeline = Pipeline::play(Box::new(feed), settings(mode)).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    let snapshot = pipeline.stop(Duration::ZERO);
    assert_eq!(snapshot.capture.exchanges, 2_000);
    let funnel = pipeline.report(ReportInputs::default()).funnel;
    assert_eq!(
        (funnel.exchanges, funnel.replayed, skipped(&funnel, "queue_full")),
        (2_000, 2_000, 0),
        "{funnel:?}"
    );
}

#[test]
fn what_is_over_a_rate_waits_for_its_turn() {
    let mut mode = replay_to(serve(Some(RESPONSE)));
    let Mode::Replay(replay) = &mut mode else {
        panic!("it replays");
    };
    // As in `shadow replay`: queued exchanges wait as long as it takes.
    replay.settings.max_wait = Duration::from_hours(24 * 365);
    replay.settings.queue = replay.settings.concurrency;
    replay.settings.requests_per_second = Some(100.0);
    let feed = Many {
        left: 250,
        handed_on: 0,
    };
    let begun = Instant::now();
    let pipeline = Pipeline::play(Box::new(feed), settings(mode)).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    pipeline.stop(Duration::ZERO);
    let funnel = pipeline.report(ReportInputs::default()).funnel;
    assert_eq!((funnel.exchanges, funnel.replayed), (250, 250), "{funnel:?}");
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "{:?} for 250 at 100 a second",
        begun.elapsed()
    );
}

/// One that is larger than the whole queue.
#[derive(Debug)]
struct Large(bool);
impl Feed for Large {
    fn next(&mut self, _wait: Duration) -> Result<Fed, SourceError> {
        if std::mem::replace(&mut self.0, true) {
            return Ok(Fed::End);
        }
        Ok(Fed::Exchange(Arc::from(exchange(
            "GET",
            "/ok",
            vec![b'x'; 1 << 20],
        ))))
    }
    fn handed_on(&mut self, replays: usize) {
        assert_eq!(replays, 0);
    }
    fn count(&self, _into: &mut CaptureCounters) {}
}

#[test]
fn what_can_never_fit_is_counted_and_holds_nobody_up() {
    let mut mode = replay_to(serve(Some(RESPONSE)));
    let Mode::Replay(replay) = &mut mode else {
        panic!("it replays");
    };
    replay.settings.queue_bytes = 64 << 10;
    let pipeline = Pipeline::play(Box::new(Large(false)), settings(mode)).unwrap();
    wait_until("the end", &pipeline, |snapshot| snapshot.finished);
    pipeline.stop(Duration::ZERO);
    let funnel = pipeline.report(ReportInputs::default()).funnel;
    assert_eq!(skipped(&funnel, "queue_full"), 1, "{funnel:?}");
}
