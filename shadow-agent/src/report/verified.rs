//! How much of each route was compared, and how many planted faults would have been found.

use std::fmt::Write as _;

use shadow_core::evidence::report::{Missed, Power, Report, Verified};

use super::bounds::{WIDE, more};
use crate::figures::{captured, count, percent};

/// Routes that are shown, those with the smallest share first.
const ROUTES: usize = 10;

/// Places of missed faults that are shown.
const MISSED: usize = 5;

/// Writes both sections; nothing of what is not known.
pub(super) fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    verified(out, report)?;
    power(out, &report.power)
}

fn verified(out: &mut String, report: &Report) -> std::fmt::Result {
    let routes = report.routes.iter();
    let mut partly: Vec<(&str, &Verified)> = routes
        .filter_map(|route| Some((route.route.as_str(), route.verified.as_ref()?)))
        .filter(|(_, verified)| verified.exact.leaves < 1.0)
        .collect();
    if partly.is_empty() {
        return Ok(());
    }
    partly.sort_by(|(_, a), (_, b)| a.share().total_cmp(&b.share()));
    writeln!(
        out,
        "\nVerified: how the values of each route are compared; all of every other route exactly"
    )?;
    for (route, verified) in partly.iter().take(ROUTES) {
        let parts = [
            (verified.exact, "exactly"),
            (verified.by_rule, "by rule"),
            (verified.by_format, "by format"),
            (verified.noise, "noise"),
            (verified.by_digest, "by digest only"),
            (verified.not, "not at all"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(share, _)| share.leaves > 0.0)
            .map(|(share, how)| format!("{} {how}", percent(share.leaves)))
            .collect();
        writeln!(
            out,
            "  {}: {} of {:.1} values",
            captured(route, WIDE),
            parts.join(", "),
            verified.leaves
        )?;
    }
    more(out, partly.len(), ROUTES, "routes")
}

fn power(out: &mut String, power: &Power) -> std::fmt::Result {
    let caught = &power.caught;
    let (Some(rate), Some(low), Some(high)) = (caught.rate, caught.low, caught.high) else {
        return Ok(());
    };
    writeln!(
        out,
        "\nDetection power\n  would have caught {} of {} planted faults (95 % interval {} to {})",
        percent(rate),
        count(caught.trials),
        percent(low),
        percent(high)
    )?;
    for Missed {
        route,
        place,
        count: missed,
        why,
    } in power.missed.iter().take(MISSED)
    {
        writeln!(
            out,
            "  missed: {} in {} {} ({})",
            count(*missed),
            captured(route, WIDE),
            captured(place, WIDE),
            why.replace('_', " ")
        )?;
    }
    more(out, power.missed.len(), MISSED, "places")
}
