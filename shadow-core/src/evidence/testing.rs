//! Steps of a mirrored service, for the tests that play one.

use core::time::Duration;

use shadow_proto::{
    exchange::{Body, Exchange, Headers},
    time::Timestamp,
};

use super::{Background, Ledger, ThirdAnswer, ThirdSystem};
use crate::compare::{Comparator, Discrepancy, Outcome, ShadowResponse, Side};

/// An answer of the shadow system without fields and content.
pub(super) fn answered(status: u16, after: Duration) -> Outcome {
    Outcome::Response(ShadowResponse {
        status,
        headers: Headers::default(),
        trailers: Headers::default(),
        body: Body::default(),
        first_byte: after,
        total: after,
    })
}

/// Counts a second answer of the shadow system: as a pair if it was drawn at random, and as a third answer to what was
/// found between production's answer and the first one.
pub(super) fn asked_again(
    (ledger, comparator): (&mut Ledger, &Comparator),
    exchange: &Exchange,
    [production, shadow, again]: [&ShadowResponse; 3],
    (found, random): (&[Discrepancy], bool),
    now: Timestamp,
) {
    let compare =
        |a: &ShadowResponse| comparator.compare(&exchange.request, Side::from(a), Side::from(again));
    let (itself, other) = (compare(shadow), compare(production));
    if random {
        ledger.background(exchange, Background::Twice, &itself, now);
    }
    if !found.is_empty() {
        let thirds = ThirdAnswer {
            found,
            itself: &itself,
            other: &other,
            is_close: true,
        };
        ledger.third(exchange, ThirdSystem::Shadow, thirds, now);
    }
}
