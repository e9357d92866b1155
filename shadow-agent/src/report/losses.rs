//! Losses outside the denominators of a report: one list for every format.

use shadow_common::stat::Stat;
use shadow_core::evidence::report::Funnel;
use shadow_proto::engine::Counters;

/// Losses outside the denominators: the count and the kind.
pub(super) fn losses(funnel: &Funnel) -> Vec<(u64, &'static str)> {
    let losses = kernel(funnel).into_iter().chain(engine(&funnel.engine));
    losses.filter(|(number, _)| *number > 0).collect()
}

fn kernel(funnel: &Funnel) -> [(u64, &'static str); 5] {
    [
        (
            funnel.kernel(Stat::RingFull),
            "packets did not fit into the ring: raise --ring-size or lower --sample",
        ),
        (
            funnel.kernel(Stat::Expired),
            "packets passed while the agent did not answer for its heartbeat",
        ),
        (
            funnel.kernel(Stat::Disarmed),
            "packets passed while mirroring was switched off",
        ),
        (
            funnel.kernel(Stat::Fragment),
            "IP fragments, of any destination, were not looked into",
        ),
        (
            funnel.kernel(Stat::Truncated),
            "packets were copied without their tail",
        ),
    ]
}

fn engine(engine: &Counters) -> [(u64, &'static str); 13] {
    [
        (engine.gap_bytes, "bytes of streams were never captured"),
        (
            engine.flows_midstream,
            "connections were older than the capture: only their later requests count",
        ),
        (
            engine.flows_evicted,
            "connections were given up for room: raise limits.flows or limits.memory",
        ),
        (
            engine.flows_http2,
            "connections spoke HTTP/2 that could not be read (http2)",
        ),
        (
            engine.flows_tls,
            "connections spoke TLS (tls): capture where it has ended",
        ),
        (engine.flows_websocket, "connections became WebSocket (websocket)"),
        (
            engine.flows_unknown,
            "connections spoke another protocol than HTTP/1 (unknown)",
        ),
        (
            engine.flows_unread,
            "HTTP/1 connections could not be followed to their end: message boundaries were lost",
        ),
        (
            engine.flows_mptcp,
            "connections carried only parts of a stream (mptcp)",
        ),
        (
            engine.exchanges_unread,
            "exchanges on those, as far as can be said, were not read; they lower the coverage",
        ),
        (
            engine.flows_empty,
            "connections ended without any payload: probes, or traffic that passes the capture by (sockmap)",
        ),
        (engine.requests_lost, "requests were seen only in part"),
        (engine.orphans, "responses had no known request"),
    ]
}
