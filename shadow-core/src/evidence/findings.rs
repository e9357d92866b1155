//! Findings about whole routes: slow, failing, not answered.

use crate::compare::Failure;

use super::{
    gates,
    latency::{Quantiles, micros},
    ledger::Ledger,
    report::{self, Finding, FindingKind},
    summary::latency,
    tail,
    tally::Tally,
};

impl Ledger {
    /// Every finding, in the order of its kind and route.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self
            .routes_seen()
            .flat_map(|(_, name, tally)| {
                let timeouts = failures(tally, Failure::is_timeout);
                let failed = failures(tally, |failure| !failure.is_timeout() && !failure.is_ours());
                let replays = tally.replayed();
                let of = |count: u64, what: &str| {
                    (count > 0).then(|| format!("{count} of {replays} replays {what}"))
                };
                [
                    (FindingKind::Slow, self.slow(tally).filter(|_| !self.untimed)),
                    (
                        FindingKind::SlowTail,
                        self.slow_tail(tally).filter(|_| !self.untimed),
                    ),
                    (FindingKind::TimesOut, of(timeouts, "timed out")),
                    (FindingKind::Fails, of(failed, "got no answer")),
                    (FindingKind::NotAnswered, self.not_answered(tally)),
                ]
                .map(|(kind, text)| {
                    text.map(|text| Finding {
                        kind,
                        route: name.to_owned(),
                        text,
                    })
                })
            })
            .flatten()
            .collect();
        found.sort_by(|a, b| (a.kind, &a.route).cmp(&(b.kind, &b.route)));
        found
    }

    /// Whether production left requests without an answer, so that they could not be compared.
    fn not_answered(&self, tally: &Tally) -> Option<String> {
        let all = tally.skipped.saturating_add(tally.replayed());
        (tally.not_answered > 0).then(|| {
            format!(
                "{} did not answer {} of {all} requests: their connections ended first",
                report::the_production(self.reversed),
                tally.not_answered
            )
        })
    }

    /// Whether the 99th percentile of a route is slow, reported like a slow median.
    fn slow_tail(&self, tally: &Tally) -> Option<String> {
        let allowed = self.gates.latency_p99.unwrap_or(self.gates.latency_ratio);
        let (span, production, shadow) = spans(tally)
            .into_iter()
            .find(|(_, production, shadow)| tail::is_slow(&self.gates, allowed, *production, *shadow))?;
        Some(format!(
            "99th percentile of the time to the {span} {}, {}'s {}, over {} answers{}",
            micros(shadow.p99_us),
            report::the_production(self.reversed),
            micros(production.p99_us),
            shadow.count,
            self.gates.allowance(allowed)
        ))
    }

    /// Whether the shadow system is slow on a route, in either span: a server may send its head immediately.
    fn slow(&self, tally: &Tally) -> Option<String> {
        let (span, production, shadow) = spans(tally)
            .into_iter()
            .find(|(_, production, shadow)| gates::is_slow(&self.gates, *production, *shadow))?;
        Some(format!(
            "median time to the {span} {}, {}'s {}, over {} answers{}",
            micros(shadow.p50_us),
            report::the_production(self.reversed),
            micros(production.p50_us),
            shadow.count,
            self.gates.allowance(self.gates.latency_ratio)
        ))
    }
}

/// Both spans of a route by name: production's, and the shadow system's.
fn spans(tally: &Tally) -> [(&'static str, Quantiles, Quantiles); 2] {
    let report::Latency {
        production, shadow, ..
    } = latency(tally);
    [
        ("first byte", production.first_byte, shadow.first_byte),
        ("last byte", production.whole, shadow.whole),
    ]
}

/// Number of slow routes.
pub(super) fn slow(findings: &[Finding]) -> usize {
    let slow = |finding: &&Finding| finding.kind == FindingKind::Slow;
    findings.iter().filter(slow).count()
}

fn failures(tally: &Tally, which: impl Fn(Failure) -> bool) -> u64 {
    tally
        .failures
        .iter()
        .filter(|(failure, _)| which(**failure))
        .fold(0, |sum, (_, count)| sum.saturating_add(*count))
}
