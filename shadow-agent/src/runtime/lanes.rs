//! Status and metrics of each target.

use std::time::Duration;

use shadow_core::evidence::{
    Buckets,
    report::{Report, ReportInputs, Verified},
};

use crate::{
    control::status::{Lane, LearnedValues, Queue, RouteChecked},
    http::metrics::{LATENCY_BOUNDS, Latency},
    pipeline::{LaneSnapshot, Pipeline},
    report::text::CAUSES,
    trips::Trip,
};

/// Every target, the first one first. Only its funnel contains what was counted before the lanes.
pub(super) fn statuses(
    pipeline: &Pipeline,
    urls: &[Option<String>],
    inputs: ReportInputs,
    paused: impl Fn(&str) -> Option<Trip>,
) -> Vec<Lane> {
    let snapshots = pipeline.lanes().map(crate::pipeline::Lane::snapshot);
    let reports = pipeline.overviews(inputs);
    snapshots
        .zip(reports)
        .zip(urls)
        .map(|((snapshot, report), url)| {
            let paused = paused(&snapshot.name);
            Lane {
                paused,
                ..status(&snapshot, report, url.clone())
            }
        })
        .collect()
}

fn status(snapshot: &LaneSnapshot, mut report: Report, url: Option<String>) -> Lane {
    let hidden = report.causes.len().saturating_sub(CAUSES);
    report.causes.truncate(CAUSES);
    let caught = |route: &str| report.power.by_route.iter().find(|row| row.route == route);
    let routes = report.routes.iter().map(|row| RouteChecked {
        route: row.route.clone(),
        exchanges: row.exchanges,
        verified: row.verified.as_ref().map(Verified::share),
        caught: caught(&row.route).map(|row| row.caught),
    });
    Lane {
        routes: routes.collect(),
        power: report.power.caught,
        name: snapshot.name.clone(),
        role: snapshot.role,
        url,
        queue: Queue {
            waiting: snapshot.queued as u64,
            room: snapshot.queue_room as u64,
            bytes: snapshot.queued_bytes as u64,
            in_flight: snapshot.in_flight as u64,
        },
        paused: None,
        breaker: snapshot.breaker,
        breaker_opened: snapshot.breaker_opened,
        second: snapshot.second,
        retries: snapshot.retries,
        modes: report.scope.modes,
        funnel: report.funnel,
        coverage: report.coverage,
        match_rate: report.match_rate,
        background: report.background,
        values: report.values.map(|known| LearnedValues {
            counters: known.counters,
            entries: known.entries,
            bytes: known.bytes,
        }),
        latency: report.latency,
        ruling: report.judgement.ruling,
        reasons: report.judgement.reasons,
        causes: report.causes,
        causes_more: report.causes_more.saturating_add(hidden as u64),
    }
}

/// The latency histograms of every target.
pub(super) fn latencies(pipeline: &Pipeline) -> Vec<Latency> {
    let bounds = LATENCY_BOUNDS.map(Duration::from_secs_f64);
    let of_lane = |lane: &crate::pipeline::Lane| {
        let found = lane.with_ledger(|ledger| ledger.latency_buckets(&bounds));
        found.map(|(system, span, Buckets { counts, sum })| Latency {
            target: lane.name().to_owned(),
            system,
            span,
            sum: sum.as_secs_f64(),
            counts,
        })
    };
    pipeline.lanes().flat_map(of_lane).collect()
}
