//! The laws of conservation: what came in is what came out, with a name for every loss. They end every end-to-end test.

use std::collections::BTreeMap;

use shadow_common::stat::Stat;
use shadow_core::evidence::report::Report;

/// Every count of a report that is at rest adds up.
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
    let funnel = &report.funnel;
    let mut broken = Vec::new();
    let mut law = |left: &str, left_value: u64, right: &str, right_value: u64| {
        if left_value != right_value {
            broken.push(format!("{left} = {left_value}, but {right} = {right_value}"));
        }
    };
    let kernel = |stat: Stat| funnel.kernel.get(stat.as_str()).copied().unwrap_or(0);
    law(
        "packets seen",
        kernel(Stat::Seen),
        "the sum of their fates",
        Stat::fates().map(kernel).sum(),
    );
    law(
        "exchanges",
        funnel.exchanges,
        "skipped + replayed",
        funnel.skipped_total + funnel.replayed,
    );
    law("in flight", funnel.in_flight, "nothing at rest", 0);
    law(
        "skipped",
        funnel.skipped_total,
        "the sum of its reasons",
        sum(&funnel.skipped),
    );
    law(
        "replayed",
        funnel.replayed,
        "match + mismatch + shadow error",
        funnel.matched + funnel.mismatched + funnel.shadow_errors,
    );
    law(
        "shadow errors",
        funnel.shadow_errors,
        "the sum of their failures",
        sum(&funnel.failures),
    );
    let routes =
        |field: fn(&shadow_core::evidence::report::Route) -> u64| report.routes.iter().map(field).sum();
    law(
        "exchanges",
        funnel.exchanges,
        "those of all routes",
        routes(|route| route.exchanges),
    );
    law(
        "skipped",
        funnel.skipped_total,
        "those of all routes",
        routes(|route| route.skipped),
    );
    law(
        "matched",
        funnel.matched,
        "those of all routes",
        routes(|route| route.matched),
    );
    law(
        "mismatched",
        funnel.mismatched,
        "those of all routes",
        routes(|route| route.mismatched),
    );
    law(
        "shadow errors",
        funnel.shadow_errors,
        "those of all routes",
        routes(|route| route.shadow_errors),
    );
    law(
        "compared, of which the match rate is",
        report.match_rate.trials,
        "match + mismatch",
        funnel.matched + funnel.mismatched,
    );
    broken
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
        report.funnel.kernel.insert("seen".to_owned(), 3);
        report.funnel.kernel.insert("emitted".to_owned(), 2);
        assert_eq!(broken(&report).len(), 1, "{:?}", broken(&report));
    }
}
