//! Pairs of answers of one system, from the dispatcher to the ledger.

use std::{sync::Arc, time::Duration};

use shadow_core::{
    evidence::report::{self, ReportInputs},
    gate::{WritePolicy, WriteRules, Writes},
};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    super::{
        lane::Lane,
        settings::{PairSettings, Role},
    },
    dispatch::Bench,
    exchange, exchange_with, ledger,
};
use crate::replay::ReplaySettings;

fn background(lane: &Lane) -> report::Background {
    lane.report(ReportInputs::default()).background
}

fn always_twice() -> PairSettings {
    PairSettings {
        twice: 1.0,
        recurring: Duration::ZERO,
        copies: false,
    }
}

/// One replay at a time; production's equal requests within two seconds are pairs.
fn with_recurring() -> Bench {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 1,
        ..ReplaySettings::default()
    });
    bench.pairs = PairSettings {
        twice: 0.0,
        recurring: Duration::from_secs(2),
        copies: false,
    };
    bench
}

/// An exchange at one moment.
fn at(mut exchange: Box<Exchange>, millis: u64) -> Box<Exchange> {
    let at = Some(Timestamp::from_nanos(millis * 1_000_000));
    exchange.timing.request_first = at;
    exchange.timing.response_last = at;
    exchange
}

#[tokio::test(start_paused = true)]
async fn an_answered_request_is_sent_once_more_and_is_one_exchange() {
    let mut bench = Bench::new(ReplaySettings::default());
    bench.pairs = always_twice();
    let run = bench.run();
    bench.get(&["/ok", "/other", "/changing", "/reset"]);
    let (script, lane) = (bench.script.clone(), Arc::clone(&bench.lane));
    let funnel = bench.finish(run).await;
    assert_eq!((funnel.exchanges, funnel.replayed), (4, 4), "{funnel:?}");
    let mut sent = script.sent();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [
            "/changing",
            "/changing",
            "/ok",
            "/ok",
            "/other",
            "/other",
            "/reset"
        ]
    );
    let pairs = background(&lane).twice;
    assert_eq!(
        (pairs.compared, pairs.differed, lane.snapshot().second),
        (3, 1, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn second_requests_count_against_the_rate_and_the_concurrency() {
    let mut bench = Bench::new(ReplaySettings {
        requests_per_second: Some(100.0),
        concurrency: 2,
        ..ReplaySettings::default()
    });
    bench.pairs = always_twice();
    let run = bench.run();
    for _ in 0..3000 {
        bench.get(&["/ok"]);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (script, lane) = (bench.script.clone(), Arc::clone(&bench.lane));
    let funnel = bench.finish(run).await;
    let most = script.most_within(Duration::from_secs(1));
    assert!(most <= 111, "{most} in a second");
    assert!(script.most.load(std::sync::atomic::Ordering::SeqCst) <= 2);
    let second = lane.snapshot().second;
    assert!(funnel.matched > 100 && second > 100, "{second} of {funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn productions_own_answers_are_compared() {
    // Also those to writes that are replayed.
    for method in ["GET", "POST"] {
        let mut bench = with_recurring();
        let rules = WriteRules {
            default: Writes::Replay,
            ..WriteRules::default()
        };
        bench.writes(&WritePolicy::new(&rules).unwrap());
        let run = bench.run();
        for (millis, body) in [(0, "a"), (1000, "a"), (2000, "b"), (9000, "c")] {
            bench.admit(at(exchange(method, "/ok", body), millis));
        }
        bench.desk.flush();
        let (script, lane) = (bench.script.clone(), Arc::clone(&bench.lane));
        bench.finish(run).await;
        let pairs = background(&lane).recurring;
        assert_eq!((pairs.compared, pairs.differed), (2, 1), "{method}");
        assert_eq!(script.sent().len(), 4, "nothing is sent for it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_explains_no_read_that_production_answers_as_before() {
    let mut bench = with_recurring();
    let run = bench.run();
    let ask = |bench: &mut Bench, method: &str, second: u64, body: &str| {
        bench.admit(at(exchange(method, "/other", body.to_owned()), second * 1_000));
        bench.desk.flush();
    };
    // The same document in other bytes, at times too far apart for a pair.
    for (second, body) in [
        (0, "{\"a\":1}"),
        (20, "{\"a\": 1}"),
        (40, "{ \"a\":1}"),
        (60, "{\"a\":2}"),
    ] {
        ask(&mut bench, "GET", second, body);
        tokio::time::sleep(Duration::from_millis(100)).await;
        ask(&mut bench, "POST", second + 10, "{}");
    }
    let lane = Arc::clone(&bench.lane);
    let funnel = bench.finish(run).await;
    assert_eq!(
        (funnel.mismatched, funnel.after_skipped_write),
        (4, 1),
        "only the last one changed: {funnel:?}"
    );
    assert_eq!(background(&lane).recurring.compared, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_control_target_differs_in_is_background_of_the_others() {
    let mut bench = Bench::new(ReplaySettings::default());
    let main = Arc::new(Lane::new("shadow".to_owned(), Role::Shadow, ledger(), None));
    bench.controlled = vec![Arc::clone(&main)];
    let run = bench.run();
    bench.get(&["/ok", "/other", "/reset"]);
    bench.finish(run).await;
    let pairs = background(&main).control;
    assert_eq!((pairs.compared, pairs.differed), (2, 1), "a failure says nothing");
}

#[tokio::test(start_paused = true)]
async fn only_what_reads_is_sent_twice() {
    let rules = |default, grpc_safe: &[&str]| WriteRules {
        default,
        grpc_safe: grpc_safe.iter().map(|&name| name.to_owned()).collect(),
        ..WriteRules::default()
    };
    for (safe, times) in [(&[][..], 1), (&["p.S/*"][..], 2)] {
        let mut bench = Bench::new(ReplaySettings::default());
        bench.pairs = always_twice();
        let writes = WritePolicy::new(&rules(Writes::Replay, safe)).unwrap();
        bench.writes(&writes);
        let run = bench.run();
        for _ in 0..3 {
            bench.admit(exchange("POST", "/ok", "ok"));
        }
        bench.admit(exchange_with(
            "POST",
            "/p.S/ok",
            &[("content-type", "application/grpc")],
            "ok",
        ));
        let script = bench.script.clone();
        let funnel = bench.finish(run).await;
        assert_eq!(funnel.replayed, 4, "{funnel:?}");
        let sent = script.sent();
        let count = |target: &str| sent.iter().filter(|sent| *sent == target).count();
        assert_eq!((count("/ok"), count("/p.S/ok")), (3, times), "{safe:?}");
    }
}
