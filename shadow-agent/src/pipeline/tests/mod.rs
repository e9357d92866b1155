//! The pipeline without a network: scripted shadow systems, a paused clock, and invariants checked after every test.

mod dispatch;
mod feed;
mod limits;
mod live;
mod noise;
mod script;
mod threads;
mod values;

use bytes::Bytes;
use shadow_common::flow::Endpoint;
use shadow_core::{
    compare::{Comparator, Rules},
    evidence::{
        GateConfig, Ledger, LedgerLimits,
        report::{Funnel, ReportInputs},
    },
    gate::{Gate, Selector, WritePolicy},
    redact::{RedactConfig, Redactor},
    rewrite::{HostPolicy, Marker, RewritePolicy},
};
use shadow_proto::exchange::{Body, Exchange, Flow, Headers, Place, Request, Response, Timing, Version};

use super::shared_ledger::SharedLedger;

pub(crate) fn ledger() -> Ledger {
    Ledger::new(
        LedgerLimits::default(),
        GateConfig::default(),
        Redactor::new([7; 32], &RedactConfig::default()),
    )
}

fn gate() -> Gate {
    Gate::new(
        Selector::default(),
        WritePolicy::default(),
        vec![Marker::default()],
    )
}

fn rewrite() -> RewritePolicy {
    RewritePolicy::plain(HostPolicy::Preserve, "shadow.example", &Marker::default())
}

fn comparator() -> Comparator {
    Comparator::new(Rules::default()).unwrap()
}

fn flow() -> Flow {
    Flow {
        client: Endpoint::v4([10, 0, 0, 1], 40_000),
        server: Endpoint::v4([10, 0, 0, 2], 80),
    }
}

/// A whole exchange whose response is `body`.
pub(crate) fn exchange(method: &str, target: &str, body: impl Into<Bytes>) -> Box<Exchange> {
    exchange_with(method, target, &[("Host", "production.example")], body)
}

/// The same with these header fields.
pub(super) fn exchange_with(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Box<Exchange> {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Box::new(Exchange {
        flow: flow(),
        index: 0,
        place: Place::default(),
        request: Request {
            method: bytes(method),
            target: bytes(target),
            version: Version::Http11,
            headers: Headers::from_pairs(headers.iter().copied()),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: Some(Response {
            status: 200,
            version: Version::Http11,
            reason: bytes("OK"),
            headers: Headers::default(),
            body: Body::whole(body.into()),
            trailers: Headers::default(),
        }),
        timing: Timing::default(),
        incomplete: None,
    })
}

/// The ledger's funnel, after a check of the invariants that hold at every moment.
fn funnel(books: &SharedLedger) -> Funnel {
    let funnel = books.report(ReportInputs::default()).funnel;
    let Funnel {
        kernel: _,
        engine: _,
        unverified: _,
        exchanges,
        skipped,
        skipped_total,
        in_flight,
        replayed,
        matched,
        mismatched,
        regressions: _,
        undecided: _,
        noise: _,
        after_skipped_write: _,
        shadow_errors,
        failures,
        notes: _,
    } = &funnel;
    assert_eq!(*skipped_total, skipped.values().sum::<u64>(), "{funnel:?}");
    assert_eq!(*exchanges, skipped_total + replayed + in_flight, "{funnel:?}");
    assert_eq!(*replayed, matched + mismatched + shadow_errors, "{funnel:?}");
    assert_eq!(*shadow_errors, failures.values().sum::<u64>(), "{funnel:?}");
    books
        .with(|ledger| ledger.check(*in_flight))
        .unwrap_or_else(|error| panic!("{error}: {funnel:?}"));
    funnel
}

/// The same at the end, when nothing may be in progress.
fn final_funnel(books: &SharedLedger) -> Funnel {
    let funnel = funnel(books);
    assert_eq!(funnel.in_flight, 0, "{funnel:?}");
    funnel
}

fn skipped(funnel: &Funnel, reason: &str) -> u64 {
    funnel.skipped.get(reason).copied().unwrap_or(0)
}

fn failed(funnel: &Funnel, failure: &str) -> u64 {
    funnel.failures.get(failure).copied().unwrap_or(0)
}
