use super::*;
use crate::evidence::{coverage::CoverageWindows, stats::Proportion, unread::Unread};

fn quantiles(p50_us: u64, count: u64) -> Quantiles {
    Quantiles {
        count,
        p50_us,
        p50_low_us: p50_us - p50_us / 50,
        p50_high_us: p50_us + p50_us / 50,
        ..Quantiles::default()
    }
}

fn good() -> Figures {
    Figures {
        matches: Proportion::of_limit(10_000, 0, 0, 1.0),
        undecided: 0,
        burst: 1.0,
        error_burst: 1.0,
        windows: CoverageWindows::default(),
        coverage: Unread::default().coverage(990, 1000),
        unread: Unread::default(),
        production: quantiles(5_000, 100),
        shadow: quantiles(6_000, 100),
        production_errors: (5, 10_000),
        shadow_errors: (5, 10_000),
        slow_routes: 0,
        reversed: false,
        untimed: false,
        elapsed: Duration::from_secs(100),
    }
}

#[test]
fn the_tail_is_judged_where_that_is_asked_for() {
    let tail = |low: u64, p99: u64, high: u64| Quantiles {
        p99_us: p99,
        p99_low_us: low,
        p99_high_us: Some(high),
        ..quantiles(5_000, 10_000)
    };
    let config = GateConfig {
        latency_p99: Some(2.0),
        ..GateConfig::default()
    };
    assert!(config.validate().is_ok());
    let unknown = Quantiles {
        p99_high_us: None,
        ..tail(50_000, 60_000, 0)
    };
    for (shadow, expected) in [
        (tail(19_000, 20_000, 21_000), Ruling::Go),
        (tail(380_000, 400_000, 420_000), Ruling::NoGo),
        (tail(15_000, 45_000, 80_000), Ruling::InsufficientEvidence),
        (unknown, Ruling::InsufficientEvidence),
    ] {
        let figures = Figures {
            production: tail(18_000, 19_000, 20_000),
            shadow,
            ..good()
        };
        let judgement = judge(&config, &figures);
        let reason = judgement
            .reasons
            .iter()
            .find(|reason| reason.gate == "latency_p99");
        assert_eq!(reason.map(|reason| reason.ruling), Some(expected), "{reason:?}");
        assert_eq!(judgement.ruling, expected, "{judgement:?}");
        assert_eq!(
            judge(&GateConfig::default(), &figures).ruling,
            Ruling::Go,
            "off by default"
        );
    }
    let wrong = GateConfig {
        latency_p99: Some(0.5),
        ..config
    };
    assert_eq!(wrong.validate().map_err(|error| error.name), Err("latency_p99"));
}

/// The ruling, and the gates that did not pass.
fn rule(figures: &Figures) -> (Ruling, Vec<String>) {
    let judgement = judge(&GateConfig::default(), figures);
    assert_eq!(judgement.reasons.len(), 4, "{judgement:?}");
    let not_passed = judgement
        .reasons
        .into_iter()
        .filter(|reason| reason.ruling != Ruling::Go);
    (judgement.ruling, not_passed.map(|reason| reason.gate).collect())
}

/// The ruling on the good figures with one change.
fn with(change: impl FnOnce(&mut Figures)) -> (Ruling, Vec<String>) {
    let mut figures = good();
    change(&mut figures);
    rule(&figures)
}

fn only(ruling: Ruling, gate: &str) -> (Ruling, Vec<String>) {
    (ruling, vec![gate.to_owned()])
}

const PASSED: (Ruling, Vec<String>) = (Ruling::Go, Vec::new());

#[test]
fn the_match_rate_needs_its_whole_interval() {
    let matches = |trials, wrong, open, burst| {
        with(|figures| figures.matches = Proportion::of_limit(trials, wrong, open, burst))
    };
    assert_eq!(rule(&good()), PASSED);
    assert_eq!(
        matches(3_000, 0, 0, 1.0),
        only(Ruling::InsufficientEvidence, "match_rate"),
        "too few"
    );
    assert_eq!(matches(4_199, 0, 0, 1.0), PASSED, "just enough");
    assert_eq!(
        matches(10_000, 100, 0, 1.0),
        only(Ruling::NoGo, "match_rate"),
        "clearly below"
    );
    assert_eq!(
        matches(10_000, 8, 0, 1.0),
        only(Ruling::InsufficientEvidence, "match_rate"),
        "around it"
    );
    assert_eq!(
        matches(10_000, 0, 100, 1.0),
        only(Ruling::InsufficientEvidence, "match_rate"),
        "what is undecided is neither right nor wrong"
    );
    assert_eq!(
        matches(10_000, 40, 0, 40.0),
        only(Ruling::InsufficientEvidence, "match_rate"),
        "one burst may be chance"
    );
}

#[test]
fn latency_is_a_ratio_above_a_floor() {
    let medians = |production, shadow, count| {
        with(|figures| {
            figures.production = quantiles(production, count);
            figures.shadow = quantiles(shadow, count);
        })
    };
    assert_eq!(medians(5_000, 9_500, 100), PASSED, "nearly twice is allowed");
    assert_eq!(
        medians(5_000, 10_000, 100),
        only(Ruling::InsufficientEvidence, "latency"),
        "the interval is around it"
    );
    assert_eq!(medians(5_000, 10_600, 100), only(Ruling::NoGo, "latency"));
    assert_eq!(medians(100, 1_000, 100), PASSED, "within the floor");
    assert_eq!(
        medians(5_000, 50_000, 19),
        only(Ruling::InsufficientEvidence, "latency"),
        "few answers"
    );
    assert_eq!(
        with(|figures| figures.slow_routes = 1),
        only(Ruling::NoGo, "latency"),
        "one slow route"
    );
}

#[test]
fn what_passes_within_the_floor_says_so() {
    let mut config = GateConfig::default();
    assert!(
        config
            .allowance(2.0)
            .ends_with("allowed is 2 times, or 1.0 ms more")
    );
    config.latency_floor = Duration::ZERO;
    assert!(config.allowance(1.5).ends_with("allowed is 1.5 times"));
}

#[test]
fn shadow_errors_may_not_be_more_than_productions() {
    let errors = |shadow| with(|figures| figures.shadow_errors = (shadow, 10_000));
    assert_eq!(errors(0), PASSED);
    assert_eq!(errors(5), PASSED);
    assert_eq!(
        errors(12),
        only(Ruling::InsufficientEvidence, "shadow_errors"),
        "perhaps by chance"
    );
    assert_eq!(errors(50), only(Ruling::NoGo, "shadow_errors"));
}

#[test]
fn low_coverage_is_missing_evidence() {
    let coverage = |judged| with(|figures| figures.coverage = Unread::default().coverage(judged, 1_000));
    assert_eq!(coverage(950), PASSED);
    assert_eq!(coverage(949), only(Ruling::InsufficientEvidence, "coverage"));
}

#[test]
fn latency_that_is_not_judged_is_shown() {
    let slow = Figures {
        shadow: quantiles(600_000, 100),
        slow_routes: 3,
        ..good()
    };
    assert_eq!(rule(&slow).0, Ruling::NoGo);
    let judgement = judge(
        &GateConfig {
            latency_p99: Some(1.0),
            ..GateConfig::default()
        },
        &Figures {
            untimed: true,
            ..slow
        },
    );
    assert_eq!(judgement.ruling, Ruling::Go, "{judgement:?}");
    let shown = judgement.reasons.iter().find(|reason| reason.gate == "latency");
    let shown = shown.map(|reason| reason.text.as_str()).unwrap_or_default();
    assert!(
        shown.contains("600.0 ms") && shown.contains("not judged"),
        "{shown}"
    );
}

#[test]
fn nothing_seen_is_no_evidence() {
    let nothing = Figures {
        matches: Proportion::new(0, 0),
        undecided: 0,
        burst: 1.0,
        error_burst: 1.0,
        windows: CoverageWindows::default(),
        coverage: Unread::default().coverage(0, 0),
        unread: Unread::default(),
        production: quantiles(0, 0),
        shadow: quantiles(0, 0),
        production_errors: (0, 0),
        shadow_errors: (0, 0),
        slow_routes: 0,
        reversed: false,
        untimed: false,
        elapsed: Duration::ZERO,
    };
    let (ruling, gates) = rule(&nothing);
    assert_eq!((ruling, gates.len()), (Ruling::InsufficientEvidence, 4));
}

#[test]
fn what_is_still_needed_is_said() {
    let needed = |wrong, trials| {
        let mut figures = good();
        figures.matches = Proportion::of_limit(trials, wrong, 0, 1.0);
        more_needed(&GateConfig::default(), &figures)
    };
    assert_eq!(needed(0, 0), Some(4199));
    assert_eq!(needed(0, 3000), Some(1199));
    assert_eq!(needed(0, 4199), None, "it passed");
    assert_eq!(needed(10, 1000), None, "more of the same would not help");
    let mut figures = good();
    figures.matches = Proportion::of_limit(3000, 0, 0, 1.0);
    let judgement = judge(&GateConfig::default(), &figures);
    assert_eq!(judgement.more_seconds_needed, Some(40), "1199 at 30 a second");
    assert_eq!(seconds(839, 0, Duration::from_secs(1)), None);
}

#[test]
fn shares_read_as_percent() {
    for (share, text) in [
        (1.0, "100 %"),
        (0.999, "99.9 %"),
        (0.99951, "99.951 %"),
        (0.0, "0 %"),
    ] {
        assert_eq!(percent(share), text);
    }
}

#[test]
fn gates_that_mean_nothing_are_refused() {
    assert_eq!(GateConfig::default().validate(), Ok(()));
    let refused = |change: fn(&mut GateConfig)| {
        let mut config = GateConfig::default();
        change(&mut config);
        config.validate().expect_err("refused").name
    };
    assert_eq!(refused(|config| config.match_rate = 1.0), "match_rate");
    assert_eq!(refused(|config| config.match_rate = 99.9), "match_rate");
    assert_eq!(refused(|config| config.coverage = 1.1), "coverage");
    assert_eq!(refused(|config| config.latency_ratio = f64::NAN), "latency_ratio");
}

#[test]
fn after_the_cut_over_the_systems_are_called_what_they_are() {
    let said = |reversed| {
        let judgement = judge(&GateConfig::default(), &Figures { reversed, ..good() });
        judgement
            .reasons
            .into_iter()
            .map(|reason| reason.text)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let (mirror, reversed) = (said(false), said(true));
    assert!(
        mirror.contains("production's") && mirror.contains("in production"),
        "{mirror}"
    );
    assert!(!reversed.contains("production"), "{reversed}");
    assert!(
        reversed.contains("the new system's") && reversed.contains("in the new system"),
        "{reversed}"
    );
}
