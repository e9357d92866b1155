//! The totals alone: what is asked several times a second.

use super::ledger::Ledger;

/// The totals of a ledger. Every exchange is in `skipped`, in `replayed`, or still under way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Exchanges that came out of the engine.
    pub exchanges: u64,
    /// Of these not replayed.
    pub skipped: u64,
    /// Of these with a verdict.
    pub replayed: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Failures of the shadow system, without those that the agent caused itself.
    pub failed: u64,
    /// Answers of production with a 5xx status, of those with a verdict.
    pub production_5xx: u64,
    /// Answers of the shadow system with a 5xx status.
    pub shadow_5xx: u64,
}

impl Ledger {
    /// So many exchanges in all seem to have passed unread, on connections of which messages could not be told apart. They were
    /// meant to be compared.
    pub fn unread(&mut self, total: u64) {
        let more = total.saturating_sub(self.unread);
        self.unread = self.unread.max(total);
        self.total.missed = self.total.missed.saturating_add(more);
    }

    /// The totals, without making a report.
    pub fn counts(&self) -> Counts {
        let total = &self.total;
        Counts {
            exchanges: self.exchanges,
            skipped: total.skipped,
            replayed: total.replayed(),
            matched: total.matched,
            mismatched: total.mismatched,
            failed: total.failed(),
            production_5xx: total.production_5xx,
            shadow_5xx: total.shadow_5xx,
        }
    }
}
