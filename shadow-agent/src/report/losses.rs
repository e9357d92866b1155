//! Losses outside the denominators of a report: one list for every format.

use std::collections::BTreeMap;

use shadow_core::evidence::report::Funnel;

/// Counters of the kernel program that count a loss, and the loss.
const KERNEL_LOSSES: [(&str, &str); 5] = [
    (
        "ring_full",
        "packets did not fit into the ring: raise --ring-size or lower --sample",
    ),
    (
        "expired",
        "packets passed while the agent did not answer for its heartbeat",
    ),
    ("disarmed", "packets passed while mirroring was switched off"),
    (
        "fragment",
        "IP fragments, of any destination, were not looked into",
    ),
    ("truncated", "packets were copied without their tail"),
];

/// Counters of the engine that count a loss, and the loss.
const ENGINE_LOSSES: [(&str, &str); 13] = [
    ("gap_bytes", "bytes of streams were never captured"),
    (
        "flows_midstream",
        "connections were older than the capture: only their later requests count",
    ),
    (
        "flows_evicted",
        "connections were given up for room: raise limits.flows or limits.memory",
    ),
    (
        "flows_http2",
        "connections spoke HTTP/2 that could not be read (http2)",
    ),
    (
        "flows_tls",
        "connections spoke TLS (tls): capture where it has ended",
    ),
    ("flows_websocket", "connections became WebSocket (websocket)"),
    (
        "flows_unknown",
        "connections spoke another protocol than HTTP/1 (unknown)",
    ),
    (
        "flows_unread",
        "HTTP/1 connections could not be followed to their end: messages could not be told apart",
    ),
    (
        "flows_mptcp",
        "connections carried only parts of a stream (mptcp)",
    ),
    (
        "exchanges_unread",
        "exchanges on those, as far as can be said, were not read; they lower the coverage",
    ),
    (
        "flows_empty",
        "connections ended without any payload: probes, or traffic that passes the capture by (sockmap)",
    ),
    ("requests_lost", "requests were seen only in part"),
    ("orphans", "responses had no known request"),
];

/// Losses outside the denominators: the count and the kind.
pub(super) fn losses(funnel: &Funnel) -> Vec<(u64, &'static str)> {
    let of = |counters: &BTreeMap<String, u64>, name: &str| counters.get(name).copied().unwrap_or(0);
    let kernel = KERNEL_LOSSES.map(|(name, loss)| (of(&funnel.kernel, name), loss));
    let engine = ENGINE_LOSSES.map(|(name, loss)| (of(&funnel.engine, name), loss));
    let losses = kernel.into_iter().chain(engine);
    losses.filter(|(number, _)| *number > 0).collect()
}
