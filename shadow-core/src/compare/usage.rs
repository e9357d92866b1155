//! Usage of each rule: whether it matched anything, and whether it hides too much.
//!
//! Bounds: one row for each rule of the configuration, three counters per row, no lock. Bias: a rule is reported as
//! never matched on the basis of whole documents that were walked for it, not of differences: where both systems agree,
//! a rule for that place is unused but still valid.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// Usage of one rule since the agent was started.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RuleUsage {
    /// Its key in the configuration: `compare.routes[0].ignore[2]`.
    pub rule: String,
    /// The subject of the rule: a path, a route, a pointer, status codes.
    pub what: String,
    /// How often there was content to which it could have applied.
    pub asked: u64,
    /// How often it applied.
    pub matched: u64,
    /// How often it left nothing of a body to compare, alone or with other rules.
    pub hid_all: u64,
}

impl RuleUsage {
    /// A warning for the author of the rule, if there is one.
    pub fn warning(&self) -> Option<String> {
        let Self {
            rule,
            what,
            asked,
            matched,
            hid_all,
        } = self;
        if rule == OTHERWISE {
            return Some(format!(
                "{matched} bodies were compared as what they are, and not as their media type says; {rule}: type turns that off"
            ));
        }
        if rule == LACKING {
            return Some(format!(
                "{matched} answers were compared by field number: the file of {rule} has no method for them, \
                 such as {what}"
            ));
        }
        if *hid_all > 0 {
            return Some(format!(
                "{rule} ({what}) hides the whole body: nothing was left to compare in {hid_all} of {asked} bodies looked at"
            ));
        }
        (*asked > 0 && *matched == 0).then(|| format!("{rule} ({what}) matched nothing in {asked} answers"))
    }
}

/// A rule, identified by its row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RuleId(u32);

/// The rows, in the order of the configuration.
#[derive(Debug, Default)]
pub(super) struct Counters {
    rows: Vec<Row>,
    /// Bodies that were compared as another kind than their media type says.
    content_otherwise: AtomicU64,
    /// Answers whose method the set of descriptors lacks, and the first such method.
    lacking: AtomicU64,
    lacked: OnceLock<String>,
}

/// The row in which those answers are reported.
const LACKING: &str = "compare.proto_descriptors";

/// Longest name of a method that is reported.
const LONGEST: usize = 200;

/// The row in which those bodies are reported.
const OTHERWISE: &str = "compare.structure";

#[derive(Debug)]
struct Row {
    rule: String,
    what: String,
    asked: AtomicU64,
    matched: AtomicU64,
    hid_all: AtomicU64,
}

impl Counters {
    pub(super) fn add(&mut self, rule: String, what: impl Into<String>) -> RuleId {
        let id = RuleId(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        self.rows.push(Row {
            rule,
            what: what.into(),
            asked: AtomicU64::new(0),
            matched: AtomicU64::new(0),
            hid_all: AtomicU64::new(0),
        });
        id
    }

    pub(super) fn usage(&self) -> Vec<RuleUsage> {
        let lacked = self.lacked.get().map_or("", String::as_str);
        let others = [
            (OTHERWISE, "content", &self.content_otherwise),
            (LACKING, lacked, &self.lacking),
        ];
        let others = others.into_iter().filter_map(|(rule, what, count)| {
            let count = count.load(Relaxed);
            (count > 0).then(|| RuleUsage {
                rule: rule.to_owned(),
                what: what.to_owned(),
                asked: count,
                matched: count,
                hid_all: 0,
            })
        });
        self.rows
            .iter()
            .map(|row| RuleUsage {
                rule: row.rule.clone(),
                what: row.what.clone(),
                asked: row.asked.load(Relaxed),
                matched: row.matched.load(Relaxed),
                hid_all: row.hid_all.load(Relaxed),
            })
            .chain(others)
            .collect()
    }

    /// Records that a body was compared as another kind than its media type says.
    pub(super) fn content_otherwise(&self) {
        self.content_otherwise.fetch_add(1, Relaxed);
    }

    /// Records that the set of descriptors has no method for a request with this target.
    pub(super) fn lacks_type(&self, target: &[u8]) {
        self.lacking.fetch_add(1, Relaxed);
        self.lacked.get_or_init(|| {
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._".contains(byte);
            let name = Some(target).filter(|name| name.len() <= LONGEST && name.iter().all(is_name));
            name.map_or_else(
                || "one with an unusual name".to_owned(),
                |name| String::from_utf8_lossy(name).into_owned(),
            )
        });
    }

    pub(super) fn asked(&self, rule: RuleId) {
        self.count(rule, |row| &row.asked);
    }

    pub(super) fn matched(&self, rule: RuleId) {
        self.count(rule, |row| &row.matched);
    }

    pub(super) fn hid_all(&self, rule: RuleId) {
        self.count(rule, |row| &row.hid_all);
    }

    /// How often a rule was asked.
    pub(super) fn times_asked(&self, rule: RuleId) -> u64 {
        self.rows
            .get(rule.0 as usize)
            .map_or(0, |row| row.asked.load(Relaxed))
    }

    fn count(&self, rule: RuleId, counter: impl Fn(&Row) -> &AtomicU64) {
        if let Some(row) = self.rows.get(rule.0 as usize) {
            counter(row).fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_matches_nothing_or_hides_everything_is_told() {
        let mut counters = Counters::default();
        let [idle, never, fine, broad] =
            ["a", "b", "c", "d"].map(|rule| counters.add(format!("compare.{rule}"), "$.x"));
        for rule in [never, fine, broad] {
            counters.asked(rule);
        }
        for rule in [fine, broad] {
            counters.matched(rule);
        }
        counters.hid_all(broad);
        let warnings: Vec<_> = counters.usage().iter().filter_map(RuleUsage::warning).collect();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].starts_with("compare.b ($.x) matched nothing in 1 answers"),
            "{warnings:?}"
        );
        assert!(
            warnings[1].starts_with("compare.d ($.x) hides the whole body"),
            "{warnings:?}"
        );
        assert_eq!(counters.times_asked(idle), 0);
    }
}
