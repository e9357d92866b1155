//! The laws of conservation: output equals input, and every loss has a name. Every end-to-end test ends with them.

use std::collections::BTreeMap;

use shadow_common::stat::Stat;
use shadow_core::evidence::report::{Funnel, Report, Route};

/// Asserts that every count of a settled report adds up.
pub fn assert_laws(report: &Report) {
    let broken = broken(report);
    assert!(
        broken.is_empty(),
        "these do not add up:\n{}\n{:#?}",
        broken.join("\n"),
        report.funnel
    );
}

/// The laws that a report breaks, in words with figures.
pub fn broken(report: &Report) -> Vec<String> {
    funnel(&report.funnel)
        .into_iter()
        .chain(routes(report))
        .filter(|law| law.left.1 != law.right.1)
        .map(|Law { left, right }| format!("{} = {}, but {} = {}", left.0, left.1, right.0, right.1))
        .chain(report.also.iter().flat_map(broken))
        .collect()
}

struct Law {
    left: (&'static str, u64),
    right: (&'static str, u64),
}

fn law(left: (&'static str, u64), right: (&'static str, u64)) -> Law {
    Law { left, right }
}

fn funnel(funnel: &Funnel) -> Vec<Law> {
    let kernel = |stat: Stat| funnel.kernel(stat);
    let verdicts = funnel.matched + funnel.mismatched + funnel.shadow_errors;
    vec![
        law(
            ("packets seen", kernel(Stat::Seen)),
            ("the sum of their fates", Stat::fates().map(kernel).sum()),
        ),
        law(
            ("exchanges", funnel.exchanges),
            ("skipped + replayed", funnel.skipped_total + funnel.replayed),
        ),
        law(("in flight", funnel.in_flight), ("what is at rest", 0)),
        law(
            ("skipped", funnel.skipped_total),
            ("the sum of its reasons", sum(&funnel.skipped)),
        ),
        law(
            ("replayed", funnel.replayed),
            ("match + mismatch + shadow error", verdicts),
        ),
        law(
            ("mismatched", funnel.mismatched),
            (
                "regressions + undecided + noise + after skipped writes",
                funnel.regressions + funnel.undecided + funnel.noise + funnel.after_skipped_write,
            ),
        ),
        law(
            ("shadow errors", funnel.shadow_errors),
            ("the sum of their failures", sum(&funnel.failures)),
        ),
    ]
}

/// The routes add up to the total.
fn routes(report: &Report) -> Vec<Law> {
    let of = |field: fn(&Route) -> u64| ("those of all routes", report.routes.iter().map(field).sum());
    let funnel = &report.funnel;
    vec![
        law(("exchanges", funnel.exchanges), of(|route| route.exchanges)),
        law(("skipped", funnel.skipped_total), of(|route| route.skipped)),
        law(("matched", funnel.matched), of(|route| route.matched)),
        law(("mismatched", funnel.mismatched), of(|route| route.mismatched)),
        law(
            ("shadow errors", funnel.shadow_errors),
            of(|route| route.shadow_errors),
        ),
        law(
            ("matches in the match rate", report.match_rate.successes),
            ("matched + noise", funnel.matched + funnel.noise),
        ),
        law(
            ("compared in the match rate", report.match_rate.trials),
            (
                "compared - after skipped writes",
                funnel.matched + funnel.mismatched - funnel.after_skipped_write,
            ),
        ),
        law(("regressions", funnel.regressions), of(|route| route.regressions)),
        law(("undecided", funnel.undecided), of(|route| route.undecided)),
        law(("noise", funnel.noise), of(|route| route.noise)),
        law(
            ("after skipped writes", funnel.after_skipped_write),
            of(|route| route.after_skipped_write),
        ),
    ]
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_exchange_is_found() {
        let mut report = Report::default();
        assert_eq!(broken(&report), Vec::<String>::new());
        report.funnel.exchanges = 1;
        assert_eq!(broken(&report).len(), 2, "{:?}", broken(&report));
    }

    #[test]
    fn a_packet_without_a_fate_is_found() {
        let mut report = Report::default();
        let kernel = &mut report.funnel.kernel;
        kernel.set(Stat::Seen, 3);
        kernel.set(Stat::Emitted, 2);
        assert_eq!(broken(&report).len(), 1, "{:?}", broken(&report));
    }
}
