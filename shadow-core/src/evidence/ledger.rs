//! Every exchange, counted once.

use crate::{
    compare::{Outcome, Verdict},
    exchange::Exchange,
    gate::Skip,
    redact::Redactor,
    time::Timestamp,
};

use super::{
    gates::GateConfig,
    report::{Report, ReportInputs},
};
use serde::{Deserialize, Serialize};

/// What the ledger may hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerLimits {
    /// Routes that are told apart; further ones are counted as `{other}`. Each costs up to 50 KiB.
    pub routes: usize,
    /// Groups of discrepancies; what belongs to further ones is counted together.
    pub groups: usize,
    /// Samples kept of one group.
    pub samples: usize,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            routes: 256,
            groups: 1024,
            samples: 3,
        }
    }
}

/// Counts, histograms and groups of everything that was seen. One per agent; time is an argument.
#[derive(Debug)]
pub struct Ledger {
    _gates: GateConfig,
}

/// A count that does not add up: an exchange was counted twice, or not at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{exchanges} exchanges are not {skipped} skipped + {replayed} replayed + {in_flight} in flight")]
pub struct LawError {
    /// Exchanges seen.
    pub exchanges: u64,
    /// Of these skipped.
    pub skipped: u64,
    /// Of these with a verdict.
    pub replayed: u64,
    /// Of these said to be neither yet.
    pub in_flight: u64,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(_limits: LedgerLimits, gates: GateConfig, _redactor: Redactor) -> Self {
        Self { _gates: gates }
    }

    /// An exchange came out of the engine. To be followed by one [`Ledger::skipped`] or one [`Ledger::judged`].
    pub fn seen(&mut self, _exchange: &Exchange) {}

    /// It was not replayed.
    pub fn skipped(&mut self, _exchange: &Exchange, _skip: Skip) {}

    /// It was replayed, with this outcome and this verdict. `now` is of the clock of the exchange's timestamps.
    pub fn judged(&mut self, _exchange: &Exchange, _outcome: &Outcome, _verdict: &Verdict, _now: Timestamp) {}

    /// Exchanges that were seen and neither skipped nor judged yet.
    pub fn in_flight(&self) -> u64 {
        0
    }

    /// Checks that every exchange is accounted for when `in_flight` are still on their way.
    pub fn check(&self, _in_flight: u64) -> Result<(), LawError> {
        Ok(())
    }

    /// What is known now.
    pub fn report(&self, inputs: ReportInputs) -> Report {
        Report {
            started_ms: inputs.started_ms,
            ended_ms: inputs.now_ms,
            ..Report::default()
        }
    }
}
