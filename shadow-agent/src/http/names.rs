//! Meaning of each counter of the kernel program and of the engine, for `# HELP` lines.
//!
//! A test checks that no counter is missing here or in `docs/src/reference.md`.

/// Counters of the engine.
pub const ENGINE: &[(&str, &str)] = &[
    ("segments", "TCP segments given to the engine"),
    ("payload_bytes", "TCP payload bytes given to the engine"),
    ("empty_segments", "Segments without payload, SYN, FIN or RST"),
    ("flows_opened", "Connections seen from their beginning"),
    ("flows_midstream", "Connections first seen in the middle"),
    (
        "flows_joined",
        "Pairs of addresses that were another view of a known connection, read with it",
    ),
    ("flows_closed", "Connections that ended by FIN or RST"),
    ("flows_idle", "Connections forgotten after the idle time"),
    (
        "flows_evicted",
        "Connections given up to stay under the flow or memory limit",
    ),
    (
        "flows_abandoned",
        "Connections not read any further: protocol, framing or step",
    ),
    (
        "flows_http2",
        "Connections left because they speak HTTP/2 that cannot be read",
    ),
    ("flows_tls", "Connections left because they speak TLS"),
    (
        "flows_websocket",
        "Connections left after an upgrade to WebSocket",
    ),
    (
        "flows_unknown",
        "Connections left because they speak a protocol without a name here, or a tunnel",
    ),
    (
        "flows_unread",
        "HTTP/1 connections left because messages could not be told apart any more",
    ),
    (
        "flows_mptcp",
        "Connections left because Multipath TCP spread their stream over several",
    ),
    (
        "unread_segments",
        "Segments with payload that followed on those two",
    ),
    ("unread_bytes", "Payload bytes in them"),
    ("unread_request_bytes", "Of these, bytes that the clients sent"),
    (
        "exchanges_unread",
        "Exchanges that seem to have passed on those: they lower the coverage",
    ),
    ("flows_empty", "Connections that ended without any payload"),
    ("h2_connections", "Connections that were read as HTTP/2"),
    ("h2_joined", "HTTP/2 connections joined in the middle"),
    ("h2_frames", "Frames of HTTP/2"),
    ("h2_resets", "Streams of HTTP/2 that were reset"),
    (
        "h2_pushes",
        "Pushes promised by HTTP/2 servers: their responses are not read",
    ),
    (
        "ignored_segments",
        "Segments of connections that are over or abandoned",
    ),
    ("duplicate_segments", "Segments with nothing new"),
    (
        "out_of_order_segments",
        "Segments that came before bytes in front of them",
    ),
    (
        "conflicting_overlaps",
        "Retransmitted bytes that differed from the first copy",
    ),
    ("out_of_window", "Sequence numbers too far away for any window"),
    (
        "reset_bytes",
        "Payload bytes of resets, which reach no application",
    ),
    ("gaps", "Holes in a stream that were declared lost"),
    ("gap_bytes", "Bytes in holes that were declared lost"),
    (
        "out_of_step",
        "Times that the pairing count of a connection was lost",
    ),
    ("requests", "Request heads"),
    (
        "requests_lost",
        "Requests of which only a part of the head was seen",
    ),
    ("responses", "Final response heads"),
    ("interim_responses", "Interim (1xx) responses"),
    ("orphans", "Responses without a known request"),
    ("exchanges", "Exchanges reported by the engine"),
    ("exchanges_complete", "Whole exchanges"),
    ("exchanges_incomplete", "Incomplete exchanges"),
];

/// Upper bounds of the latency buckets, in seconds.
pub const LATENCY_BOUNDS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
