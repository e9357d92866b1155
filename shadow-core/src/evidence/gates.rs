//! Gates: GO, NO-GO or not enough evidence.
//!
//! Each gate evaluates one figure with its interval. It passes if the whole interval passes, fails if the whole
//! interval fails, and is undecided otherwise. The intervals hold at any time ([`anytime`]), because gates are
//! evaluated continuously. Coverage is exact, except for exchanges that were not read: their number is an estimate
//! ([`Unread`](super::unread::Unread)), and the lower end counts. NO-GO needs one failed gate, GO needs every gate to
//! pass. An undecided difference counts as right where a gate would fail, and as wrong where it would pass.

use core::{fmt::Write as _, time::Duration};

use super::{
    anytime, coverage_gate,
    figures::Figures,
    gate_config::GateConfig,
    latency::{Quantiles, micros},
    numbers,
    report::the_production,
    ruling::{Judgement, Reason, Ruling, percent, reason},
    stats::{self, trials_needed},
    tail,
};

/// Evaluates all gates.
pub(crate) fn judge(config: &GateConfig, figures: &Figures) -> Judgement {
    let reasons = [
        Some(match_rate(config, figures)),
        Some(latency(config, figures)),
        config
            .latency_p99
            .filter(|_| !figures.untimed)
            .map(|allowed| tail::gate(config, figures, allowed)),
        Some(shadow_errors(figures)),
        Some(coverage_gate::gate(config, figures)),
    ];
    let reasons: Vec<Reason> = reasons.into_iter().flatten().collect();
    let more_exchanges_needed = more_needed(config, figures);
    Judgement {
        more_exchanges_needed,
        more_seconds_needed: more_exchanges_needed
            .and_then(|more| seconds(more, figures.matches.trials, figures.elapsed)),
        ..Judgement::of(reasons)
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
        "median time to first byte {}, {}'s {}",
        micros(shadow.p50_us),
        the_production(figures.reversed),
        micros(production.p50_us),
    );
    // Writing to a String cannot fail.
    if let Some((low, high)) = median_ratio(&production, &shadow) {
        write!(text, ": {low:.2} to {high:.2} times that (95 % interval)").unwrap_or_default();
    }
    if figures.untimed {
        text += "; not judged, because the requests were sent as fast as possible";
        return reason("latency", Ruling::Go, text);
    }
    text += &config.allowance(config.latency_ratio);
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
    let median = |of: &Quantiles| [of.p50_low_us, of.p50_us, of.p50_high_us].map(numbers::float);
    stats::ratio_interval(median(shadow), median(production))
}

/// Whether the whole interval of the shadow system's median exceeds the allowed ratio, and by more than the floor.
pub(crate) fn is_slow(config: &GateConfig, production: Quantiles, shadow: Quantiles) -> bool {
    production.count.min(shadow.count) >= config.latency_samples
        && shadow.p50_us.saturating_sub(production.p50_us) > config.floor_us()
        && match median_ratio(&production, &shadow) {
            Some((low, _)) => low > config.latency_ratio,
            // Production's median is below a microsecond.
            None => shadow.p50_low_us > config.floor_us(),
        }
}

/// Whether the whole interval is within the allowed ratio, or within the floor.
fn is_fast(config: &GateConfig, production: Quantiles, shadow: Quantiles) -> bool {
    production.count.min(shadow.count) >= config.latency_samples
        && (shadow.p50_high_us.saturating_sub(production.p50_low_us) <= config.floor_us()
            || median_ratio(&production, &shadow).is_some_and(|(_, high)| high <= config.latency_ratio))
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

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
