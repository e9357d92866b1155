//! Evidence of several nodes and runs, and the one verdict that it proves.
//!
//! A [`Source`] is the state of one ledger: of one node, one run and one target. Its counts only grow, so of two states
//! of the same ledger the later one says everything. [`Evidence`] is a set of sources, and merging is the union with
//! the later state of each: commutative, associative and idempotent, whatever is merged with whatever. The counts are
//! added up only when a report is made, so its verdict is that of a single ledger that saw everything.
//! Bounds: those of each source. A bound that a single ledger would have reached is not reached here.
//! Bias: what no single node has recognised as data (keys of an object) is not recognised here.

mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shadow_proto::engine::Counters;

pub use state::State;

use super::{
    gate_config::GateConfig,
    ledger::{Ledger, LedgerLimits},
    numbers::float,
    report::{self, KernelCounters, Origin, Report, ReportInputs, Scope},
    stats::rounded,
};
use crate::{
    compare::{RuleUsage, Rules},
    redact::{RedactConfig, Redactor},
};

/// Version of [`Evidence`] when it is stored. It changes when a reader of the previous one would misread this one.
pub const EVIDENCE: u32 = 2;

/// The settings that must be equal, so that counts can be added up.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Settings {
    /// The rules of comparison.
    pub compare: Rules,
    /// The gates.
    pub gates: GateConfig,
    /// Production is the new system and the shadow is the old one.
    pub reversed: bool,
    /// Pairs of answers of one system are collected.
    pub pairs: bool,
}

/// The state of one ledger.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Source {
    /// Where the counts are from.
    pub origin: Origin,
    /// Grows from state to state of the same ledger.
    pub sequence: u64,
    /// The place of the target in the configuration.
    pub place: usize,
    /// The settings by which it was counted.
    pub settings: Settings,
    /// When counting began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: u64,
    /// When the state was taken.
    pub ended_ms: u64,
    /// The kernel program's counters; none for recorded traffic.
    pub kernel: KernelCounters,
    /// The counters of capture, reassembly and HTTP.
    pub engine: Counters,
    /// Replays sent or read in another way than the traffic says.
    pub notes: BTreeMap<String, u64>,
    /// The traffic that was covered.
    pub scope: Scope,
    /// Use of the rules of comparison.
    pub rules: Vec<RuleUsage>,
    /// The counts.
    pub state: State,
}

/// States of ledgers, at most one of each.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Evidence {
    /// [`EVIDENCE`].
    pub format: u32,
    /// In the order of their origins.
    sources: Vec<Source>,
}

/// Evidence that cannot be added up.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to report.
    #[error("there is no evidence to merge")]
    Nothing,
    /// Counts by different settings say nothing together.
    #[error(
        "{a} and {b} were counted by different settings ({keys}), so their counts say nothing together; merge runs with \
         the same configuration"
    )]
    Mixed {
        /// One of them.
        a: Box<Origin>,
        /// Another one.
        b: Box<Origin>,
        /// The settings that differ.
        keys: String,
    },
    /// It does not fit together, or has names that this version does not know.
    #[error("the evidence of {0} cannot be read: it is damaged, or of another version of shadow")]
    Damaged(Origin),
}

impl Default for Evidence {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Evidence {
    /// The evidence of these sources. Of one that is there several times the latest state counts.
    pub fn of(sources: Vec<Source>) -> Self {
        let mut latest: BTreeMap<Origin, Source> = BTreeMap::new();
        for source in sources {
            let is_later = |known: &Source| source.is_after(known);
            if latest.get(&source.origin).is_none_or(is_later) {
                latest.insert(source.origin.clone(), source);
            }
        }
        Self {
            format: EVIDENCE,
            sources: latest.into_values().collect(),
        }
    }

    /// The evidence of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self::together([self, other])
    }

    /// The evidence of all of these.
    pub fn together(all: impl IntoIterator<Item = Self>) -> Self {
        Self::of(all.into_iter().flat_map(|one| one.sources).collect())
    }

    /// Where it is from.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.sources.iter().map(|source| &source.origin)
    }

    /// The report on all of it together: one for each target, the first one with the others in it.
    pub fn report(&self) -> Result<Report, MergeError> {
        let mut targets: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
        for source in &self.sources {
            targets.entry(&source.origin.target).or_default().push(source);
        }
        let mut targets: Vec<Vec<&Source>> = targets.into_values().collect();
        targets.sort_by_key(|sources| sources.iter().map(|source| source.place).min());
        let mut reports = targets.into_iter().map(|sources| merged(&sources));
        let first = reports.next().ok_or(MergeError::Nothing)??;
        Ok(Report {
            also: reports.collect::<Result<_, _>>()?,
            ..first
        })
    }
}

impl Source {
    /// Whether it is a later state than another one of the same ledger. Of two states with the same number, which no
    /// ledger gives, always the same one counts.
    fn is_after(&self, other: &Self) -> bool {
        let text = |source: &Self| serde_json::to_string(source).unwrap_or_default();
        match self.sequence.cmp(&other.sequence) {
            core::cmp::Ordering::Greater => true,
            core::cmp::Ordering::Less => false,
            core::cmp::Ordering::Equal => self != other && text(self) > text(other),
        }
    }
}

impl Ledger {
    /// The settings by which it counts, with these rules of comparison.
    pub fn settings(&self, compare: Rules) -> Settings {
        Settings {
            compare,
            gates: self.gates.clone(),
            reversed: self.reversed,
            pairs: self.expects_pairs,
        }
    }
}

/// The report on several sources of one target.
fn merged(sources: &[&Source]) -> Result<Report, MergeError> {
    let [first, others @ ..] = sources else {
        return Err(MergeError::Nothing);
    };
    if let Some(other) = others.iter().find(|other| other.settings != first.settings) {
        return Err(MergeError::Mixed {
            a: Box::new(first.origin.clone()),
            b: Box::new(other.origin.clone()),
            keys: differing(&first.settings, &other.settings),
        });
    }
    let Settings {
        compare: _,
        gates,
        reversed,
        pairs,
    } = &first.settings;
    let nobody = Redactor::new([0; 32], &RedactConfig::default());
    let mut ledger = Ledger::new(LedgerLimits::default(), gates.clone(), nobody)
        .reversed(*reversed)
        .expecting_pairs(*pairs);
    let states: Vec<&State> = sources.iter().map(|source| &source.state).collect();
    ledger.add_states(&states).map_err(|at| {
        let origin = sources.get(at).map(|source| source.origin.clone());
        MergeError::Damaged(origin.unwrap_or_default())
    })?;
    let mut engine = Counters::default();
    let mut notes: BTreeMap<String, u64> = BTreeMap::new();
    for source in sources {
        engine.add(&source.engine);
        for (name, count) in &source.notes {
            let sum = notes.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
    let kernels = sources.iter().map(|source| &source.kernel);
    let mut report = ledger.report(ReportInputs {
        started_ms: sources.iter().map(|source| source.started_ms).min().unwrap_or(0),
        now_ms: sources.iter().map(|source| source.ended_ms).max().unwrap_or(0),
        kernel: kernels.fold(KernelCounters::default(), KernelCounters::plus),
        engine,
        ..ReportInputs::default()
    });
    report.target.clone_from(&first.origin.target);
    report.scope = scope(sources);
    report.funnel.notes = notes;
    report.rules = rules(sources);
    report.sources = shares(sources);
    Ok(report)
}

/// The settings that differ, by their keys in the configuration.
fn differing(a: &Settings, b: &Settings) -> String {
    let values = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let (a, b) = (values(a), values(b));
    let mut keys = Vec::new();
    for name in ["compare", "gates"] {
        let (a, b) = (a.get(name), b.get(name));
        let members = a.and_then(Value::as_object).into_iter().flatten();
        let differ = members.filter(|(key, value)| b.and_then(|b| b.get(key.as_str())) != Some(*value));
        keys.extend(differ.map(|(key, _)| format!("{name}.{key}")));
    }
    for (name, key) in [("reversed", "mode"), ("pairs", "noise")] {
        if a.get(name) != b.get(name) {
            keys.push(key.to_owned());
        }
    }
    keys.join(", ")
}

/// Every mode of any source. The share is known only if it is the same everywhere.
fn scope(sources: &[&Source]) -> Scope {
    let mut modes: Vec<String> = Vec::new();
    for mode in sources.iter().flat_map(|source| &source.scope.modes) {
        if !modes.contains(mode) {
            modes.push(mode.clone());
        }
    }
    if modes.len() > 1 {
        modes.retain(|mode| mode != "full");
    }
    modes.sort();
    let first = sources
        .first()
        .map(|source| source.scope.clone())
        .unwrap_or_default();
    let same = sources.iter().all(|source| source.scope.share == first.share);
    Scope {
        modes,
        share: first.share.filter(|_| same),
        reversed: first.reversed,
    }
}

fn rules(sources: &[&Source]) -> Vec<RuleUsage> {
    let mut sums: Vec<RuleUsage> = Vec::new();
    for usage in sources.iter().flat_map(|source| &source.rules) {
        let known = sums
            .iter_mut()
            .find(|sum| (&sum.rule, &sum.what) == (&usage.rule, &usage.what));
        match known {
            Some(sum) => {
                sum.asked = sum.asked.saturating_add(usage.asked);
                sum.matched = sum.matched.saturating_add(usage.matched);
                sum.hid_all = sum.hid_all.saturating_add(usage.hid_all);
            }
            None => sums.push(usage.clone()),
        }
    }
    sums
}

fn shares(sources: &[&Source]) -> Vec<report::SourceShare> {
    let all = sources.iter().map(|source| source.state.compared());
    let all = all.fold(0u64, u64::saturating_add);
    let share = |source: &&Source| {
        let compared = source.state.compared();
        report::SourceShare {
            origin: source.origin.clone(),
            started_ms: source.started_ms,
            ended_ms: source.ended_ms,
            exchanges: source.state.exchanges(),
            compared,
            share: (all > 0).then(|| rounded(float(compared) / float(all))),
        }
    };
    sources.iter().map(share).collect()
}
