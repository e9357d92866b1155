//! Made-up exchanges for unit tests.

use bytes::Bytes;
use shadow_common::flow::Endpoint;

use crate::{
    exchange::{Body, Exchange, Flow, Headers, Place, Request, Response, Timing, Version},
    time::Timestamp,
};

/// A complete exchange without fields and bodies, answered with 200 after 3 ms.
pub fn exchange(method: &str, target: &str) -> Exchange {
    exchange_with(method, target, &[])
}

/// The same with request fields.
pub fn exchange_with(method: &str, target: &str, headers: &[(&str, &str)]) -> Exchange {
    let at = |millis: u64| Some(Timestamp::from_nanos(millis * 1_000_000));
    Exchange {
        flow: Flow {
            client: Endpoint::v4([127, 0, 0, 1], 40_000),
            server: Endpoint::v4([127, 0, 0, 1], 80),
        },
        index: 0,
        place: Place::default(),
        request: Request {
            method: Bytes::copy_from_slice(method.as_bytes()),
            target: Bytes::copy_from_slice(target.as_bytes()),
            version: Version::Http11,
            headers: Headers::from_pairs(headers.iter().copied()),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: Some(Response {
            status: 200,
            version: Version::Http11,
            reason: Bytes::from_static(b"OK"),
            headers: Headers::default(),
            body: Body::default(),
            trailers: Headers::default(),
        }),
        timing: Timing {
            request_first: at(10),
            request_last: at(11),
            response_first: at(14),
            response_last: at(15),
        },
        incomplete: None,
    }
}

/// Random numbers: seeded, sufficient for made-up fields (Steele et al. 2014, splitmix64).
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True once in `n` times on average.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.number().is_multiple_of(n)
    }
}
