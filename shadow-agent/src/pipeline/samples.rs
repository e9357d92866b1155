//! From a verdict to a case that somebody can look at.

use std::sync::Arc;

use shadow_core::{
    case::{Case, CaseLimits, Judged},
    evidence::Wanted,
    redact::Redactor,
    rewrite::ShadowRequest,
};
use shadow_proto::exchange::Exchange;

use crate::{
    control::state::now_ms,
    journal::{Entry, Sink},
};

/// Makes cases and hands them on. Nothing here holds a lock: redacting a body takes a moment.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Where they go.
    pub sink: Arc<dyn Sink>,
    /// What takes the secrets out; the ledger's own, so that equal secrets look equal everywhere.
    pub redactor: Redactor,
    /// What one case may hold.
    pub limits: CaseLimits,
}

impl Samples {
    /// Hands on a request that is not sent.
    pub(super) fn record(&self, exchange: &Exchange, sent: &ShadowRequest, target: &str) {
        if let Some(case) = Case::recorded(exchange, sent, (target, now_ms()), &self.redactor, self.limits) {
            self.sink.offer(Entry::Case(Box::new(case)));
        }
    }

    /// Hands on what the ledger wants as a sample.
    pub(super) fn offer(&self, judged: Judged<'_>, wanted: Wanted) {
        if wanted.is_empty() {
            return;
        }
        if let Some(case) = Case::of(judged, wanted, &self.redactor, self.limits) {
            self.sink.offer(Entry::Case(Box::new(case)));
        }
    }
}
