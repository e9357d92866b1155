//! Rate, breaker and retries, counted at the shadow system, with a paused clock.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use shadow_core::{
    gate::{Gate, Selector, Writes},
    rewrite::Marker,
};
use tokio::time::{Instant, sleep};

use super::{dispatch::Bench, exchange, failed, skipped};
use crate::replay::{BreakerSettings, BreakerState, ReplaySettings};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn rate(requests: f64) -> ReplaySettings {
    ReplaySettings {
        requests_per_second: Some(requests),
        ..ReplaySettings::default()
    }
}

/// One exchange every millisecond.
async fn offer(bench: &mut Bench, target: &str, times: usize) {
    for _ in 0..times {
        bench.get(&[target]);
        sleep(MS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_at_the_shadow_system_from_the_first_second_on() {
    let mut bench = Bench::new(rate(100.0));
    let run = bench.run();
    offer(&mut bench, "/ok", 5000).await;
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    let most = script.most_within(SECOND);
    assert!((100..=111).contains(&most), "{most} in a second");
    assert!(
        script.most_within(100 * MS) <= 21,
        "{}",
        script.most_within(100 * MS)
    );
    // Exchanges queued in the first second are sent in the seconds after.
    assert!((500..=600).contains(&funnel.matched), "{funnel:?}");
    assert_eq!(
        funnel.matched + skipped(&funnel, "rate_limited"),
        5000,
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_three_seconds_is_followed_by_no_burst() {
    let mut bench = Bench::new(rate(100.0));
    let run = bench.run();
    bench.script.stalled.store(true, SeqCst);
    offer(&mut bench, "/ok", 3000).await;
    let waiting = bench.lane.queue.len();
    assert!(waiting > 100, "{waiting} wait for the end of the outage");
    bench.script.stalled.store(false, SeqCst);
    offer(&mut bench, "/ok", 3000).await;
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert!(
        script.most_within(SECOND) <= 111,
        "{}",
        script.most_within(SECOND)
    );
    assert!(
        script.most_within(50 * MS) <= 16,
        "{}",
        script.most_within(50 * MS)
    );
    assert!(funnel.matched >= 300, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_in_time_expires_instead() {
    let mut bench = Bench::new(ReplaySettings {
        max_wait: SECOND,
        ..rate(100.0)
    });
    let run = bench.run();
    bench.script.stalled.store(true, SeqCst);
    offer(&mut bench, "/ok", 3000).await;
    bench.script.stalled.store(false, SeqCst);
    let script = bench.script.clone();
    let before = script.sent().len();
    let funnel = bench.finish(run).await;
    let late = skipped(&funnel, "expired") + skipped(&funnel, "rate_limited");
    assert!(skipped(&funnel, "expired") > 0, "{funnel:?}");
    assert_eq!(late + funnel.matched, 3000, "{funnel:?}");
    assert!(
        script.sent().len() - before <= 111,
        "{} of {before}",
        script.sent().len()
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_are_paced_too() {
    let mut bench = Bench::new(ReplaySettings {
        bytes_per_second: Some(100_000),
        max_wait: 5 * SECOND,
        ..ReplaySettings::default()
    });
    let run = bench.run();
    let begin = Instant::now();
    for _ in 0..40 {
        bench.admit(exchange("GET", "/other", vec![b'x'; 24_000]));
    }
    bench.desk.flush();
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert!(begin.elapsed() <= 6 * SECOND, "{:?}", begin.elapsed());
    let sent = script.sent().len();
    assert!(
        (18..=26).contains(&sent),
        "{sent} of 24 kB in five seconds of 100 kB"
    );
    assert_eq!(skipped(&funnel, "rate_limited"), 40 - sent as u64, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_is_left_alone_and_tried_again() {
    let mut bench = Bench::new(ReplaySettings {
        breaker: BreakerSettings {
            minimum: 20,
            ..BreakerSettings::default()
        },
        ..ReplaySettings::default()
    });
    let run = bench.run();
    offer(&mut bench, "/reset", 1000).await;
    let script = bench.script.clone();
    assert_eq!(
        (script.sent().len(), bench.lane.snapshot().breaker),
        (20, BreakerState::Open)
    );

    // Probes fail: it stays open twice as long.
    sleep(4 * SECOND).await;
    offer(&mut bench, "/reset", 1000).await;
    assert_eq!(
        (script.sent().len(), bench.lane.snapshot().breaker_opened),
        (21, 2)
    );

    sleep(10 * SECOND).await;
    offer(&mut bench, "/ok", 100).await;
    assert_eq!(bench.lane.snapshot().breaker, BreakerState::Closed);
    let funnel = bench.finish(run).await;
    assert_eq!(
        (failed(&funnel, "reset"), funnel.matched),
        (21, 100),
        "{funnel:?}"
    );
    assert_eq!(skipped(&funnel, "breaker_open"), 1979, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_empties_the_queue_so_that_nothing_stale_is_sent() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 1,
        breaker: BreakerSettings {
            minimum: 5,
            ..BreakerSettings::default()
        },
        ..ReplaySettings::default()
    });
    bench.get(&["/reset"; 200]);
    let run = bench.run();
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(
        (script.sent().len(), skipped(&funnel, "breaker_open")),
        (5, 195),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice_unless_it_was_asked_for_and_is_idempotent() {
    for (retries, sent, counted) in [(0, 3, 0), (2, 5, 2)] {
        let mut bench = Bench::new(ReplaySettings {
            retries,
            ..ReplaySettings::default()
        });
        let markers = vec![Marker::default()];
        bench.desk.entries[0].gate = Some(Gate::new(Selector::default(), Writes::Replay.into(), markers));
        let run = bench.run();
        bench.admit(exchange("GET", "/refused", "ok"));
        bench.admit(exchange("POST", "/refused", "ok"));
        // It was reached, and may have carried out the request.
        bench.admit(exchange("GET", "/reset", "ok"));
        bench.desk.flush();
        let (script, lane) = (bench.script.clone(), Arc::clone(&bench.lane));
        let funnel = bench.finish(run).await;
        assert_eq!(
            (script.sent().len(), lane.snapshot().retries),
            (sent, counted),
            "{funnel:?}"
        );
        assert_eq!(
            (failed(&funnel, "connect"), funnel.replayed),
            (2, 3),
            "{funnel:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_counts_against_the_rate() {
    let mut bench = Bench::new(ReplaySettings {
        retries: 3,
        breaker: BreakerSettings {
            errors: 0.0,
            ..BreakerSettings::default()
        },
        ..rate(100.0)
    });
    let run = bench.run();
    offer(&mut bench, "/refused", 5000).await;
    let script = bench.script.clone();
    bench.finish(run).await;
    assert!(
        script.most_within(SECOND) <= 111,
        "{}",
        script.most_within(SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_the_wait_for_a_turn() {
    let mut bench = Bench::new(rate(1.0));
    let run = bench.run();
    bench.get(&["/ok"; 3]);
    sleep(10 * MS).await;
    bench.lane.switch.kill();
    sleep(10 * MS).await;
    let script = bench.script.clone();
    let begin = Instant::now();
    let funnel = bench.finish(run).await;
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
    assert_eq!((script.sent().len(), funnel.matched), (1, 1), "{funnel:?}");
    assert_eq!(
        skipped(&funnel, "killed") + skipped(&funnel, "rate_limited"),
        2,
        "{funnel:?}"
    );
}
