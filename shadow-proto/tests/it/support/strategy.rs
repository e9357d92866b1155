//! How specifications are drawn. Weights favour the usual; rare cases remain frequent enough to occur in one run.

use proptest::{collection::vec, prelude::*};

use super::{
    capture::Losses,
    spec::{Connection, Content, End, Exchange, Expect, Framing, Kind},
    wire::Plan,
};

/// Any exchange.
pub(crate) fn exchange() -> impl Strategy<Value = Exchange> {
    let request = (
        prop_oneof![
            6 => Just("GET"), 4 => Just("POST"), 2 => Just("HEAD"), 2 => Just("PUT"), 1 => Just("DELETE"),
            1 => Just("OPTIONS"), 1 => Just("PATCH"), 1 => Just("QUERY"), 1 => Just("M-SEARCH"),
        ],
        any::<u8>(),
        prop::bool::weighted(0.08),
        vec(any::<u8>(), 0..4),
        framing(1),
        content(),
        prop_oneof![8 => Just(Expect::No), 1 => Just(Expect::Waits), 1 => Just(Expect::Impatient)],
        prop::bool::weighted(0.05),
    );
    let response = (
        vec(prop_oneof![Just(100_u16), Just(102), Just(103), Just(199)], 0..2),
        prop_oneof![
            12 => Just(200_u16), 1 => Just(201), 1 => Just(204), 1 => Just(206), 1 => Just(301), 1 => Just(304),
            1 => Just(404), 1 => Just(417), 1 => Just(500), 1 => Just(599),
        ],
        framing(3),
        content(),
        prop::bool::weighted(0.2),
        any::<u64>(),
    );
    (request, response).prop_map(|(request, response)| {
        let (method, target, http10, fields, framing, request_body, expect, stray_line) = request;
        let (interim, status, response, response_body, early, dress) = response;
        Exchange {
            method,
            target,
            http10,
            fields,
            request: framing,
            request_body,
            expect,
            interim,
            status,
            response,
            response_body,
            early,
            stray_line,
            dress,
        }
    })
}

/// A small exchange that keeps the connection open: for tests of pairing, which do not concern framing.
pub(crate) fn small_exchange() -> impl Strategy<Value = Exchange> {
    exchange().prop_map(|exchange| {
        let shrink = |content: Content| Content {
            len: content.len % 300,
            ..content
        };
        Exchange {
            http10: false,
            request_body: shrink(exchange.request_body),
            response_body: shrink(exchange.response_body),
            ..exchange
        }
    })
}

fn framing(none: u32) -> impl Strategy<Value = Framing> {
    prop_oneof![
        none => Just(Framing::None),
        5 => Just(Framing::Length),
        4 => Just(Framing::Chunked),
        1 => Just(Framing::Close),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    let kind = prop_oneof![
        4 => Just(Kind::Text), 1 => Just(Kind::Zeros), 1 => Just(Kind::Requests), 1 => Just(Kind::Responses),
        1 => Just(Kind::Chunks),
    ];
    let len = prop_oneof![
        2 => Just(0_usize), 2 => 1_usize..3, 12 => 3_usize..600, 3 => 600_usize..5_000, 1 => 5_000_usize..90_000,
    ];
    (kind, len).prop_map(|(kind, len)| Content { kind, len })
}

/// A connection of up to `most` exchanges.
pub(crate) fn connection(
    exchange: impl Strategy<Value = Exchange>,
    most: usize,
) -> impl Strategy<Value = Connection> {
    let end = prop_oneof![
        3 => Just(End::ServerFin), 3 => Just(End::ClientFin), 1 => Just(End::HalfClose), 1 => Just(End::Reset),
        2 => Just(End::Open),
    ];
    let batches = prop_oneof![2 => Just(vec![1_u8]), 1 => vec(1_u8..5, 1..4)];
    (vec(exchange, 1..=most), batches, end).prop_map(|(exchanges, batches, end)| Connection {
        exchanges,
        batches,
        end,
    })
}

/// Any valid way across the wire.
pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let isn = || {
        prop_oneof![
            Just(0_u32),
            Just(1),
            Just((1 << 31) - 1),
            Just(1 << 31),
            Just(u32::MAX - 1),
            Just(u32::MAX),
            // The wrap is in the first heads and bodies.
            (u32::MAX - 2_000)..u32::MAX,
            any::<u32>(),
        ]
    };
    let largest = prop_oneof![
        1 => Just(1_usize), 1 => Just(2), 1 => 3_usize..100, 2 => Just(536), 4 => Just(1_460), 2 => Just(65_483),
    ];
    let noise = || prop_oneof![2 => Just(0_u16), 1 => 1_u16..60];
    let step = prop_oneof![Just(20_u64), Just(1_000), Just(5_000)];
    (
        (any::<u64>(), isn(), isn(), largest, any::<bool>(), any::<bool>()),
        (any::<bool>(), any::<bool>(), noise(), noise(), step),
    )
        .prop_map(
            |(
                (seed, client_isn, server_isn, largest, lazy_acks, bare_acks),
                (syn_data, fin_data, retransmit, probe, step_us),
            )| Plan {
                seed,
                isn: [client_isn, server_isn],
                largest,
                lazy_acks,
                bare_acks,
                syn_data,
                fin_data,
                retransmit,
                probe,
                garbage: true,
                step_us,
            },
        )
}

/// Changes by a capture that loses nothing.
pub(crate) fn lossless() -> impl Strategy<Value = Losses> {
    let window = prop_oneof![2 => Just(0_usize), 1 => 1_usize..3, 1 => 3_usize..12];
    let duplicate = prop_oneof![2 => Just(0_u16), 1 => 1_u16..200];
    let chunk = prop_oneof![2 => Just(None), 1 => Just(Some(4_096_usize)), 1 => (1_usize..50).prop_map(Some)];
    (
        any::<u64>(),
        window,
        duplicate,
        chunk,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(seed, window, duplicate, chunk, restamp, directed)| Losses {
            seed,
            window,
            duplicate,
            chunk,
            restamp,
            directed,
            ..Losses::none()
        })
}

/// As [`lossless`], with lost segments, lost tails of segments or a lost beginning.
pub(crate) fn lossy() -> impl Strategy<Value = Losses> {
    let lose = prop_oneof![1 => Just(0_u16), 2 => 1_u16..50, 2 => 50_u16..300, 1 => 300_u16..900];
    let truncate = prop_oneof![3 => Just(0_u16), 1 => 1_u16..200];
    let skip = prop_oneof![2 => Just(0_usize), 1 => 1_usize..40];
    (lossless(), lose, truncate, skip).prop_map(|(losses, lose, truncate, skip)| Losses {
        lose,
        truncate,
        skip,
        ..losses
    })
}
