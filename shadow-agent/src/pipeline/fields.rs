//! Header fields that are new with each request.
//!
//! Tracing, timing and proxies add fields that do not identify what is asked for. Some are known by name; any other
//! that had another value in each of many requests is treated the same. Bounds: [`NAMES`] names, [`VALUES`] hashes of
//! values of each. Bias: a field that says who asks, or for which form, is never ignored, whatever its values.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
};

use shadow_proto::exchange::Request;

/// Names that are tracked.
const NAMES: usize = 64;

/// Requests that must have had a field, each with another value.
const VALUES: usize = 32;

/// Bytes of a usual name.
const USUAL: usize = 64;

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

#[derive(Debug)]
struct Values {
    recent: VecDeque<u64>,
    count: u64,
    repeated: bool,
    /// Whether the name says who asks, or for what: it is looked at once.
    telling: bool,
}

impl Values {
    /// None yet, of the field with this name in lower case.
    fn of(name: &[u8]) -> Self {
        let has = |part: &&str| name.windows(part.len()).any(|window| window == part.as_bytes());
        Self {
            recent: VecDeque::new(),
            count: 0,
            repeated: false,
            telling: TELLING.iter().any(has),
        }
    }

    fn add(&mut self, hash: u64) {
        self.repeated = self.recent.contains(&hash);
        self.count += 1;
        self.recent.push_back(hash);
        if self.recent.len() > VALUES {
            self.recent.pop_front();
        }
    }
}

impl Fields {
    /// Remembers the fields of a request.
    pub(super) fn learn(&mut self, request: &Request) {
        for (name, value) in request.headers.iter() {
            let mut room = [0; USUAL];
            let name = &*lower(name, &mut room);
            if !self.known.contains_key(name) && self.known.len() < NAMES {
                self.known.insert(name.to_vec(), Values::of(name));
            }
            if let Some(values) = self.known.get_mut(name).filter(|values| !values.repeated) {
                values.add(self.keys.hash_one(value));
            }
        }
    }

    /// Whether a field is new with each request.
    pub(super) fn is_passing(&self, name: &[u8]) -> bool {
        let mut room = [0; USUAL];
        let name = &*lower(name, &mut room);
        PASSING.iter().any(|passing| passing.as_bytes() == name)
            || self
                .known
                .get(name)
                .is_some_and(|values| !values.telling && !values.repeated && values.count >= VALUES as u64)
    }
}

/// A name in lower case; a usual one without an allocation.
fn lower<'r>(name: &[u8], room: &'r mut [u8; USUAL]) -> Cow<'r, [u8]> {
    let Some(room) = room.get_mut(..name.len()) else {
        return Cow::Owned(name.to_ascii_lowercase());
    };
    room.copy_from_slice(name);
    room.make_ascii_lowercase();
    Cow::Borrowed(room)
}
