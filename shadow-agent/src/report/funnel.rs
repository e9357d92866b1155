//! The funnel from the first packet to the last verdict, with every loss by reason.

use std::{collections::BTreeMap, fmt::Write as _};

use shadow_core::evidence::report::{Funnel, ReplayNote};

use crate::figures::count;

/// The meanings of the kernel program's counters, in the order in which a packet meets them.
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

/// Prefix of the engine's counters of incomplete reasons.
const INCOMPLETE: &str = "incomplete_";

/// One line of the funnel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Whether it is a step, and not a reason below one.
    pub is_step: bool,
    /// The counted item, in words; reasons of reasons are indented.
    pub what: String,
    /// The count.
    pub number: u64,
    /// The name in JSON and metrics; empty without one.
    pub name: String,
}

/// Writes the funnel.
pub fn write(out: &mut String, funnel: &Funnel) {
    for Line {
        is_step,
        what,
        number,
        name,
    } in lines(funnel)
    {
        let what = if is_step {
            format!("{what:<44}")
        } else {
            format!("  {what:<42}")
        };
        let line = format!("  {what} {:>14}  {name}", count(number));
        // Writing to a string cannot fail.
        writeln!(out, "{}", line.trim_end()).unwrap_or_default();
    }
}

/// One line for each step and for each reason that occurred.
pub fn lines(funnel: &Funnel) -> Vec<Line> {
    let mut lines = Lines(Vec::new());
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
    let requests = get(engine, "requests");
    // An archive holds exchanges but no packets, so requests cannot be seen in it.
    if requests > 0 || funnel.exchanges == 0 {
        lines.step("requests seen", requests);
    }
    lines.step("exchanges", funnel.exchanges);
    lines.reason("whole", get(engine, "exchanges_complete"), "");
    for (name, number) in engine {
        if let Some(reason) = name.strip_prefix(INCOMPLETE) {
            lines.reason("incomplete", *number, reason);
        }
    }
    lines.step("skipped", funnel.skipped_total);
    let mut shown = 0;
    for (reason, number) in &funnel.skipped {
        let what = match engine.get(&format!("{INCOMPLETE}{reason}")) {
            None => "by decision",
            // Read from an archive, so the engine did not see it.
            Some(0) => "incomplete",
            Some(_) => continue,
        };
        shown += number;
        lines.reason(what, *number, reason);
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
    let excused = funnel.noise.saturating_add(funnel.after_skipped_write);
    if excused > 0 || funnel.undecided > 0 {
        lines.reason("  of these a difference that counts", funnel.regressions, "");
        lines.reason("  of these undecided", funnel.undecided, "");
        lines.reason("  of these only noise", funnel.noise, "");
        lines.reason("  of these after a skipped write", funnel.after_skipped_write, "");
    }
    lines.reason("shadow error", funnel.shadow_errors, "");
    for (failure, number) in &funnel.failures {
        lines.reason("  of these", *number, failure);
    }
    lines.notes(funnel);
    lines.0
}

impl Lines {
    /// Deviations of replays that count as replays all the same.
    fn notes(&mut self, funnel: &Funnel) {
        for note in ReplayNote::ALL {
            let what = match note {
                ReplayNote::Reconnected => "sent once more, on a new connection",
                ReplayNote::Unprocessed => "sent once more, not processed before",
                ReplayNote::WithoutValidators => "sent without production's validators",
                ReplayNote::WithoutUpgrade => "sent without the offer of a protocol",
                ReplayNote::ReadLeniently => "answered with fields that break HTTP",
                ReplayNote::UnderPath => "answered in less than a round trip",
            };
            self.reason(what, get(&funnel.notes, note.as_str()), note.as_str());
        }
    }
}

struct Lines(Vec<Line>);

impl Lines {
    fn step(&mut self, what: &str, number: u64) {
        self.line(true, what, number, "");
    }

    /// Adds a reason; reasons that did not occur are left out.
    fn reason(&mut self, what: &str, number: u64, name: &str) {
        if number > 0 {
            self.line(false, what, number, name);
        }
    }

    fn line(&mut self, is_step: bool, what: &str, number: u64, name: &str) {
        self.0.push(Line {
            is_step,
            what: what.to_owned(),
            number,
            name: name.to_owned(),
        });
    }
}

fn get(counters: &BTreeMap<String, u64>, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}
