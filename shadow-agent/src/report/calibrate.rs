//! `shadow calibrate`: what a comparison of production with itself says about the comparison with a new system.

use std::fmt::Write as _;

use serde::Serialize;
use shadow_core::evidence::{
    Reason, Ruling,
    report::{Background, Group, Latency, Pairs, Report, Standing},
};

use super::{bounds, groups, noise::Noise, verified};
use crate::figures::{captured, count};

/// Groups that are shown.
const GROUPS: usize = 20;

/// The output of `shadow calibrate --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration<'r> {
    /// The format of the report that it is taken from.
    pub format: u32,
    /// Whether the comparison is ready for a new system.
    pub ready: bool,
    /// Pairs of answers of one system.
    pub background: Background,
    /// Whether answers are repeated at all: without that nothing is known about noise.
    pub repeated: bool,
    /// Differences that production has with itself and that are recognised as noise.
    pub noise: Vec<&'r Group>,
    /// Differences of production from itself that would count against a new system.
    pub differences: Vec<&'r Group>,
    /// Differences about which too little is known yet.
    pub undecided: Vec<&'r Group>,
    /// Whether both latencies are measured equally; `None` while too few answers were measured.
    pub latency_equal: Option<bool>,
    /// Both latencies.
    pub latency: Latency,
    /// Rules as YAML that would leave the noise out; needed only where `blockers` says so.
    pub rules: String,
    /// Gates that a new system could not pass either, with what to do.
    pub blockers: Vec<&'r Reason>,
    /// Further exchanges until GO, if nothing else is in the way.
    pub more_exchanges_needed: Option<u64>,
}

/// The ratio of two medians, of the same system, above which they are not measured equally.
const EQUAL: f64 = 1.25;

impl<'r> Calibration<'r> {
    /// The calibration from a report in which the shadow system is production, or a second deployment of it.
    pub fn of(report: &'r Report) -> Self {
        let with = |standing: Standing| -> Vec<&Group> {
            let groups = report.groups.iter();
            // Failures have no shifts; the gate on errors judges them.
            groups
                .filter(|group| group.standing == standing && !group.shifts.is_empty())
                .collect()
        };
        let Background {
            twice,
            recurring,
            control,
            ..
        } = report.background;
        let repeated = [twice, recurring, control].iter().any(|pairs| pairs.compared > 0);
        let curable = |reason: &&Reason| {
            let more = report.judgement.more_exchanges_needed.is_some();
            reason.ruling == Ruling::Go
                || reason.ruling == Ruling::InsufficientEvidence
                    && (reason.gate == "match_rate" && more || reason.gate == "latency")
        };
        let blockers: Vec<&Reason> = report
            .judgement
            .reasons
            .iter()
            .filter(|reason| !curable(reason))
            .collect();
        let (differences, undecided) = (with(Standing::Regression), with(Standing::Undecided));
        let latency_equal = latency(report);
        Self {
            format: report.format,
            ready: repeated && differences.is_empty() && blockers.is_empty() && latency_equal != Some(false),
            background: report.background,
            repeated,
            noise: with(Standing::Noise),
            differences,
            undecided,
            latency_equal,
            latency: report.latency,
            rules: Noise::of(report).rules,
            blockers,
            more_exchanges_needed: report.judgement.more_exchanges_needed,
        }
    }

    /// The ruling that decides the exit code: GO if it is ready, NO-GO if production differs from itself.
    pub fn ruling(&self) -> Ruling {
        if self.ready {
            Ruling::Go
        } else if self.differences.is_empty() {
            Ruling::InsufficientEvidence
        } else {
            Ruling::NoGo
        }
    }

    /// The text form.
    pub fn text(&self, report: &Report) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        self.write(&mut out, report).unwrap_or_default();
        out
    }

    fn write(&self, out: &mut String, report: &Report) -> std::fmt::Result {
        writeln!(out, "{}", if self.ready { "READY" } else { "NOT READY" })?;
        self.go(out)?;
        self.repeats(out)?;
        let equal = match self.latency_equal {
            None => "too few answers were measured".to_owned(),
            Some(equal) => {
                let (low, high) = (self.latency.p50_ratio_low, self.latency.p50_ratio_high);
                let ratio = format!(
                    "the second median is {:.2} to {:.2} times the first",
                    low.unwrap_or_default(),
                    high.unwrap_or_default()
                );
                if equal {
                    format!("measured equally: {ratio}")
                } else {
                    format!(
                        "not measured equally: {ratio}, on one system; look at the node's CPU and at the path, or raise \
                         gates.latency_ratio and gates.latency_floor"
                    )
                }
            }
        };
        writeln!(out, "  latency   {equal}")?;
        section(
            out,
            "\nDifferences of production from itself, which would count against a new system",
            &self.differences,
        )?;
        section(
            out,
            "\nUndecided: more repeated answers are needed",
            &self.undecided,
        )?;
        section(out, "\nNoise, recognised automatically", &self.noise)?;
        verified::write(out, report)?;
        let needs_rules =
            self.blockers.iter().any(|reason| reason.gate == "verified") || !self.differences.is_empty();
        if !self.rules.is_empty() && needs_rules {
            writeln!(out, "\nRules to write\n\n{}", self.rules)?;
        } else if !needs_rules {
            writeln!(out, "\nNo rule is needed")?;
        }
        Ok(())
    }

    fn go(&self, out: &mut String) -> std::fmt::Result {
        if self.blockers.is_empty() && self.differences.is_empty() {
            let more = match self.more_exchanges_needed {
                Some(more) => format!(", after {} more exchanges like these", count(more)),
                None => String::new(),
            };
            return writeln!(out, "  GO        can be reached{more}");
        }
        writeln!(out, "  GO        cannot be reached as it is:")?;
        for Reason { gate, text, .. } in &self.blockers {
            writeln!(out, "            {gate}: {}", captured(text, 400))?;
        }
        Ok(())
    }

    fn repeats(&self, out: &mut String) -> std::fmt::Result {
        let Background {
            twice,
            recurring,
            control,
            production_again,
            ..
        } = self.background;
        if !self.repeated {
            return writeln!(
                out,
                "  repeats   no answers of one system were compared with each other: set noise.twice, or add a target with \
                 the role control; without them no difference is known to be noise"
            );
        }
        let of = |name: &str, pairs: Pairs| {
            format!(
                "{name} {} ({} differ)",
                count(pairs.compared),
                count(pairs.differed)
            )
        };
        writeln!(
            out,
            "  repeats   {}, {}, {}; production answered {} of the differing requests again",
            of("sent twice", twice),
            of("production's own", recurring),
            of("control", control),
            count(production_again)
        )
    }
}

/// Whether the medians of one system, measured in two ways, are equal within the configured floor.
fn latency(report: &Report) -> Option<bool> {
    let Latency {
        production,
        shadow,
        p50_ratio_low,
        p50_ratio_high,
        ..
    } = report.latency;
    if production.first_byte.count < 20 {
        return None;
    }
    let (low, high) = p50_ratio_low.zip(p50_ratio_high)?;
    let apart = production.first_byte.p50_us.abs_diff(shadow.first_byte.p50_us);
    // Less than a millisecond is the network's.
    Some(apart <= 1_000 || low <= EQUAL && high >= 1.0 / EQUAL)
}

fn section(out: &mut String, title: &str, found: &[&Group]) -> std::fmt::Result {
    if found.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}")?;
    for group in found.iter().take(GROUPS) {
        writeln!(
            out,
            "  {} exchanges: {}",
            count(group.exchanges),
            groups::name(group)
        )?;
    }
    bounds::more(out, found.len(), GROUPS, "groups")
}

#[cfg(test)]
mod tests {
    use shadow_core::evidence::{Judgement, report::Shift};

    use super::*;

    fn reason(gate: &str, ruling: Ruling) -> Reason {
        Reason {
            gate: gate.to_owned(),
            ruling,
            text: format!("about {gate}"),
        }
    }

    fn report(standing: Standing, reasons: Vec<Reason>) -> Report {
        let mut report = Report {
            groups: vec![Group {
                route: "GET /a".to_owned(),
                category: "value".to_owned(),
                place: "$.id".to_owned(),
                exchanges: 7,
                standing,
                shifts: vec![Shift::default()],
                ..Group::default()
            }],
            judgement: Judgement {
                reasons,
                more_exchanges_needed: Some(3_000),
                ..Judgement::default()
            },
            ..Report::default()
        };
        report.background.twice.compared = 50;
        report
    }

    #[test]
    fn noise_and_too_little_traffic_do_not_stand_in_the_way() {
        let open = reason("match_rate", Ruling::InsufficientEvidence);
        let report = report(Standing::Noise, vec![open, reason("coverage", Ruling::Go)]);
        let calibration = Calibration::of(&report);
        let text = calibration.text(&report);
        assert_eq!(calibration.ruling(), Ruling::Go, "{text}");
        assert!(
            text.starts_with("READY\n") && text.contains("after 3,000 more exchanges"),
            "{text}"
        );
        assert!(text.contains("No rule is needed"), "{text}");
    }

    #[test]
    fn what_a_new_system_could_not_pass_is_said() {
        let verified = reason("verified", Ruling::InsufficientEvidence);
        let blocked = report(Standing::Noise, vec![verified]);
        let calibration = Calibration::of(&blocked);
        let text = calibration.text(&blocked);
        assert_eq!(calibration.ruling(), Ruling::InsufficientEvidence);
        assert!(
            text.starts_with("NOT READY\n") && text.contains("verified: about verified"),
            "{text}"
        );
        assert!(text.contains("Rules to write"), "{text}");

        let differs = report(Standing::Regression, Vec::new());
        assert_eq!(Calibration::of(&differs).ruling(), Ruling::NoGo);

        let mut timeouts = report(Standing::Regression, Vec::new());
        timeouts.groups[0].category = "timeout".to_owned();
        timeouts.groups[0].shifts.clear();
        assert_eq!(
            Calibration::of(&timeouts).ruling(),
            Ruling::Go,
            "the gate on errors judges them"
        );

        let mut alone = report(Standing::Noise, Vec::new());
        alone.background.twice.compared = 0;
        let calibration = Calibration::of(&alone);
        assert!(!calibration.ready);
        assert!(calibration.text(&alone).contains("set noise.twice"));
    }
}
