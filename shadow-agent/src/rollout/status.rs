//! The state of a rollout and what it waits for, for the control socket and as text.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};
use shadow_core::{
    evidence::{IntervalEvidence, Ruling},
    rollout::{Cause, Moment, PhasePosition, Rollout, Stage, Transition},
};

use shadow_proto::units::Rate;

use crate::figures::{captured, count, percent, span};

/// The version of [`RolloutStatus`] in JSON. It changes when a reader of the previous version would misread this one.
pub const FORMAT: u32 = 1;

/// The state of a rollout and what it waits for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RolloutStatus {
    /// [`FORMAT`].
    pub format: u32,
    /// The present position.
    pub place: PhasePosition,
    /// The phases of the plan, in order.
    pub phases: Vec<PhaseStatus>,
    /// The phase after the present one.
    pub next: Option<String>,
    /// Milliseconds since the present phase began to gather evidence.
    pub elapsed_ms: u64,
    /// Counts since then.
    pub evidence: IntervalEvidence,
    /// Conditions that are not yet met; empty when it waits for nothing or for a user.
    pub waits_for: Vec<String>,
    /// The number of all transitions.
    pub transitions: u64,
    /// The last transitions, oldest first.
    pub history: Vec<Transition>,
    /// A fault to report.
    pub warning: Option<String>,
}

/// One phase of the plan.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PhaseStatus {
    /// Its name.
    pub name: String,
    /// The share of connections that it mirrors.
    pub sample: f64,
    /// The minimum duration, in milliseconds.
    pub min_duration_ms: u64,
    /// The minimum number of compared exchanges.
    pub min_compared: u64,
    /// The limit for the match rate's lower bound.
    pub match_rate: f64,
}

impl RolloutStatus {
    pub(super) fn new(
        rollout: &Rollout,
        evidence: IntervalEvidence,
        warning: Option<String>,
        now: Moment,
    ) -> Self {
        let elapsed = now.at.since(rollout.entered());
        let phases = rollout.plan().phases.iter().map(|phase| PhaseStatus {
            name: phase.name.clone(),
            sample: phase.sample,
            min_duration_ms: millis(phase.min_duration),
            min_compared: phase.min_compared,
            match_rate: phase.gates.match_rate,
        });
        let begun = matches!(rollout.stage(), Stage::Running | Stage::Paused | Stage::Held);
        Self {
            format: FORMAT,
            place: rollout.place(),
            phases: phases.collect(),
            next: rollout
                .next()
                .map(|phase| phase.name.clone())
                .filter(|_name| begun),
            elapsed_ms: if begun { millis(elapsed) } else { 0 },
            waits_for: waits_for(rollout, &evidence, elapsed),
            evidence,
            transitions: rollout.saved().transitions,
            history: rollout.saved().history.iter().cloned().collect(),
            warning,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn waits_for(rollout: &Rollout, evidence: &IntervalEvidence, elapsed: Duration) -> Vec<String> {
    let Some(phase) = rollout.phase().filter(|_phase| rollout.stage() == Stage::Running) else {
        return Vec::new();
    };
    let mut missing = Vec::new();
    if let Some(left) = phase
        .min_duration
        .checked_sub(elapsed)
        .filter(|left| !left.is_zero())
    {
        missing.push(format!("{} of {}", span(left), span(phase.min_duration)));
    }
    if let Some(left) = phase
        .min_compared
        .checked_sub(evidence.compared)
        .filter(|left| *left > 0)
    {
        missing.push(format!(
            "{} of {} compared exchanges",
            count(left),
            count(phase.min_compared)
        ));
    }
    let gates = evidence.judgement.reasons.iter();
    missing.extend(
        gates
            .filter(|reason| reason.ruling != Ruling::Go)
            .map(|reason| format!("gate {}: {}", reason.gate, reason.text)),
    );
    missing
}

/// The page of `shadow rollout status`.
pub fn page(status: &RolloutStatus) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    write(&mut out, status).unwrap_or_default();
    out
}

fn write(out: &mut String, status: &RolloutStatus) -> std::fmt::Result {
    let RolloutStatus {
        place,
        phases,
        elapsed_ms,
        evidence,
        waits_for,
        history,
        warning,
        ..
    } = status;
    let share = place.sample.map_or_else(String::new, |share| {
        format!(", {} of connections", Rate::from_fraction(share))
    });
    writeln!(out, "rollout     {}{share}", place.stage.as_str())?;
    if let Some(warning) = warning {
        writeln!(out, "  WARNING   {}", captured(warning, 300))?;
    }
    for phase in phases {
        let here = if phase.name == place.phase { ">" } else { " " };
        writeln!(
            out,
            "{here} {:<16} {:>6}  at least {}, {} compared, match rate above {}",
            captured(&phase.name, 40),
            Rate::from_fraction(phase.sample).to_string(),
            span(Duration::from_millis(phase.min_duration_ms)),
            count(phase.min_compared),
            percent(phase.match_rate)
        )?;
    }
    if *elapsed_ms > 0 {
        writeln!(
            out,
            "this phase  {}, {} compared, {}",
            span(Duration::from_millis(*elapsed_ms)),
            count(evidence.compared),
            evidence.judgement.ruling.as_str()
        )?;
    }
    for missing in waits_for {
        writeln!(out, "  waits for {missing}")?;
    }
    if !history.is_empty() {
        writeln!(out, "\nWhat happened")?;
    }
    for step in history.iter().rev().take(10) {
        writeln!(out, "  {}", line(step))?;
    }
    Ok(())
}

/// One transition as a line.
pub fn line(step: &Transition) -> String {
    let Transition {
        at_ms,
        to,
        cause,
        who,
        why,
        ..
    } = step;
    let at = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + Duration::from_millis(*at_ms));
    let by = match (cause, who.is_empty()) {
        (_, false) => format!(" by {}", captured(who, 100)),
        (Cause::Failed, true) => " by a failed gate".to_owned(),
        (_, true) => String::new(),
    };
    let share = to
        .sample
        .map_or_else(String::new, |share| format!(" at {}", Rate::from_fraction(share)));
    format!(
        "{at}  {} {}{share}{by}: {}",
        to.stage.as_str(),
        to.phase,
        captured(why, 300)
    )
}
