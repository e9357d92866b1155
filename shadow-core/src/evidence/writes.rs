//! Writes that the shadow system did not see, and the reads that differ because of it.
//!
//! `PUT /users/7` explains later differences at `/users/7`, below it, and in the two collections above it (`/users`);
//! `POST /users` those of the collection, of the new resource when production named it in Location, and that anything
//! below is missing (404, 410) at the shadow system. Nothing explains what is not about data: a 5xx, or header fields
//! other than validators.
//! Bounds: paths, by a hash; the least recently written half is forgotten when they are too many. Time to live.
//! Bias: towards a regression: only reads that production answered after the write began; never at `/`.

use core::{
    hash::{BuildHasher as _, Hash as _, Hasher as _},
    time::Duration,
};

use hashbrown::{DefaultHashBuilder, HashMap};
use serde::{Deserialize, Serialize};

use crate::{
    compare::{Category, Discrepancy, Outcome},
    gate::{Skip, SkipPolicy},
};
use shadow_proto::{
    exchange::{Exchange, Request},
    time::Timestamp,
};

use super::report;

/// Collections above a written resource that it changes.
const ABOVE: usize = 2;

/// Segments of a path that are looked at.
const SEGMENTS: usize = 16;

/// What is remembered of skipped writes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteLimits {
    /// Paths; each costs about 64 bytes. 0 remembers none: nothing is explained then.
    pub paths: usize,
    /// How long a write explains reads.
    #[serde(with = "shadow_proto::time::duration")]
    pub ttl: Duration,
}

impl Default for WriteLimits {
    fn default() -> Self {
        Self {
            paths: 65_536,
            ttl: Duration::from_hours(1),
        }
    }
}

/// The paths that skipped writes changed.
#[derive(Debug)]
pub(crate) struct Writes {
    limits: WriteLimits,
    hasher: DefaultHashBuilder,
    /// Two generations: when the young one is full, the old one is forgotten.
    young: HashMap<u64, Written>,
    old: HashMap<u64, Written>,
    seen: u64,
    evicted: u64,
}

/// When a path was written last, by what that changes.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    /// The resource itself: what is below is changed with it.
    itself: Option<Timestamp>,
    /// Something below it.
    below: Option<Timestamp>,
    /// Something was made below it, under a name that is not known.
    made: Option<Timestamp>,
}

impl Writes {
    pub(crate) fn new(limits: WriteLimits) -> Self {
        Self {
            limits,
            hasher: DefaultHashBuilder::default(),
            young: HashMap::new(),
            old: HashMap::new(),
            seen: 0,
            evicted: 0,
        }
    }

    pub(crate) fn figures(&self) -> report::Writes {
        report::Writes {
            seen: self.seen,
            paths: (self.young.len() as u64).saturating_add(self.old.len() as u64),
            evicted: self.evicted,
        }
    }

    /// Remembers a skipped exchange when it is a write that may have changed something.
    pub(crate) fn skipped(&mut self, exchange: &Exchange, skip: Skip) {
        let request = &exchange.request;
        let write = match skip {
            // A method that is safe by name may be overridden.
            Skip::Policy(reason) if reason.is_skipped_write() => true,
            // It is no request of production's, or none that changes a resource.
            Skip::Policy(SkipPolicy::Replayed | SkipPolicy::Upgrade) => false,
            _ => !is_read(&request.method),
        };
        let refused = exchange
            .response
            .as_ref()
            .is_some_and(|response| response.status >= 400);
        let Some(at) = exchange.timing.request_first.or(exchange.timing.request_last) else {
            return;
        };
        if !write || refused || self.limits.paths == 0 {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        let host = host(request);
        let path = path(&request.target);
        let made = request.method.as_ref() == b"POST";
        self.write(host, path, made, at);
        let named = exchange
            .response
            .as_ref()
            .and_then(|response| response.headers.get("location"))
            .filter(|_| made);
        if let Some(location) = named {
            // Of another host's resources nothing is known.
            self.write(host, self::path(location), false, at);
        }
    }

    fn write(&mut self, host: &[u8], path: &[u8], made: bool, at: Timestamp) {
        let segments = segments(path);
        let Some((whole, above)) = segments.split_last() else {
            return;
        };
        let key = self.key(host, whole);
        let written = self.entry(key);
        let slot = if made {
            &mut written.made
        } else {
            &mut written.itself
        };
        *slot = (*slot).max(Some(at));
        written.below = written.below.max(Some(at));
        for above in above.iter().rev().take(ABOVE) {
            let key = self.key(host, above);
            let written = self.entry(key);
            written.below = written.below.max(Some(at));
        }
    }

    /// Whether a skipped write explains that this read differs.
    pub(crate) fn explains(&self, exchange: &Exchange, outcome: &Outcome) -> bool {
        let request = &exchange.request;
        if !is_read(&request.method) || (self.young.is_empty() && self.old.is_empty()) {
            return false;
        }
        let Some(read) = exchange.timing.response_last else {
            return false;
        };
        let live =
            |at: Option<Timestamp>| at.is_some_and(|at| at <= read && read.since(at) <= self.limits.ttl);
        let missing = matches!(outcome, Outcome::Response(shadow) if matches!(shadow.status, 404 | 410));
        let host = host(request);
        let segments = segments(path(&request.target));
        let Some((whole, above)) = segments.split_last() else {
            return false;
        };
        self.find(self.key(host, whole))
            .any(|written| live(written.itself) || live(written.below))
            || above.iter().any(|above| {
                self.find(self.key(host, above))
                    .any(|written| live(written.itself) || (missing && live(written.made)))
            })
    }

    fn find(&self, key: u64) -> impl Iterator<Item = &Written> {
        self.young.get(&key).into_iter().chain(self.old.get(&key))
    }

    fn entry(&mut self, key: u64) -> &mut Written {
        if !self.young.contains_key(&key) && self.young.len() >= self.limits.paths.div_ceil(2) {
            let gone = core::mem::replace(&mut self.old, core::mem::take(&mut self.young));
            self.evicted = self.evicted.saturating_add(gone.len() as u64);
        }
        let former = self.old.remove(&key).unwrap_or_default();
        self.young.entry(key).or_insert(former)
    }

    fn key(&self, host: &[u8], path: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        host.to_ascii_lowercase().hash(&mut hasher);
        path.hash(&mut hasher);
        hasher.finish()
    }
}

/// Whether a difference behind a skipped write may come of it: data may, and a resource that is not there. A server
/// error may not, nor may a header field that says how to treat the content rather than which one it is.
pub(crate) fn may_explain(found: &Discrepancy) -> bool {
    match found.category {
        Category::Status => !found.shadow.starts_with('5'),
        Category::Header => ["etag", "last-modified", "content-length"]
            .iter()
            .any(|validator| found.place.to_ascii_lowercase().ends_with(validator)),
        Category::Decode => false,
        _ => true,
    }
}

/// Safe methods (RFC 9110 section 9.2.1).
fn is_read(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
}

fn host(request: &Request) -> &[u8] {
    request.headers.get("host").unwrap_or_default()
}

/// The path of a target, or of a Location, without query and without the slash at its end.
fn path(target: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    let target = target.get(..end).unwrap_or(target);
    let path = match memchr::memmem::find(target, b"://") {
        Some(scheme) if target.first() != Some(&b'/') => {
            let rest = target.get(scheme.saturating_add(3)..).unwrap_or_default();
            let start = memchr::memchr(b'/', rest).unwrap_or(rest.len());
            rest.get(start..).unwrap_or_default()
        }
        _ => target,
    };
    path.strip_suffix(b"/").unwrap_or(path)
}

/// `/users`, `/users/7` of `/users/7`: every prefix that ends with a segment, the longest last. Nothing for `/`, nor for
/// paths that are too long.
fn segments(path: &[u8]) -> Vec<&[u8]> {
    if memchr::memchr_iter(b'/', path).count() > SEGMENTS {
        return Vec::new();
    }
    memchr::memchr_iter(b'/', path)
        .filter(|at| *at > 0)
        .chain((path.len() > 1).then_some(path.len()))
        .filter_map(|end| path.get(..end))
        .collect()
}

#[cfg(test)]
#[path = "writes_tests.rs"]
mod tests;
