//! From the first packet to the last verdict, with every loss by its reason.

use std::{collections::BTreeMap, fmt::Write as _};

use shadow_core::evidence::report::Funnel;

use super::figures::count;

/// What the kernel program's counters mean, in the order in which a packet meets them.
const FATES: [(&str, &str); 12] = [
    ("not_targeted", "to or from no target"),
    ("own", "the agent's own, or of a shadow system"),
    ("fragment", "IP fragments"),
    ("malformed", "length fields that contradict each other"),
    ("disarmed", "not copied: switched off"),
    ("expired", "not copied: the agent's heartbeat was late"),
    ("unsampled", "not copied: connection not in the sample"),
    ("muted", "not copied: connection without use (not HTTP/1)"),
    ("no_payload", "not copied: bare acknowledgements"),
    ("ring_full", "LOST: the ring was full"),
    ("load_failed", "LOST: shorter than its headers say"),
    ("emitted", "copied"),
];

/// Incomplete reasons of the engine carry this prefix among its counters.
const INCOMPLETE: &str = "incomplete_";

/// Writes the funnel, one line for each step and each reason that happened.
pub fn write(out: &mut String, funnel: &Funnel) {
    let mut lines = Lines(out);
    if let Some(seen) = funnel.kernel.get("seen") {
        lines.step("packets seen", *seen);
        for (name, meaning) in FATES {
            lines.reason(meaning, get(&funnel.kernel, name), name);
        }
        lines.reason(
            "of these without their tail",
            get(&funnel.kernel, "truncated"),
            "truncated",
        );
    }
    let engine = &funnel.engine;
    lines.step("requests seen", get(engine, "requests"));
    lines.step("exchanges", funnel.exchanges);
    lines.reason("whole", get(engine, "exchanges_complete"), "");
    for (name, number) in engine {
        if let Some(reason) = name.strip_prefix(INCOMPLETE) {
            lines.reason("incomplete", *number, reason);
        }
    }
    lines.step("skipped", funnel.skipped_total);
    let policies = funnel
        .skipped
        .iter()
        .filter(|(reason, _)| !engine.contains_key(&format!("{INCOMPLETE}{reason}")));
    let mut shown = 0;
    for (reason, number) in policies {
        shown += number;
        lines.reason("by decision", *number, reason);
    }
    lines.reason(
        "incomplete, as above",
        funnel.skipped_total.saturating_sub(shown),
        "",
    );
    lines.step("waiting or in flight", funnel.in_flight);
    lines.step("replayed and compared", funnel.replayed);
    lines.reason("match", funnel.matched, "");
    lines.reason("mismatch", funnel.mismatched, "");
    lines.reason("shadow error", funnel.shadow_errors, "");
    for (failure, number) in &funnel.failures {
        lines.reason("  of these", *number, failure);
    }
}

struct Lines<'a>(&'a mut String);

impl Lines<'_> {
    fn step(&mut self, what: &str, number: u64) {
        self.line(&format!("{what:<44}"), number, "");
    }

    /// Reasons that never happened are left out.
    fn reason(&mut self, what: &str, number: u64, name: &str) {
        if number > 0 {
            self.line(&format!("  {what:<42}"), number, name);
        }
    }

    fn line(&mut self, what: &str, number: u64, name: &str) {
        let line = format!("  {what} {:>14}  {name}", count(number));
        // Writing to a string cannot fail.
        writeln!(self.0, "{}", line.trim_end()).unwrap_or_default();
    }
}

fn get(counters: &BTreeMap<String, u64>, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}
