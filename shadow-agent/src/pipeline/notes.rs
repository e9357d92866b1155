//! Deviations of one lane's replays: requests sent, or answers read, differently from the traffic.
//!
//! Bounds: [`MOST`] fields are counted separately; answers with further ones are counted only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shadow_core::{
    evidence::report::{Finding, FindingKind, ReplayNote, Report},
    rewrite::RewritePolicy,
};

use shadow_proto::{exchange::Exchange, http1::OddField};

/// Fields, with their irregularities, that are counted separately.
const MOST: usize = 64;

/// Counts of one lane.
#[derive(Debug, Default)]
pub(super) struct LaneNotes(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    notes: BTreeMap<ReplayNote, u64>,
    odd: BTreeMap<OddField, u64>,
}

impl LaneNotes {
    /// A request is about to be sent.
    pub(super) fn sent(&self, exchange: &Exchange, policy: &RewritePolicy) {
        if policy.leaves_out_validators(exchange) {
            self.add(ReplayNote::WithoutValidators);
        }
        if exchange.request.headers.get("upgrade").is_some() {
            self.add(ReplayNote::WithoutUpgrade);
        }
    }

    /// An answer came with these notes.
    pub(super) fn read(&self, notes: &crate::replay::Notes) {
        let crate::replay::Notes {
            reconnected: _,
            unprocessed: _,
            under_path,
            odd,
        } = notes;
        if *under_path {
            self.add(ReplayNote::UnderPath);
        }
        if odd.is_empty() {
            return;
        }
        self.add(ReplayNote::ReadLeniently);
        let mut counts = self.lock();
        for field in odd {
            let known = counts.odd.len() < MOST || counts.odd.contains_key(field);
            if known {
                *counts.odd.entry(field.clone()).or_default() += 1;
            }
        }
    }

    pub(super) fn add(&self, note: ReplayNote) {
        *self.lock().notes.entry(note).or_default() += 1;
    }

    /// The report with these counts in it, and a finding for each odd field.
    pub(super) fn report(&self, mut report: Report) -> Report {
        let counts = self.lock();
        let named = counts
            .notes
            .iter()
            .map(|(note, count)| (note.as_str().to_owned(), *count));
        report.funnel.notes = named.collect();
        let found = counts
            .odd
            .iter()
            .map(|(OddField { name, oddity }, count)| Finding {
                kind: FindingKind::OddField,
                route: "answers of any route".to_owned(),
                text: format!("{name} {}: {count} answers", oddity.in_words())
                    .trim_start()
                    .to_owned(),
            });
        report.findings.extend(found);
        report
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Every operation is one count: a panic elsewhere leaves them consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shadow_proto::http1::Oddity;

    use super::*;
    use crate::replay::Notes;

    #[test]
    fn fields_are_bounded_and_their_answers_are_all_counted() {
        let notes = LaneNotes::default();
        for n in 0..MOST + 10 {
            for _ in 0..2 {
                notes.read(&Notes {
                    odd: vec![OddField {
                        name: format!("x-{n}"),
                        oddity: Oddity::Folded,
                    }],
                    ..Notes::default()
                });
            }
        }
        let report = notes.report(Report::default());
        assert_eq!(report.funnel.notes["read_leniently"], 2 * (MOST as u64 + 10));
        assert_eq!(report.findings.len(), MOST);
        assert!(
            report.findings[0].text.starts_with("x-0 is folded"),
            "{:?}",
            report.findings[0]
        );
        assert!(
            report.findings[0].text.ends_with(": 2 answers"),
            "{:?}",
            report.findings[0]
        );
    }
}
