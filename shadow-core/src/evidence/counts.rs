//! Totals only, for callers that ask several times a second.

use super::{ledger::Ledger, unread::UnreadTraffic};

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
    /// Sets the traffic that passed unread so far, on connections whose messages could not be separated. Of the
    /// exchanges in it, as large a share should have been compared as of the exchanges that were read.
    pub fn unread(&mut self, traffic: UnreadTraffic) {
        self.total.unread = traffic;
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
