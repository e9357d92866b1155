//! From a verdict to a case that a person can inspect.

use std::sync::Arc;

use shadow_core::{
    case::{Case, CaseLimits, Judged},
    evidence::SampleRequest,
    redact::Redactor,
    rewrite::ShadowRequest,
};
use shadow_proto::exchange::Exchange;

use crate::{
    clock::now_ms,
    journal::{Entry, Sink},
};

/// Makes cases and hands them on. No lock is held here: redacting a body takes time.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Their destination.
    pub sink: Arc<dyn Sink>,
    /// Removes the secrets; the ledger's own redactor, so that equal secrets look equal everywhere.
    pub redactor: Redactor,
    /// Limits of one case.
    pub limits: CaseLimits,
}

impl Samples {
    /// Hands on a request that is not sent.
    pub(super) fn record(&self, exchange: &Exchange, sent: &ShadowRequest, target: &str) {
        if let Some(case) = Case::recorded(exchange, sent, (target, now_ms()), &self.redactor, self.limits) {
            self.sink.offer(Entry::Case(Box::new(case)));
        }
    }

    /// Hands on a sample that the ledger wants.
    pub(super) fn offer(&self, judged: Judged<'_>, wanted: SampleRequest) {
        if wanted.is_empty() {
            return;
        }
        if let Some(case) = Case::of(judged, wanted, &self.redactor, self.limits) {
            self.sink.offer(Entry::Case(Box::new(case)));
        }
    }
}
