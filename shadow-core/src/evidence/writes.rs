//! Writes that the shadow system did not see, and the reads that differ because of them.
//!
//! `PUT /users/7` explains later differences at `/users/7`, below it, and in the two collections above it (`/users`).
//! `POST /users` explains those of the collection, and of the new resource if production named it in Location; if it
//! did not, that anything below is missing (404, 410) at the shadow system. A read is explained only if production's
//! own answer to it changed across the write by more than noise, or, for the written resource itself, if its earlier
//! answer is not known. Differences that are not about data are never explained: another type, a status other than
//! those of a missing resource, header fields other than validators.
//! Bounds: paths, and as many reads, by hash; the least recently used half is dropped when there are too many. Time to
//! live.
//! Bias: towards a regression: only reads that production answered after the write began; never at `/`.

use core::{
    hash::{BuildHasher as _, Hash as _, Hasher as _},
    time::Duration,
};

use hashbrown::DefaultHashBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::units::{As, Span};

use crate::{
    compare::{ABSENT, Category, Discrepancy, Outcome},
    gate::{Skip, SkipPolicy},
};
use shadow_proto::{
    exchange::{Exchange, Request},
    time::Timestamp,
};

use super::{
    generations::Generations,
    report,
    resource::{is_below, path, segments},
};

/// Number of collections above a written resource that the write changes.
const ABOVE: usize = 2;

/// Limits for remembering skipped writes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteLimits {
    /// Maximum number of paths; each costs about 64 bytes. With 0 no write is remembered, so nothing is explained.
    pub paths: usize,
    /// How long a write explains reads.
    #[serde(with = "As::<Span>")]
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

/// Paths changed by skipped writes.
#[derive(Debug)]
pub(crate) struct Writes {
    limits: WriteLimits,
    hasher: DefaultHashBuilder,
    written: Generations<Written>,
    reads: Generations<Read>,
    seen: u64,
    evicted: u64,
    /// Paths that other ledgers remember.
    elsewhere: u64,
}

/// Production's latest answer to one read.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    answer: u64,
    at: Option<Timestamp>,
    /// The latest write across which it changed, or may have: the resource was written before its first read.
    changed: Option<Timestamp>,
    /// Two times at which production's answers were the same but for noise, with the earlier one first.
    same: Option<(Timestamp, Timestamp)>,
}

/// Times of the last writes to a path, by their effect.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    /// The resource itself; everything below changes with it.
    itself: Option<Timestamp>,
    /// Something below it.
    below: Option<Timestamp>,
    /// A resource was created below it, under an unknown name.
    made: Option<Timestamp>,
}

/// The effect of a write on its path.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Itself,
    /// A resource was created below it, under an unknown name.
    Made,
    /// A resource with a known name was created below it.
    Below,
}

impl Writes {
    pub(crate) fn new(limits: WriteLimits) -> Self {
        Self {
            limits,
            hasher: DefaultHashBuilder::default(),
            written: Generations::default(),
            reads: Generations::default(),
            seen: 0,
            evicted: 0,
            elsewhere: 0,
        }
    }

    pub(crate) fn figures(&self) -> report::Writes {
        report::Writes {
            seen: self.seen,
            paths: self.written.len().saturating_add(self.elsewhere),
            evicted: self.evicted,
        }
    }

    /// Adds the figures of another ledger.
    pub(crate) fn add(&mut self, figures: report::Writes) {
        self.seen = self.seen.saturating_add(figures.seen);
        self.elsewhere = self.elsewhere.saturating_add(figures.paths);
        self.evicted = self.evicted.saturating_add(figures.evicted);
    }

    /// Remembers a skipped exchange if it is a write that may have changed something.
    pub(crate) fn skipped(&mut self, exchange: &Exchange, skip: Skip) {
        let request = &exchange.request;
        let write = match skip {
            // A method that is nominally safe may be overridden.
            Skip::Policy(reason) if reason.is_skipped_write() => true,
            // Not a request of production's, or not one that changes a resource.
            Skip::Policy(SkipPolicy::Replayed | SkipPolicy::Upgrade) => false,
            _ => !is_safe(&request.method),
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
        let target = path(&request.target);
        let response = exchange.response.as_ref();
        let location = response.and_then(|response| response.headers.get("location"));
        // Nothing is known about resources of another host.
        let named = location.filter(|_| request.method.as_ref() == b"POST").map(path);
        let effect = match named {
            _ if request.method.as_ref() != b"POST" => Effect::Itself,
            // The one that was created (RFC 9110 section 15.3.2).
            Some(named)
                if is_below(target, named) && response.is_some_and(|response| response.status == 201) =>
            {
                Effect::Below
            }
            _ => Effect::Made,
        };
        self.write(host, target, effect, at);
        if let Some(named) = named {
            self.write(host, named, Effect::Itself, at);
        }
    }

    fn write(&mut self, host: &[u8], path: &[u8], effect: Effect, at: Timestamp) {
        let segments = segments(path);
        let Some((whole, above)) = segments.split_last() else {
            return;
        };
        let key = self.key(host, whole);
        let written = self.entry(key);
        match effect {
            Effect::Itself => written.itself = written.itself.max(Some(at)),
            Effect::Made => written.made = written.made.max(Some(at)),
            Effect::Below => {}
        }
        written.below = written.below.max(Some(at));
        for above in above.iter().rev().take(ABOVE) {
            let key = self.key(host, above);
            let written = self.entry(key);
            written.below = written.below.max(Some(at));
        }
    }

    /// Remembers production's answer to a read, whatever the result of its replay.
    pub(crate) fn read(&mut self, exchange: &Exchange) {
        let (Some(at), Some(response)) = (exchange.timing.response_last, &exchange.response) else {
            return;
        };
        if !is_read(&exchange.request.method) || self.limits.paths == 0 {
            return;
        }
        let mut hasher = self.hasher.build_hasher();
        (response.status, response.body.len, response.body.digest).hash(&mut hasher);
        response.body.kept.hash(&mut hasher);
        let answer = hasher.finish();
        let touched = self.touched(&exchange.request, at);
        let key = self.read_key(&exchange.request);
        let (read, _) = self.reads.entry(key, self.limits.paths);
        read.changed = match read.at {
            None => touched.itself,
            Some(before) if read.answer != answer && !read.is_same(before, at) => {
                let between = touched.latest().filter(|write| *write > before);
                between.or(read.changed)
            }
            Some(_) => read.changed,
        };
        read.answer = answer;
        read.at = read.at.max(Some(at));
    }

    /// Whether something was written since then that may have changed the resource of this read.
    pub(crate) fn is_written(&self, exchange: &Exchange, since: Timestamp) -> bool {
        let at = exchange
            .timing
            .response_last
            .filter(|_| is_read(&exchange.request.method));
        at.is_some_and(|at| self.touched(&exchange.request, at).latest() > Some(since))
    }

    /// Remembers that production's answer to this read was the same at another time but for noise; call it before
    /// [`Writes::read`]. Its bytes may be different in each answer, whatever is written.
    pub(crate) fn same(&mut self, exchange: &Exchange, other: Timestamp) {
        let Some(at) = exchange.timing.response_last.filter(|_| self.limits.paths > 0) else {
            return;
        };
        let key = self.read_key(&exchange.request);
        let (read, _) = self.reads.entry(key, self.limits.paths);
        read.same = Some((at.min(other), at.max(other)));
    }

    /// Whether a skipped write explains that this read differs; call [`Writes::read`] first.
    pub(crate) fn explains(&self, exchange: &Exchange, outcome: &Outcome) -> bool {
        let request = &exchange.request;
        let Some(at) = exchange.timing.response_last.filter(|_| is_read(&request.method)) else {
            return false;
        };
        let touched = self.touched(request, at);
        let key = self.read_key(request);
        let read = self.reads.find(key).last().copied().unwrap_or_default();
        let changed = read
            .changed
            .is_some_and(|write| write <= at && at.since(write) <= self.limits.ttl);
        let missing = matches!(outcome, Outcome::Response(shadow) if matches!(shadow.status, 404 | 410));
        changed || (missing && touched.made.is_some())
    }

    /// The latest writes that may have changed the resource read at that time.
    fn touched(&self, request: &Request, read: Timestamp) -> Written {
        let live = |at: &Option<Timestamp>| at.filter(|at| *at <= read && read.since(*at) <= self.limits.ttl);
        let host = host(request);
        let segments = segments(path(&request.target));
        let mut touched = Written::default();
        let Some((whole, above)) = segments.split_last() else {
            return touched;
        };
        for written in self.written.find(self.key(host, whole)) {
            touched.itself = touched.itself.max(live(&written.itself));
            touched.below = touched.below.max(live(&written.below));
        }
        for above in above {
            for written in self.written.find(self.key(host, above)) {
                touched.itself = touched.itself.max(live(&written.itself));
                touched.made = touched.made.max(live(&written.made));
            }
        }
        touched
    }

    fn entry(&mut self, key: u64) -> &mut Written {
        let (written, gone) = self.written.entry(key, self.limits.paths);
        self.evicted = self.evicted.saturating_add(gone);
        written
    }

    /// Key of a read: the resource, the client and the requested form.
    fn read_key(&self, request: &Request) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (&request.method, &request.target).hash(&mut hasher);
        for name in [
            "host",
            "authorization",
            "cookie",
            "accept",
            "accept-encoding",
            "accept-language",
            "range",
            "if-none-match",
            "if-modified-since",
        ] {
            request.headers.get(name).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn key(&self, host: &[u8], path: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        host.to_ascii_lowercase().hash(&mut hasher);
        path.hash(&mut hasher);
        hasher.finish()
    }
}

impl Read {
    /// Whether both of these answers are within a time in which the answer stayed the same.
    fn is_same(&self, before: Timestamp, at: Timestamp) -> bool {
        self.same
            .is_some_and(|(from, to)| from <= before.min(at) && before.max(at) <= to)
    }
}

impl Written {
    /// The latest write that may have changed the resource; resources created below it do not count.
    fn latest(&self) -> Option<Timestamp> {
        self.itself.max(self.below)
    }
}

/// Whether a skipped write may have caused a difference. It may for data, and for a missing resource. It may not for
/// another type, for another status, or for header fields that say how to treat the content rather than which content
/// it is.
pub(crate) fn may_explain(found: &Discrepancy) -> bool {
    // With the codes OK and NOT_FOUND of gRPC.
    let of_a_resource = |status: &str| matches!(status, "200" | "304" | "404" | "410" | "0" | "5");
    match found.category {
        Category::Status => of_a_resource(&found.production) && of_a_resource(&found.shadow),
        // Whether there is a validator at all does not depend on the data.
        Category::Header
            if [&found.production, &found.shadow]
                .iter()
                .any(|side| *side == ABSENT) =>
        {
            false
        }
        Category::Header => ["etag", "last-modified", "content-length"]
            .iter()
            .any(|validator| found.place.to_ascii_lowercase().ends_with(validator)),
        Category::Decode | Category::Type | Category::ErrorType => false,
        _ => true,
    }
}

/// Methods whose answer may change after a write: those that retrieve (RFC 9110 section 9.3).
fn is_read(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD")
}

/// Safe methods (RFC 9110 section 9.2.1).
fn is_safe(method: &[u8]) -> bool {
    is_read(method) || matches!(method, b"OPTIONS" | b"TRACE")
}

fn host(request: &Request) -> &[u8] {
    request.headers.get("host").unwrap_or_default()
}

#[cfg(test)]
#[path = "writes_tests.rs"]
mod tests;
