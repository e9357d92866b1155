//! Wrong decisions when the evidence is checked after every exchange.

use super::*;
use crate::evidence::{burst::Bursts, gate_config::GateConfig, gates, ruling::Ruling, stats::Proportion};
use shadow_proto::testing::Random;

/// Runs of one simulation, and how many of them may be decided wrongly: 2.5 %.
const RUNS: u64 = 200;
const MOST: u64 = 5;

#[test]
fn the_gamma_function_is_as_tabulated() {
    for (x, expected) in [
        (1.0, 0.0),
        (2.0, 0.0),
        (0.5, 0.572_364_942_924_700_1),
        (10.0, 12.801_827_480_081_469),
        (1000.0, 5_905.220_423_209_181),
    ] {
        assert!((ln_gamma(x) - expected).abs() < 1e-9, "{x}: {}", ln_gamma(x));
    }
}

#[test]
fn a_clean_run_passes_before_five_thousand() {
    let passes = |failures: f64, trials: f64| against_limit(failures, trials, 0.001) >= DECIDED.ln();
    assert!(passes(0.0, 4_199.0) && !passes(0.0, 4_198.0));
    let (low, high) = of_limit(0.0, 4_199.0, 1.0).expect("an interval");
    assert!(low > 0.999 && (high - 1.0).abs() < 1e-9, "{low} {high}");
    assert!(
        !passes(1.0, 9_000.0) && passes(1.0, 9_400.0),
        "one failure needs more"
    );
}

#[test]
fn a_sequence_holds_its_share() {
    let (low, high) = sequence(50, 100, DECIDED).expect("an interval");
    assert!(low > 0.3 && low < 0.4 && high > 0.6 && high < 0.7, "{low} {high}");
    assert_eq!(sequence(0, 10, DECIDED).map(|(low, _)| low), Some(0.0));
    assert_eq!(sequence(10, 10, DECIDED).map(|(_, high)| high), Some(1.0));
    assert_eq!(sequence(0, 0, DECIDED), None);
    assert_eq!(difference((1, 1), (0, 0)), None);
}

/// How many runs are decided as passed and as failed at any of their checks. The true rate is exactly the limit,
/// failures come in bursts of size `burst`, one burst every `apart` exchanges, at 50 exchanges per second.
fn wrong(burst: u64, apart: u64, decided: impl Fn(f64, f64, f64) -> bool) -> (u64, u64) {
    let mut random = Random(11);
    let (mut passed, mut failed) = (0, 0);
    for _ in 0..RUNS {
        let mut bursts = Bursts::default();
        let (mut failures, mut coming) = (0, 0);
        for trials in 1..=50_000u64 {
            if random.one_in(1000 * burst) {
                coming += burst;
            }
            let fails = coming > 0 && trials.is_multiple_of(apart);
            if fails {
                coming -= 1;
                failures += 1;
                bursts.count(trials / 50);
            }
            let looks = fails || trials.is_multiple_of(250);
            // Nothing is known about bursts before the second one.
            let known = failures > burst || burst == 1;
            let factor = bursts.factor(trials / 50);
            if looks && known && decided(float(failures), float(trials), factor) {
                let above = failures * 1000 > trials;
                *if above { &mut failed } else { &mut passed } += 1;
                break;
            }
        }
    }
    (passed, failed)
}

#[test]
fn a_rate_at_its_limit_is_seldom_decided_however_often_one_looks() {
    for (burst, apart) in [(1, 1), (5, 1), (20, 1), (20, 40)] {
        let (passed, failed) = wrong(burst, apart, |failures, trials, factor| {
            against_limit(failures / factor, trials / factor, 0.001) >= DECIDED.ln()
        });
        println!("bursts of {burst}, {apart} apart: {passed} passed, {failed} failed of {RUNS}");
        assert!(
            passed <= MOST && failed <= MOST,
            "bursts of {burst}, {apart} apart: {passed} passed, {failed} failed of {RUNS}"
        );
    }
    // The bound for a single check, as a control: this simulation can fail.
    let (passed, _) = wrong(1, 1, |failures, trials, _| {
        let z = 1.96_f64;
        (trials * 0.001 - failures) / (trials * 0.001 * 0.999).sqrt() > z
    });
    assert!(passed > MOST, "{passed}");
}

#[test]
fn the_interval_and_the_evidence_decide_alike() {
    let gates = GateConfig::default();
    for (failures, trials) in [
        (0, 4_198),
        (0, 4_199),
        (1, 9_000),
        (1, 9_400),
        (40, 10_000),
        (12, 10_000),
    ] {
        let rate = Proportion::of_limit(trials, failures, 0, 1.0);
        let ruling = gates::within(&gates, (rate.low.unwrap_or(0.0), rate.high.unwrap_or(1.0)));
        let decided = against_limit(float(failures), float(trials), 0.001) >= DECIDED.ln();
        assert_eq!(
            ruling != Ruling::InsufficientEvidence,
            decided,
            "{failures} of {trials}"
        );
    }
}

#[test]
fn a_fair_coin_is_seldom_called_unfair() {
    let mut random = Random(5);
    let mut wrong = 0;
    for _ in 0..2_000 {
        let (mut a, mut b) = (0, 0);
        for _ in 0..500 {
            if random.one_in(2) {
                a += 1;
            } else {
                b += 1;
            }
            if unfair(a, b) >= DECIDED.ln() {
                wrong += 1;
                break;
            }
        }
    }
    assert!(wrong <= 50, "{wrong} of 2000");
    assert!(unfair(20, 0) >= UNFAIR.ln() && unfair(19, 0) < UNFAIR.ln());
}

#[test]
fn a_background_is_seldom_called_a_difference() {
    let mut random = Random(3);
    for rate in [1, 2, 50] {
        for _ in 0..50 {
            let (mut observed, mut background, mut pairs) = (0, 0, 0);
            for trials in 1..=4_000u64 {
                observed += u64::from(random.one_in(rate));
                if trials.is_multiple_of(20) {
                    pairs += 1;
                    background += u64::from(random.one_in(rate));
                    let (low, _) = difference((observed, trials), (background, pairs)).expect("trials");
                    assert!(low <= 0.0, "{observed} of {trials}, {background} of {pairs}");
                }
            }
        }
    }
}

#[test]
fn the_median_stays_between_its_ranks() {
    let mut random = Random(9);
    let mut wrong = 0;
    for _ in 0..RUNS {
        let mut above = 0.0;
        for n in 1..=5_000u64 {
            above += if random.one_in(2) { 0.5 } else { -0.5 };
            if f64::abs(above) > quantile_spread(0.5, float(n)) {
                wrong += 1;
                break;
            }
        }
    }
    assert!(wrong <= 2 * MOST, "{wrong} of {RUNS}, for both sides");
}
