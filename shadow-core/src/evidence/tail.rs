//! The gate and the finding for the 99th percentile.

use core::fmt::Write as _;

use super::{
    figures::Figures,
    gate_config::GateConfig,
    latency::{Quantiles, micros},
    report::the_production,
    ruling::{Reason, Ruling, reason},
};

/// Whether the whole interval of the shadow system's 99th percentile is above `allowed` times production's, and by more
/// than the floor.
pub(super) fn is_slow(config: &GateConfig, allowed: f64, production: Quantiles, shadow: Quantiles) -> bool {
    shadow.p99_us.saturating_sub(production.p99_us) > config.floor_us()
        && shadow
            .p99_ratio(&production)
            .is_some_and(|(low, _)| low > allowed)
}

pub(super) fn gate(config: &GateConfig, figures: &Figures, allowed: f64) -> Reason {
    let (production, shadow) = (figures.production, figures.shadow);
    let mut text = format!(
        "99th percentile of the time to first byte {}, {}'s {}",
        micros(shadow.p99_us),
        the_production(figures.reversed),
        micros(production.p99_us),
    );
    let interval = shadow.p99_ratio(&production);
    match interval {
        Some((low, high)) => write!(text, ": {low:.2} to {high:.2} times that (95 % interval)"),
        None => write!(text, ", of too few answers to tell"),
    }
    .unwrap_or_default();
    text += &config.allowance(allowed);
    let within = shadow
        .p99_high_us
        .is_some_and(|high| high.saturating_sub(production.p99_low_us) <= config.floor_us());
    let ruling = if is_slow(config, allowed, production, shadow) {
        Ruling::NoGo
    } else if within || interval.is_some_and(|(_, high)| high <= allowed) {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    };
    reason("latency_p99", ruling, text)
}
