//! The funnel from the first packet to the last verdict, with every loss by reason.

use std::fmt::Write as _;

use shadow_common::stat::Stat;
use shadow_core::evidence::report::{Funnel, ReplayNote};

use crate::figures::count;

/// The meanings of the kernel program's counters, in the order in which a packet meets them.
const FATES: [(Stat, &str); 13] = [
    (Stat::NotTargeted, "to or from no target"),
    (Stat::OtherHook, "at the hook that is not read"),
    (Stat::Own, "the agent's own, or of a shadow system"),
    (Stat::Fragment, "IP fragments"),
    (Stat::Malformed, "length fields that contradict each other"),
    (Stat::Disarmed, "not copied: switched off"),
    (Stat::Expired, "not copied: the agent's heartbeat was late"),
    (Stat::Unsampled, "not copied: connection not in the sample"),
    (Stat::Muted, "not copied: connection without use (not HTTP/1)"),
    (Stat::NoPayload, "not copied: bare acknowledgements"),
    (Stat::RingFull, "LOST: the ring was full"),
    (Stat::LoadFailed, "LOST: shorter than its headers say"),
    (Stat::Emitted, "copied"),
];

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
    let kernel = &funnel.kernel;
    if kernel.exist() {
        lines.step("packets seen", kernel.get(Stat::Seen));
        for (stat, meaning) in FATES {
            lines.reason(meaning, kernel.get(stat), stat.as_str());
        }
        let truncated = Stat::Truncated;
        lines.reason(
            "of these without their tail",
            kernel.get(truncated),
            truncated.as_str(),
        );
    }
    let engine = &funnel.engine;
    let requests = engine.requests;
    // An archive holds exchanges but no packets, so requests cannot be seen in it.
    if requests > 0 || funnel.exchanges == 0 {
        lines.step("requests seen", requests);
    }
    lines.step("exchanges", funnel.exchanges);
    lines.reason("whole", engine.exchanges_complete, "");
    for (reason, number) in engine.incomplete() {
        lines.reason("incomplete", number, reason.as_str());
    }
    lines.step("skipped", funnel.skipped_total);
    let mut shown = 0;
    for (reason, number) in &funnel.skipped {
        let seen = engine.incomplete().find(|(known, _)| known.as_str() == reason);
        let what = match seen {
            None => "by decision",
            // Read from an archive, so the engine did not see it.
            Some((_, 0)) => "incomplete",
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
            self.reason(
                what,
                funnel.notes.get(note.as_str()).copied().unwrap_or(0),
                note.as_str(),
            );
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
