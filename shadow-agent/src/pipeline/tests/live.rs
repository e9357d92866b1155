//! Settings that change while replays run: each takes effect without a restart.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use shadow_core::{
    compare::{Comparator, Rules},
    evidence::report::ReportInputs,
};
use tokio::time::{Instant, sleep};

use super::{dispatch::Bench, exchange, failed, gate, rewrite, skipped};
use crate::pipeline::LaneRules;
use crate::replay::{BreakerSettings, BreakerState, ReplaySettings};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn base() -> ReplaySettings {
    ReplaySettings::default()
}

/// One exchange every millisecond.
async fn offer(bench: &mut Bench, target: &str, times: usize) {
    for _ in 0..times {
        bench.get(&[target]);
        sleep(MS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_comes_falls_rises_and_goes() {
    let mut bench = Bench::new(base());
    let run = bench.run();
    let script = bench.script.clone();
    let rates = [
        (None, 2_000),
        (Some(100.0), 200),
        (Some(10.0), 20),
        (Some(500.0), 1_000),
        (None, 2_000),
    ];
    for (requests_per_second, most) in rates {
        bench.lane.set_settings(ReplaySettings {
            requests_per_second,
            // The wait is not tested here.
            max_wait: 10 * MS,
            ..base()
        });
        let before = script.sent().len();
        offer(&mut bench, "/ok", 2_000).await;
        let sent = script.sent().len() - before;
        // The burst of a tenth of a second, after a time without a rate.
        assert!(
            sent <= most + most / 20 + 2 && sent >= most / 2,
            "{sent} in two seconds at {requests_per_second:?}, {most} are allowed"
        );
    }
    bench.finish(run).await;
}

#[tokio::test(start_paused = true)]
async fn reloads_give_no_burst_however_many_there_are() {
    let limited = |rate: f64| ReplaySettings {
        requests_per_second: Some(rate),
        ..base()
    };
    let mut bench = Bench::new(limited(100.0));
    let run = bench.run();
    for step in 0..500_u32 {
        bench.lane.set_settings(limited(100.0 + f64::from(step % 2)));
        offer(&mut bench, "/ok", 10).await;
    }
    let script = bench.script.clone();
    bench.finish(run).await;
    assert!(
        script.most_within(SECOND) <= 113,
        "{}",
        script.most_within(SECOND)
    );
    assert!(
        script.most_within(100 * MS) <= 22,
        "{}",
        script.most_within(100 * MS)
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_a_second_fall_and_rise() {
    let limited = |bytes| ReplaySettings {
        bytes_per_second: bytes,
        max_wait: 2 * SECOND,
        ..base()
    };
    let mut bench = Bench::new(limited(None));
    let run = bench.run();
    let script = bench.script.clone();
    for (bytes, least, most) in [(None, 40, 40), (Some(100_000), 5, 14), (Some(10_000_000), 40, 40)] {
        bench.lane.set_settings(limited(bytes));
        let before = script.sent().len();
        for _ in 0..40 {
            bench.admit(exchange("GET", "/other", vec![b'x'; 24_000]));
        }
        bench.desk.flush();
        sleep(10 * SECOND).await;
        let sent = script.sent().len() - before;
        assert!((least..=most).contains(&sent), "{sent} of 24 kB at {bytes:?}");
    }
    bench.finish(run).await;
}

#[tokio::test(start_paused = true)]
async fn other_rules_of_comparison_begin_the_shares_again() {
    let mut bench = Bench::new(base());
    let run = bench.run();
    let answers = |bench: &Bench| {
        let report = bench.lane.report(ReportInputs::default());
        let verified = report.routes.first().and_then(|route| route.verified.clone());
        verified.map_or(0, |verified| verified.answers)
    };
    let set = |bench: &Bench, rules: Rules| {
        bench.lane.set_rules(LaneRules {
            gate: gate(),
            rewrite: rewrite(),
            comparator: Arc::new(Comparator::new(rules).unwrap()),
        });
    };
    offer(&mut bench, "/ok", 20).await;
    assert_eq!(answers(&bench), 16);
    set(&bench, Rules::default());
    assert_eq!(
        answers(&bench),
        0,
        "it is not known that these rules are the same"
    );
    offer(&mut bench, "/ok", 5).await;
    set(&bench, Rules::default());
    assert_eq!(answers(&bench), 5, "the rules are the same");
    let other = Rules {
        ignore: vec!["$.id".parse().unwrap()],
        ..Rules::default()
    };
    set(&bench, other);
    assert_eq!(answers(&bench), 0);
    offer(&mut bench, "/ok", 20).await;
    assert_eq!(answers(&bench), 16);
    // A phase counts by itself.
    bench.lane.mark();
    offer(&mut bench, "/ok", 20).await;
    assert_eq!(answers(&bench), 32);
    bench.finish(run).await;
}

#[tokio::test(start_paused = true)]
async fn more_or_fewer_are_under_way_at_once() {
    let places = |concurrency| ReplaySettings {
        concurrency,
        ..base()
    };
    let mut bench = Bench::new(places(2));
    let run = bench.run();
    let script = bench.script.clone();
    for (concurrency, most) in [(2, 2), (8, 8), (3, 3), (1, 1)] {
        bench.lane.set_settings(places(concurrency));
        // Replays that were begun before finish.
        sleep(2 * SECOND).await;
        script.most.store(0, SeqCst);
        bench.get(&["/slow"; 16]);
        sleep(1500 * MS).await;
        assert_eq!(script.most.load(SeqCst), most, "{concurrency}");
        // Also while the queue is never empty.
        sleep(20 * SECOND).await;
    }
    bench.get(&["/slow"; 64]);
    sleep(1500 * MS).await;
    bench.lane.set_settings(places(4));
    sleep(1500 * MS).await;
    assert_eq!(
        bench.lane.in_flight.load(SeqCst),
        4,
        "what waits takes the new places"
    );
    bench.lane.set_settings(places(2));
    sleep(2500 * MS).await;
    assert_eq!(bench.lane.in_flight.load(SeqCst), 2, "and leaves them");
    let funnel = bench.finish(run).await;
    assert_eq!(funnel.exchanges, 128, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn the_queue_takes_more_or_less() {
    let room = |queue, queue_bytes| ReplaySettings {
        queue,
        queue_bytes,
        ..base()
    };
    let mut bench = Bench::new(room(4, 64 << 20));
    // Nothing is replayed yet, so that everything waits.
    bench.get(&["/ok"; 10]);
    assert_eq!(bench.lane.queue.len(), 4);
    bench.lane.set_settings(room(8, 64 << 20));
    bench.get(&["/ok"; 10]);
    assert_eq!((bench.lane.queue.len(), bench.lane.snapshot().queue_room), (8, 8));
    bench.lane.set_settings(room(2, 64 << 20));
    bench.get(&["/ok"; 10]);
    assert_eq!(bench.lane.queue.len(), 8, "what is in it stays");
    bench.lane.set_settings(room(100, 64 << 10));
    bench.admit(exchange("GET", "/ok", vec![b'x'; 100_000]));
    assert_eq!(bench.lane.queue.len(), 8, "it would hold too many bytes");
    bench.lane.set_settings(room(100, 1 << 20));
    bench.admit(exchange("GET", "/ok", vec![b'x'; 100_000]));
    assert_eq!(bench.lane.queue.len(), 9);
    let run = bench.run();
    let funnel = bench.finish(run).await;
    assert_eq!(
        (funnel.replayed, skipped(&funnel, "queue_full")),
        (9, 6 + 6 + 10 + 1),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_expires_by_the_new_wait() {
    let wait = |max_wait| ReplaySettings {
        max_wait,
        concurrency: 1,
        ..base()
    };
    let mut bench = Bench::new(wait(10 * SECOND));
    let run = bench.run();
    bench.get(&["/slow"; 4]);
    sleep(100 * MS).await;
    bench.lane.set_settings(wait(1500 * MS));
    let funnel = bench.finish(run).await;
    assert_eq!(
        (funnel.replayed, skipped(&funnel, "expired")),
        (2, 2),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_sent_again_once_that_is_allowed() {
    let mut bench = Bench::new(base());
    let run = bench.run();
    let script = bench.script.clone();
    for (retries, sent) in [(0, 1), (2, 3), (0, 1)] {
        bench.lane.set_settings(ReplaySettings { retries, ..base() });
        let before = script.sent().len();
        bench.get(&["/refused"]);
        sleep(SECOND).await;
        assert_eq!(script.sent().len() - before, sent, "{retries} times");
    }
    bench.finish(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_breaker_follows_its_settings() {
    let with = |breaker: BreakerSettings| ReplaySettings { breaker, ..base() };
    let never = BreakerSettings {
        errors: 0.0,
        minimum: 20,
        ..BreakerSettings::default()
    };
    let mut bench = Bench::new(with(never));
    let run = bench.run();
    offer(&mut bench, "/reset", 100).await;
    let script = bench.script.clone();
    assert_eq!(script.sent().len(), 100, "it never opens");
    let soon = BreakerSettings { errors: 0.5, ..never };
    bench.lane.set_settings(with(soon));
    offer(&mut bench, "/reset", 100).await;
    assert_eq!(
        (script.sent().len(), bench.lane.snapshot().breaker),
        (101, BreakerState::Open),
        "what was counted counts"
    );
    // It stays open for the former time, and next time for the new one.
    bench.lane.set_settings(with(BreakerSettings {
        open: SECOND,
        probes: 1,
        window: 3 * SECOND,
        ..soon
    }));
    sleep(4 * SECOND).await;
    assert_eq!(bench.lane.snapshot().breaker, BreakerState::Open);
    sleep(SECOND).await;
    offer(&mut bench, "/ok", 50).await;
    assert_eq!(
        bench.lane.snapshot().breaker,
        BreakerState::Closed,
        "one probe is enough"
    );
    offer(&mut bench, "/reset", 100).await;
    assert_eq!(bench.lane.snapshot().breaker, BreakerState::Open);
    sleep(1100 * MS).await;
    offer(&mut bench, "/ok", 10).await;
    assert_eq!(
        bench.lane.snapshot().breaker,
        BreakerState::Closed,
        "after a second"
    );
    let funnel = bench.finish(run).await;
    assert!(failed(&funnel, "reset") > 100, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lane_beside_keeps_its_own() {
    let slow = ReplaySettings {
        requests_per_second: Some(1.0),
        ..base()
    };
    let (mut one, mut other) = (Bench::new(base()), Bench::new(base()));
    let runs = (one.run(), other.run());
    one.lane.set_settings(slow);
    let begin = Instant::now();
    one.get(&["/ok"; 50]);
    other.get(&["/ok"; 50]);
    sleep(100 * MS).await;
    assert_eq!(
        (one.script.sent().len(), other.script.sent().len()),
        (1, 50),
        "{:?}",
        begin.elapsed()
    );
    let lane = Arc::clone(&one.lane);
    lane.switch.kill();
    one.finish(runs.0).await;
    other.finish(runs.1).await;
}
