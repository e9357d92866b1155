//! A clock and readings controlled by the test.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    budget: Budget,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            budget: Budget::new(BudgetSettings::default()),
            now: Instant::now(),
        }
    }

    /// Observes this reading for so many seconds; returns the steps that were taken.
    fn run(&mut self, seconds: u32, reading: Reading) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..seconds {
            self.now += SECOND;
            steps.extend(self.budget.observe(&reading, self.now));
        }
        steps
    }
}

fn cores(cores: f64) -> Reading {
    Reading {
        cores,
        ..Reading::default()
    }
}

#[test]
fn within_the_budget_nothing_changes() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(1000, cores(0.99)), []);
    assert_eq!(bench.run(1, cores(5.0)), [], "one second is no reason");
    assert_eq!(bench.run(10, cores(0.1)), [], "and there is nothing to raise");
}

#[test]
fn over_it_the_sample_is_halved_until_it_fits() {
    let mut bench = Bench::new();
    let steps = bench.run(8, cores(1.5));
    let shares: Vec<f64> = steps.iter().map(|step| step.share).collect();
    assert_eq!(shares, [0.5, 0.25, 0.125]);
    assert!(steps.iter().all(|step| step.cause == Some(Cause::Cores)));
}

#[test]
fn it_never_goes_below_the_floor_and_says_how_long_it_has_been_there() {
    let mut bench = Bench::new();
    bench.run(60, cores(9.0));
    assert!(
        (bench.budget.share() - 0.01).abs() < 1e-9,
        "{}",
        bench.budget.share()
    );
    assert!(bench.budget.spent(bench.now) > Some(30 * SECOND));
    bench.run(1, cores(0.9));
    assert_eq!(bench.budget.spent(bench.now), None);
}

#[test]
fn it_rises_slowly_and_never_above_the_whole() {
    let mut bench = Bench::new();
    bench.run(2, cores(1.5));
    assert_eq!(bench.run(10, cores(0.5)), [], "not before it has been calm");
    let steps = bench.run(100, cores(0.5));
    let shares: Vec<f64> = steps.iter().map(|step| step.share).collect();
    assert_eq!(shares, [0.625, 0.78125, 0.976_562_5, 1.0]);
    assert!(steps.iter().all(|step| step.cause.is_none()));
}

#[test]
fn between_room_and_limit_it_stays() {
    let mut bench = Bench::new();
    bench.run(2, cores(1.5));
    assert_eq!(bench.run(1000, cores(0.8)), [], "hysteresis");
}

#[test]
fn a_ring_that_fills_is_noticed_before_anything_is_lost() {
    let mut bench = Bench::new();
    let filling = Reading {
        waiting: 0.51,
        copied: 10_000,
        ..Reading::default()
    };
    assert_eq!(bench.run(1, filling), [], "one pause of the reader is no reason");
    let steps = bench.run(1, filling);
    assert_eq!(steps.first().and_then(|step| step.cause), Some(Cause::RingUsed));
    let calmer = Reading {
        waiting: 0.4,
        ..filling
    };
    assert_eq!(bench.run(60, calmer), [], "not up again into what filled it");
}

#[test]
fn every_limit_counts_and_a_limit_of_zero_is_none() {
    let over = [
        (
            Cause::Memory,
            Reading {
                memory: 2 << 30,
                ..Reading::default()
            },
        ),
        (
            Cause::RingLoss,
            Reading {
                lost: 20,
                copied: 980,
                ..Reading::default()
            },
        ),
        (
            Cause::RingUsed,
            Reading {
                waiting: 0.6,
                copied: 1000,
                ..Reading::default()
            },
        ),
        (
            Cause::MemoryPressure,
            Reading {
                memory_pressure: Some(0.3),
                ..Reading::default()
            },
        ),
    ];
    for (cause, reading) in over {
        let steps = Bench::new().run(2, reading);
        assert_eq!(
            steps.first().and_then(|step| step.cause),
            Some(cause),
            "{reading:?}"
        );
    }
    let pressed = Reading {
        cpu_pressure: Some(1.0),
        ..Reading::default()
    };
    assert_eq!(Bench::new().run(10, pressed), [], "not limited by default");
    let limited = BudgetSettings {
        cpu_pressure: 0.5,
        ..BudgetSettings::default()
    };
    let mut bench = Bench {
        budget: Budget::new(limited),
        now: Instant::now(),
    };
    assert_eq!(bench.run(2, pressed).len(), 1);
}

#[test]
fn other_limits_are_kept_to_from_the_next_second_on() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(8, cores(0.9)), []);
    bench.budget.set(BudgetSettings {
        cores: 0.5,
        ..BudgetSettings::default()
    });
    let share = bench.run(5, cores(0.9)).pop().expect("a step down").share;
    assert!(share <= 0.5, "{share}");
    // When usage is low again it rises as before, sooner if the calm time is shorter.
    bench.budget.set(BudgetSettings {
        cores: 2.0,
        calm: SECOND,
        ..BudgetSettings::default()
    });
    let steps = bench.run(10, cores(0.9));
    assert!(
        steps.len() > 3 && steps.iter().all(|step| step.cause.is_none()),
        "{steps:?}"
    );
    assert!((bench.budget.share() - 1.0).abs() < 1e-9);
    // The floor changes too.
    bench.budget.set(BudgetSettings {
        floor: 0.4,
        ..BudgetSettings::default()
    });
    bench.run(60, cores(9.0));
    assert!(
        (bench.budget.share() - 0.4).abs() < 1e-9,
        "{}",
        bench.budget.share()
    );
}
