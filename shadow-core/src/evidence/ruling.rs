//! GO, NO-GO or insufficient evidence, and why.

use serde::{Deserialize, Serialize};

/// The answer to "may we cut over?".
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Every gate passed.
    Go,
    /// A gate failed.
    NoGo,
    /// No gate failed, but not all passed.
    #[default]
    InsufficientEvidence,
}

impl Ruling {
    /// The text shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "GO",
            Self::NoGo => "NO-GO",
            Self::InsufficientEvidence => "INSUFFICIENT EVIDENCE",
        }
    }
}

/// A ruling with its reasons.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Judgement {
    /// The answer.
    pub ruling: Ruling,
    /// The result of each gate, in a stable order.
    pub reasons: Vec<Reason>,
    /// Further compared exchanges, at the present rates, until the match rate could pass. `None` if it has passed, or
    /// if more of the same would not make it pass.
    pub more_exchanges_needed: Option<u64>,
    /// Time needed for them at the rate so far, in seconds.
    pub more_seconds_needed: Option<u64>,
    /// Routes with undecided differences and what would settle them, the routes with the most first.
    #[serde(default)]
    pub settle: Vec<Settle>,
}

/// The result of one gate.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reason {
    /// The gate: `match_rate`, `latency`, `latency_p99`, `shadow_errors`, `coverage`, `excused`, `verified`,
    /// `power`.
    pub gate: String,
    /// The ruling of this gate alone.
    pub ruling: Ruling,
    /// Explanation, with the figures.
    pub text: String,
}

/// A route with undecided differences.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Settle {
    /// Method and path template.
    pub route: String,
    /// Mismatches with an undecided difference.
    pub undecided: u64,
    /// Minimum number of requests that must be sent a second time to decide them.
    pub pairs: u64,
}

impl Judgement {
    /// The judgement of gates with these results.
    pub(super) fn of(reasons: Vec<Reason>) -> Self {
        Self {
            ruling: ruling(&reasons),
            reasons,
            ..Self::default()
        }
    }

    /// Adds the result of one more gate.
    pub(super) fn and(mut self, reason: Reason) -> Self {
        self.reasons.push(reason);
        self.ruling = ruling(&self.reasons);
        self
    }
}

/// The ruling of all gates together.
fn ruling(reasons: &[Reason]) -> Ruling {
    if reasons.iter().any(|reason| reason.ruling == Ruling::NoGo) {
        Ruling::NoGo
    } else if reasons.iter().all(|reason| reason.ruling == Ruling::Go) {
        Ruling::Go
    } else {
        Ruling::InsufficientEvidence
    }
}

pub(super) fn reason(gate: &str, ruling: Ruling, text: String) -> Reason {
    Reason {
        gate: gate.to_owned(),
        ruling,
        text,
    }
}

/// A share as a percentage, with enough digits to distinguish 99.9 from 99.99.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}
