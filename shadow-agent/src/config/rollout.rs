//! The section `rollout`: the phases of `shadow rollout start`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::{
    evidence::GateConfig,
    rollout::{self, Plan, PlanError},
};

use super::problem::Problem;
use shadow_proto::units::{Rate, Span};

/// The phases, and the effect of a failed gate.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// The effect of a failed gate.
    pub on_failure: OnFailure,
    /// Verdicts of a phase that are needed before a failed gate counts.
    pub fail_after: u64,
    /// Failures after which a rollout that steps back waits for a user.
    pub attempts: u32,
    /// In order, each with a larger sample than the one before it.
    pub phases: Vec<Phase>,
}

/// One phase.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// The share of connections that is mirrored.
    pub sample: Rate,
    /// It lasts at least this long.
    pub min_duration: Span,
    /// It compares at least this many exchanges.
    pub min_compared: u64,
    /// Instead of `gates.match_rate`.
    #[serde(default)]
    pub match_rate: Option<Rate>,
    /// Instead of `gates.latency_ratio`.
    #[serde(default)]
    pub latency_ratio: Option<f64>,
    /// Instead of `gates.coverage`.
    #[serde(default)]
    pub coverage: Option<Rate>,
}

/// The effect of a failed gate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// A user decides; the sample is kept.
    Hold,
    /// The previous phase starts over.
    #[default]
    StepBack,
    /// The kill switch.
    Kill,
}

/// Name, sample in percent, minutes, compared exchanges, match rate in percent.
const DEFAULT: [(&str, u8, u64, u64, Option<u16>); 6] = [
    ("smoke", 1, 10, 100, Some(950)),
    ("canary-5", 5, 30, 500, Some(990)),
    ("canary-10", 10, 60, 1_000, Some(990)),
    ("validation-25", 25, 240, 5_000, Some(995)),
    ("validation-50", 50, 720, 10_000, None),
    ("full", 100, 1_440, 20_000, None),
];

impl Default for Rollout {
    fn default() -> Self {
        let phase =
            |(name, sample, minutes, min_compared, match_rate): (&str, u8, u64, u64, Option<u16>)| Phase {
                name: name.to_owned(),
                sample: Rate::from_percent(sample),
                min_duration: Span(Duration::from_mins(minutes)),
                min_compared,
                match_rate: match_rate
                    .map(|thousandths| Rate::from_fraction(f64::from(thousandths) / 1_000.0)),
                latency_ratio: None,
                coverage: None,
            };
        Self {
            on_failure: OnFailure::StepBack,
            fail_after: 50,
            attempts: 3,
            phases: DEFAULT.map(phase).to_vec(),
        }
    }
}

impl Rollout {
    /// The plan in the form of the core. A gate that a phase does not set is taken from `gates`.
    pub fn plan(&self, gates: &GateConfig) -> Plan {
        let phase = |phase: &Phase| rollout::Phase {
            name: phase.name.clone(),
            sample: phase.sample.fraction(),
            min_duration: phase.min_duration.0,
            min_compared: phase.min_compared,
            gates: GateConfig {
                match_rate: phase.match_rate.map_or(gates.match_rate, Rate::fraction),
                latency_ratio: phase.latency_ratio.unwrap_or(gates.latency_ratio),
                coverage: phase.coverage.map_or(gates.coverage, Rate::fraction),
                ..gates.clone()
            },
        };
        Plan {
            phases: self.phases.iter().map(phase).collect(),
            on_failure: match self.on_failure {
                OnFailure::Hold => rollout::OnFailure::Hold,
                OnFailure::StepBack => rollout::OnFailure::StepBack,
                OnFailure::Kill => rollout::OnFailure::Kill,
            },
            fail_after: self.fail_after,
            attempts: self.attempts,
        }
    }

    /// The core's reason to refuse the plan.
    pub(super) fn problem(&self, gates: &GateConfig) -> Option<Problem> {
        let error = self.plan(gates).validate().err()?;
        // Wrong values of `gates` are reported there.
        if matches!(error, PlanError::Gate { .. }) && gates.validate().is_err() {
            return None;
        }
        Some(Problem {
            at: "rollout.phases".to_owned(),
            what: error.to_string(),
            fix: "`shadow config example` shows how it is written".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("shadow.yaml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_phase_sets_gates_of_its_own_or_has_those_of_the_whole() {
        let config = parse(
            "gates: {match_rate: 99%, latency_ratio: 3}\nrollout:\n  on_failure: kill\n  phases:\n    \
             - {name: a, sample: 1%, min_duration: 1s, min_compared: 1, match_rate: 50%}\n    \
             - {name: b, sample: 2%, min_duration: 1s, min_compared: 1, latency_ratio: 1.5, coverage: 10%}\n",
        )
        .expect("parses");
        let plan = config.rollout.plan(&config.gates);
        let gates = plan.phases.iter().map(|phase| &phase.gates);
        let figures: Vec<_> = gates
            .map(|gates| (gates.match_rate, gates.latency_ratio, gates.coverage))
            .collect();
        assert_eq!(figures, [(0.5, 3.0, 0.95), (0.99, 1.5, 0.1)]);
        assert_eq!(plan.on_failure, rollout::OnFailure::Kill);
        assert_eq!(config.rollout.problem(&config.gates), None);
    }

    #[test]
    fn a_phase_that_is_wrong_is_named_with_its_place() {
        for (phases, part) in [
            (
                "- {name: a, sampel: 1%}",
                "shadow.yaml:3:17: unknown key `sampel` in `rollout.phases[0]`; did you mean `sample`?",
            ),
            (
                "- {name: a, sample: 1%, min_compared: 1}",
                "missing field `min_duration`",
            ),
            (
                "- {name: a, sample: 1, min_duration: 1s, min_compared: 1}",
                "is no rate",
            ),
        ] {
            let error = parse(&format!("rollout:\n  phases:\n    {phases}\n")).expect_err(phases);
            assert!(error.contains(part), "{error}");
        }
        let config = parse(
            "rollout:\n  phases:\n    - {name: a, sample: 5%, min_duration: 1s, min_compared: 1}\n    \
             - {name: b, sample: 5%, min_duration: 1s, min_compared: 1}\n",
        )
        .expect("parses");
        let problem = config
            .rollout
            .problem(&config.gates)
            .expect("refused")
            .to_string();
        assert!(
            problem.starts_with(
                "rollout.phases: phase \"b\" samples 0.05 of connections, which is not above 0.05"
            ),
            "{problem}"
        );
    }
}
