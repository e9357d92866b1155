//! The ledger, shared by the capture thread and the replays.

use std::sync::{Mutex, MutexGuard, PoisonError};

use shadow_core::{
    compare::{Checked, Discrepancy, Outcome, Verdict},
    evidence::{
        Background, GateConfig, Ledger, LedgerSnapshot, RouteWindow, SampleRequest, ThirdAnswer, ThirdSystem,
        UnreadTraffic,
        report::{Report, ReportInputs},
    },
    gate::Skip,
    plant::Tried,
};
use shadow_proto::{exchange::Exchange, time::Timestamp};

/// One ledger in a mutex that is held for a few counter updates; a report holds it a little longer, which the depth of
/// the ring before the capture thread covers.
#[derive(Debug)]
pub(super) struct SharedLedger(Mutex<Ledger>);

impl SharedLedger {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self(Mutex::new(ledger))
    }

    /// Counts an exchange and the reason why it is skipped.
    pub(super) fn skipped(&self, exchange: &Exchange, skip: Skip) {
        let mut ledger = self.lock();
        ledger.seen(exchange);
        ledger.skipped(exchange, skip);
    }

    /// Counts an exchange that was admitted.
    pub(super) fn seen(&self, exchange: &Exchange) {
        self.lock().seen(exchange);
    }

    /// Counts why one that was [`SharedLedger::seen`] was not replayed after all.
    pub(super) fn dropped(&self, exchange: &Exchange, skip: Skip) {
        self.lock().skipped(exchange, skip);
    }

    /// The traffic that was not read so far.
    pub(super) fn unread(&self, traffic: UnreadTraffic) {
        if traffic.begun > 0 || traffic.bytes > 0 {
            self.lock().unread(traffic);
        }
    }

    pub(super) fn judged(
        &self,
        exchange: &Exchange,
        outcome: &Outcome,
        verdict: &Verdict,
        now: Timestamp,
    ) -> SampleRequest {
        self.lock().judged(exchange, outcome, verdict, now)
    }

    /// Counts the leaves of an answer.
    pub(super) fn checked(&self, exchange: &Exchange, checked: Checked) {
        self.lock().checked(exchange, checked);
    }

    /// Counts a planted fault.
    pub(super) fn planted(&self, exchange: &Exchange, tried: &Tried) {
        self.lock().planted(exchange, tried);
    }

    /// Counts a pair of answers of one system.
    pub(super) fn background(
        &self,
        exchange: &Exchange,
        source: Background,
        found: &[Discrepancy],
        now: Timestamp,
    ) {
        self.lock().background(exchange, source, found, now);
    }

    /// Counts a third answer to a request whose two answers differ.
    pub(super) fn third(
        &self,
        exchange: &Exchange,
        asked: ThirdSystem,
        thirds: ThirdAnswer<'_>,
        now: Timestamp,
    ) {
        self.lock().third(exchange, asked, thirds, now);
    }

    /// Records the answers of both systems to a request that came twice.
    pub(super) fn moved(&self, exchange: &Exchange, found: &[Discrepancy], of_each: [&[Discrepancy]; 2]) {
        self.lock().moved(exchange, found, of_each);
    }

    /// Records two answers of production to the same read.
    pub(super) fn repeated(&self, exchange: &Exchange, other: Timestamp, found: &[Discrepancy]) {
        self.lock().repeated(exchange, other, found);
    }

    /// Whether something was written since then that may have changed what is read.
    pub(super) fn is_written(&self, exchange: &Exchange, since: Timestamp) -> bool {
        self.lock().is_written(exchange, since)
    }

    /// Whether a third answer may explain a mismatch.
    pub(super) fn may_ask_again(&self, exchange: &Exchange, outcome: &Outcome) -> bool {
        self.lock().may_ask_again(exchange, outcome)
    }

    /// Whether something in a mismatch is undecided.
    pub(super) fn is_open(&self, exchange: &Exchange, found: &[Discrepancy]) -> bool {
        self.lock().is_open(exchange, found)
    }

    pub(super) fn take_window(&self, now: Timestamp) -> Vec<RouteWindow> {
        self.lock().take_window(now)
    }

    pub(super) fn set_gates(&self, gates: GateConfig) {
        self.lock().set_gates(gates);
    }

    pub(super) fn mark(&self) -> LedgerSnapshot {
        self.lock().mark()
    }

    /// From now on other rules of comparison are in force.
    pub(super) fn rules_changed(&self) {
        self.lock().rules_changed();
    }

    pub(super) fn report(&self, inputs: ReportInputs) -> Report {
        self.lock().report(inputs)
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A panic inside the ledger loses at most the count in progress; failing here would lose the whole report.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
