//! Gates: GO, NO-GO or not enough evidence.
//!
//! Each gate evaluates one figure with its interval. It passes if the whole interval passes, fails if the whole
//! interval fails, and is undecided otherwise. The intervals hold at any time ([`anytime`]), because gates are
//! evaluated continuously. Coverage is exact, except for exchanges that were not read: their number is an estimate
//! ([`Unread`]), and the lower end counts. NO-GO needs one failed gate, GO needs every gate to pass. An undecided
//! difference counts as right where a gate would fail, and as wrong where it would pass.

use core::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};

pub(super) use super::gate_config::GateConfig;
use super::{
    anytime,
    latency::Quantiles,
    report::the_production,
    settle::Settle,
    stats::{self, Proportion, trials_needed},
    tail,
    unread::Unread,
};

/// The answer to "may we cut over?".
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Every gate passed.
    Go,
    /// A gate failed.
    NoGo,
    /// No gate failed, but not all passed.
    #[default]
    InsufficientEvidence,
}

impl Ruling {
    /// The text shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "GO",
            Self::NoGo => "NO-GO",
            Self::InsufficientEvidence => "INSUFFICIENT EVIDENCE",
        }
    }
}

/// A ruling with its reasons.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Judgement {
    /// The answer.
    pub ruling: Ruling,
    /// The result of each gate, in a stable order.
    pub reasons: Vec<Reason>,
    /// Further compared exchanges, at the present rates, until the match rate could pass. `None` if it has passed, or
    /// if more of the same would not make it pass.
    pub more_exchanges_needed: Option<u64>,
    /// Time needed for them at the rate so far, in seconds.
    pub more_seconds_needed: Option<u64>,
    /// Routes with undecided differences and what would settle them, the routes with the most first.
    #[serde(default)]
    pub settle: Vec<Settle>,
}

/// The result of one gate.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reason {
    /// The gate: `match_rate`, `latency`, `latency_p99`, `shadow_errors`, `coverage`, `excused`, `verified`,
    /// `power`.
    pub gate: String,
    /// The ruling of this gate alone.
    pub ruling: Ruling,
    /// Explanation, with the figures.
    pub text: String,
}

/// The figures that the gates evaluate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) matches: Proportion,
    /// Answers that are neither right nor known to be wrong.
    pub(crate) undecided: u64,
    /// Mean burst size of mismatches, and of errors.
    pub(crate) burst: f64,
    pub(crate) error_burst: f64,
    pub(crate) coverage: Proportion,
    /// Exchanges among them that were not read.
    pub(crate) unread: Unread,
    pub(crate) production: Quantiles,
    pub(crate) shadow: Quantiles,
    /// Errors and requests.
    pub(crate) production_errors: (u64, u64),
    pub(crate) shadow_errors: (u64, u64),
    /// Routes whose median alone exceeds the allowed ratio.
    pub(crate) slow_routes: usize,
    /// How long it took to collect them.
    pub(crate) elapsed: Duration,
    /// Production is the new system and the shadow is the old one.
    pub(crate) reversed: bool,
}

/// Evaluates all gates.
pub(crate) fn judge(config: &GateConfig, figures: &Figures) -> Judgement {
    let reasons = [
        Some(match_rate(config, figures)),
        Some(latency(config, figures)),
        config
            .latency_p99
            .map(|allowed| tail::gate(config, figures, allowed)),
        Some(shadow_errors(figures)),
        Some(coverage(config, figures)),
    ];
    let reasons: Vec<Reason> = reasons.into_iter().flatten().collect();
    let ruling = ruling(&reasons);
    let more_exchanges_needed = more_needed(config, figures);
    Judgement {
        ruling,
        more_exchanges_needed,
        more_seconds_needed: more_exchanges_needed
            .and_then(|more| seconds(more, figures.matches.trials, figures.elapsed)),
        reasons,
        settle: Vec::new(),
    }
}

/// The ruling of all gates together.
pub(super) fn ruling(reasons: &[Reason]) -> Ruling {
    if reasons.iter().any(|reason| reason.ruling == Ruling::NoGo) {
        Ruling::NoGo
    } else if reasons.iter().all(|reason| reason.ruling == Ruling::Go) {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    }
}

/// Time for `more` exchanges if `compared` took `elapsed`. `None` if there were none.
fn seconds(more: u64, compared: u64, elapsed: Duration) -> Option<u64> {
    let millis = u128::from(more).checked_mul(elapsed.as_millis())?;
    let millis = millis
        .checked_div(compared.into())
        .filter(|_| !elapsed.is_zero())?;
    u64::try_from(millis.div_ceil(1000)).ok()
}

fn more_needed(config: &GateConfig, figures: &Figures) -> Option<u64> {
    let matches = figures.matches;
    if matches.low.is_some_and(|low| low > config.match_rate) {
        return None;
    }
    let failures = matches.trials.saturating_sub(matches.successes);
    trials_needed(failures, matches.trials, 1.0 - config.match_rate, figures.burst)
        .map(|needed| needed.saturating_sub(matches.trials).max(1))
}

pub(super) fn reason(gate: &str, ruling: Ruling, text: String) -> Reason {
    Reason {
        gate: gate.to_owned(),
        ruling,
        text,
    }
}

/// A share as a percentage, with enough digits to distinguish 99.9 from 99.99.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

/// The ruling on a match rate with this interval.
pub(crate) fn within(config: &GateConfig, (low, high): (f64, f64)) -> Ruling {
    if low > config.match_rate {
        Ruling::Go
    } else if high <= config.match_rate {
        Ruling::NoGo
    } else {
        Ruling::InsufficientEvidence
    }
}

fn match_rate(config: &GateConfig, figures: &Figures) -> Reason {
    let matches = figures.matches;
    let (Some(rate), Some(low), Some(high)) = (matches.rate, matches.low, matches.high) else {
        return reason(
            "match_rate",
            Ruling::InsufficientEvidence,
            "nothing was compared yet".to_owned(),
        );
    };
    let ruling = within(config, (low, high));
    let mut text = format!(
        "{} of {} answers are as they should be: {} (95 % interval {} to {}), needed is above {}",
        matches.successes,
        matches.trials,
        percent(rate),
        percent(low),
        percent(high),
        percent(config.match_rate),
    );
    if figures.undecided > 0 {
        let share = stats::share(figures.undecided, matches.trials).unwrap_or_default();
        // Writing to a String cannot fail.
        write!(text, "; {} are undecided: {}", figures.undecided, percent(share)).unwrap_or_default();
    }
    reason("match_rate", ruling, text)
}

/// Also fails on a slow route: if its share of the traffic is small, the overall median would not show it.
fn latency(config: &GateConfig, figures: &Figures) -> Reason {
    let Figures {
        production,
        shadow,
        slow_routes,
        ..
    } = *figures;
    let mut text = format!(
        "median time to first byte {} us, {}'s {} us",
        shadow.p50_us,
        the_production(figures.reversed),
        production.p50_us,
    );
    // Writing to a String cannot fail.
    if let Some((low, high)) = median_ratio(&production, &shadow) {
        write!(text, ": {low:.2} to {high:.2} times that (95 % interval)").unwrap_or_default();
    }
    text += &allowance(config, config.latency_ratio);
    if slow_routes > 0 {
        let are = if slow_routes == 1 {
            "route is"
        } else {
            "routes are"
        };
        write!(
            text,
            "; {slow_routes} {are} slower than that, by the first or the last byte"
        )
        .unwrap_or_default();
    }
    let ruling = if slow_routes > 0 || is_slow(config, production, shadow) {
        Ruling::NoGo
    } else if is_fast(config, production, shadow) {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    };
    reason("latency", ruling, text)
}

/// Interval of the ratio of the shadow system's median to production's.
pub(crate) fn median_ratio(production: &Quantiles, shadow: &Quantiles) -> Option<(f64, f64)> {
    let median = |of: &Quantiles| [of.p50_low_us, of.p50_us, of.p50_high_us].map(stats::float);
    stats::ratio_interval(median(shadow), median(production))
}

/// Whether the whole interval of the shadow system's median exceeds the allowed ratio, and by more than the floor.
pub(crate) fn is_slow(config: &GateConfig, production: Quantiles, shadow: Quantiles) -> bool {
    production.count.min(shadow.count) >= config.latency_samples
        && shadow.p50_us.saturating_sub(production.p50_us) > floor(config)
        && match median_ratio(&production, &shadow) {
            Some((low, _)) => low > config.latency_ratio,
            // Production's median is below a microsecond.
            None => shadow.p50_low_us > floor(config),
        }
}

/// Whether the whole interval is within the allowed ratio, or within the floor.
fn is_fast(config: &GateConfig, production: Quantiles, shadow: Quantiles) -> bool {
    production.count.min(shadow.count) >= config.latency_samples
        && (shadow.p50_high_us.saturating_sub(production.p50_low_us) <= floor(config)
            || median_ratio(&production, &shadow).is_some_and(|(_, high)| high <= config.latency_ratio))
}

/// The end of a text: a difference up to the floor is allowed at any ratio.
pub(super) fn allowance(config: &GateConfig, times: f64) -> String {
    match floor(config) {
        0 => format!("; allowed is {times} times"),
        more => format!("; allowed is {times} times, or {more} us more"),
    }
}

pub(super) fn floor(config: &GateConfig) -> u64 {
    u64::try_from(config.latency_floor.as_micros()).unwrap_or(u64::MAX)
}

fn shadow_errors(figures: &Figures) -> Reason {
    let (production, shadow) = (figures.production_errors, figures.shadow_errors);
    let text = format!(
        "{} of {} replays failed or got a 5xx, {} of {} in {}",
        shadow.0,
        shadow.1,
        production.0,
        production.1,
        the_production(figures.reversed)
    );
    // Both counts are of the same requests: without a fault, an error is equally likely on either side.
    let evidence = anytime::unfair_in_bursts(shadow.0, production.0, figures.error_burst);
    let ruling = if shadow.1 == 0 {
        Ruling::InsufficientEvidence
    } else if shadow.0 <= production.0 {
        Ruling::Go
    } else if evidence >= anytime::DECIDED.ln() {
        Ruling::NoGo
    } else {
        Ruling::InsufficientEvidence
    };
    reason("shadow_errors", ruling, text)
}

fn coverage(config: &GateConfig, figures: &Figures) -> Reason {
    let (coverage, unread) = (figures.coverage, figures.unread);
    let (Some(rate), Some(low)) = (coverage.rate, coverage.low) else {
        let nothing = "nothing was seen that is to be compared".to_owned();
        return reason("coverage", Ruling::InsufficientEvidence, nothing);
    };
    // Lost exchanges say nothing against the shadow system, so this gate never results in NO-GO.
    let ruling = if low >= config.coverage {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    };
    let mut text = format!(
        "{} of {} exchanges that were to be compared have a verdict: {}, needed is {}",
        coverage.successes,
        coverage.trials,
        percent(rate),
        percent(config.coverage),
    );
    if unread.high > 0 {
        // Writing to a String cannot fail.
        write!(
            text,
            "; {} of them were not read (95 % interval {} to {}): at worst {}",
            unread.exchanges,
            unread.low,
            unread.high,
            percent(low),
        )
        .unwrap_or_default();
    }
    reason("coverage", ruling, text)
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
