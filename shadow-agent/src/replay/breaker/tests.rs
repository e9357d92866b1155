//! A clock and ends of replays controlled by the test.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(BreakerSettings::default(), now),
            now,
        }
    }

    /// So many replays end with this result; returns how many were permitted, and the last change.
    fn replay(&mut self, times: u32, good: bool) -> (u32, Option<Change>) {
        let (mut let_through, mut last) = (0, None);
        for _ in 0..times {
            if let Some(pass) = self.breaker.begin(self.now) {
                let_through += 1;
                last = self.breaker.end(pass, Some(good), self.now).or(last);
            }
        }
        (let_through, last)
    }
}

#[test]
fn it_opens_on_enough_failures_and_not_before() {
    let mut bench = Bench::new();
    assert_eq!(bench.replay(49, false), (49, None));
    let opened = Change::Opened { failed: 50, of: 50 };
    assert_eq!(bench.replay(1, false), (1, Some(opened)));
    assert!(!bench.breaker.admits(bench.now));
    assert_eq!(bench.replay(1000, false), (0, None), "left alone");
    assert_eq!(
        (bench.breaker.state(), bench.breaker.opened()),
        (BreakerState::Open, 1)
    );
}

#[test]
fn less_than_the_share_does_not_open_it() {
    let mut bench = Bench::new();
    for _ in 0..1000 {
        bench.replay(6, true);
        assert_eq!(bench.replay(4, false), (4, None));
    }
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.replay(4, false);
        bench.now += SECOND;
    }
    assert_eq!(
        bench.breaker.state(),
        BreakerState::Closed,
        "40 in a window are not enough"
    );
    bench.now += 60 * SECOND;
    assert_eq!(bench.replay(49, false), (49, None));
}

#[test]
fn probes_close_it_when_all_are_answered() {
    let mut bench = Bench::new();
    bench.replay(50, false);
    bench.now += 5 * SECOND;
    assert!(bench.breaker.admits(bench.now));
    let passes: Vec<_> = (0..10).filter_map(|_| bench.breaker.begin(bench.now)).collect();
    assert_eq!((passes.len(), bench.breaker.state()), (3, BreakerState::HalfOpen));
    assert_eq!(bench.breaker.end(passes[0], Some(true), bench.now), None);
    assert_eq!(
        bench.breaker.end(passes[1], None, bench.now),
        None,
        "a cancelled one gives its place back"
    );
    let another = bench.breaker.begin(bench.now).expect("a place");
    assert_eq!(bench.breaker.begin(bench.now), None);
    assert_eq!(bench.breaker.end(another, Some(true), bench.now), None);
    assert_eq!(
        bench.breaker.end(passes[2], Some(true), bench.now),
        Some(Change::Closed)
    );
    assert_eq!(bench.replay(49, false), (49, None), "it starts anew");
}

#[test]
fn a_failed_probe_opens_it_for_twice_as_long_up_to_a_limit() {
    let mut bench = Bench::new();
    bench.replay(50, false);
    for span in [5, 10, 20, 40, 80, 80, 80] {
        bench.now += (span - 1) * SECOND;
        assert_eq!(bench.replay(1, true), (0, None), "{span} s have not passed");
        bench.now += SECOND;
        assert_eq!(bench.replay(1, false), (1, Some(Change::Reopened)));
    }
}

#[test]
fn what_was_begun_before_it_opened_changes_nothing() {
    let mut bench = Bench::new();
    let late = bench.breaker.begin(bench.now).expect("closed");
    bench.replay(50, false);
    bench.now += 5 * SECOND;
    let probe = bench.breaker.begin(bench.now).expect("a probe");
    assert_eq!(bench.breaker.end(late, Some(false), bench.now), None);
    assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
    bench.breaker.end(probe, Some(false), bench.now);
    bench.now += 10 * SECOND;
    bench.breaker.begin(bench.now).expect("another probe");
    assert_eq!(
        bench.breaker.end(probe, Some(true), bench.now),
        None,
        "a probe of another time"
    );
}

#[test]
fn it_can_be_switched_off() {
    let mut bench = Bench::new();
    bench.breaker.settings.errors = 0.0;
    assert_eq!(bench.replay(10_000, false), (10_000, None));
}
