//! Totals only, for callers that ask several times a second.

use super::ledger::Ledger;

/// Totals of a ledger. Every exchange is in `skipped`, in `replayed`, or still in flight.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Exchanges produced by the engine.
    pub exchanges: u64,
    /// Of these, exchanges that were not replayed.
    pub skipped: u64,
    /// Of these, exchanges with a verdict.
    pub replayed: u64,
    /// Verdict match.
    pub matched: u64,
    /// Verdict mismatch.
    pub mismatched: u64,
    /// Failures of the shadow system, except those caused by the agent itself.
    pub failed: u64,
    /// Answers of production with a 5xx status, among exchanges with a verdict.
    pub production_5xx: u64,
    /// Answers of the shadow system with a 5xx status.
    pub shadow_5xx: u64,
}

impl Ledger {
    /// Sets the estimated number of exchanges that passed unread, on connections whose messages could not be separated.
    /// Of these, as large a share should have been compared as of the exchanges that were read.
    pub fn unread(&mut self, total: u64) {
        let more = total.saturating_sub(self.unread);
        self.unread = self.unread.max(total);
        // Skipped exchanges that were to be compared are in `missed`, unread ones as well.
        let missed = self.total.missed.saturating_sub(self.unread_missed);
        let intended = self.total.skipped.saturating_sub(missed).min(self.exchanges);
        let meant = self.exchanges.saturating_sub(intended);
        let product = u128::from(more).saturating_mul(u128::from(meant));
        // Nothing was read: all of them may count.
        let scaled = product.checked_div(u128::from(self.exchanges));
        let more = scaled.map_or(more, |scaled| u64::try_from(scaled).unwrap_or(more));
        self.unread_missed = self.unread_missed.saturating_add(more);
        self.total.missed = self.total.missed.saturating_add(more);
        self.coverage.missed(None, more);
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
