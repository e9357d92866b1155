//! Header fields that are new with each request.
//!
//! Tracing, timing and proxies add fields that do not identify what is asked for. Some are known by name; any other
//! that had another value in each of many requests is treated the same. Bounds: [`NAMES`] names, [`VALUES`] hashes of
//! values of each. Bias: a field that says who asks, or for which form, is never ignored, whatever its values.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
};

use shadow_proto::exchange::Request;

/// Names that are tracked.
const NAMES: usize = 64;

/// Requests that must have had a field, each with another value.
const VALUES: usize = 32;

/// Fields that are known to be new with each request.
const PASSING: [&str; 16] = [
    "x-request-id",
    "x-correlation-id",
    "request-id",
    "traceparent",
    "tracestate",
    "baggage",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "uber-trace-id",
    "x-request-start",
    "date",
];

/// Parts of names of fields that say who asks, or for what.
const TELLING: [&str; 22] = [
    "account",
    "customer",
    "client",
    "org",
    "uid",
    "login",
    "email",
    "forwarded",
    "device",
    "version",
    "lang",
    "auth",
    "cookie",
    "token",
    "key",
    "session",
    "user",
    "tenant",
    "if-",
    "range",
    "accept",
    "content-",
];

/// The values of each field so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    keys: RandomState,
    known: HashMap<Vec<u8>, Values>,
}

#[derive(Debug, Default)]
struct Values {
    recent: VecDeque<u64>,
    count: u64,
    repeated: bool,
}

impl Fields {
    /// Remembers the fields of a request.
    pub(super) fn learn(&mut self, request: &Request) {
        for (name, value) in request.headers.iter() {
            let name = name.to_ascii_lowercase();
            if self.known.len() >= NAMES && !self.known.contains_key(&name) {
                continue;
            }
            let hash = self.keys.hash_one(value);
            let values = self.known.entry(name).or_default();
            if values.repeated {
                continue;
            }
            values.repeated = values.recent.contains(&hash);
            values.count += 1;
            values.recent.push_back(hash);
            if values.recent.len() > VALUES {
                values.recent.pop_front();
            }
        }
    }

    /// Whether a field is new with each request.
    pub(super) fn is_passing(&self, name: &[u8]) -> bool {
        let name = name.to_ascii_lowercase();
        if PASSING.iter().any(|passing| passing.as_bytes() == name) {
            return true;
        }
        let telling = TELLING
            .iter()
            .any(|part| name.windows(part.len()).any(|window| window == part.as_bytes()));
        !telling
            && self
                .known
                .get(&name)
                .is_some_and(|values| !values.repeated && values.count >= VALUES as u64)
    }
}
