//! The features of a request, by small ids.
//!
//! Only what is harmless is kept: names, and values of parameters and path segments that redaction leaves unchanged. A
//! value that was seen before costs one hash.
//! Bounds: features of each kind, values of each name, features of one exchange, remembered hashes.

use core::hash::{BuildHasher as _, Hash};

use hashbrown::{DefaultHashBuilder, HashMap};
use shadow_proto::{
    exchange::{Body, Headers, Version},
    request_target::form_decoded,
};

use super::{Asking, change::Feature, row::FeatureId};
use crate::evidence::report::FeatureKind;
use crate::{redact::Redactor, route_text};

/// Features of one exchange.
const OF_ONE: usize = 96;

/// Values of one name: a parameter of a query, or a segment after another.
const VALUES: u16 = 64;

/// Remembered hashes of names and values.
const REMEMBERED: usize = 1 << 14;

/// Bytes of a name or value that is kept.
const LONG: usize = 40;

/// Request fields whose values are harmless.
const WITH_VALUES: [&str; 4] = ["accept", "accept-encoding", "content-encoding", "content-type"];

/// Fields of a shadow system's answer that may name its build or instance.
const BUILD: [&str; 9] = [
    "server",
    "x-app-version",
    "x-backend",
    "x-build",
    "x-build-id",
    "x-commit",
    "x-revision",
    "x-served-by",
    "x-version",
];

/// Names that browsers give themselves, the most specific first.
const BROWSERS: [&str; 6] = ["Edg", "OPR", "Firefox", "Chrome", "Safari", "bot"];

/// Sizes of a body, each with the words for at least that much.
const SIZES: [(u64, &str); 6] = [
    (1, "1 byte"),
    (1 << 10, "1 KiB"),
    (16 << 10, "16 KiB"),
    (64 << 10, "64 KiB"),
    (256 << 10, "256 KiB"),
    (512 << 10, "512 KiB"),
];

/// Features for which some counts are missing; they are not shown.
#[derive(Debug, Default)]
pub(super) struct Lost(Vec<bool>);

impl Lost {
    pub(super) fn add(&mut self, feature: FeatureId) {
        let at = usize::from(feature);
        if self.0.len() <= at {
            self.0.resize(at.saturating_add(1), false);
        }
        if let Some(lost) = self.0.get_mut(at) {
            *lost = true;
        }
    }

    pub(super) fn has(&self, feature: usize) -> bool {
        self.0.get(feature).copied().unwrap_or_default()
    }
}

/// All known features.
#[derive(Debug, Default)]
pub(super) struct Features {
    hasher: DefaultHashBuilder,
    /// By hash; `None` if it is not kept.
    known: HashMap<u64, Option<FeatureId>>,
    /// By id.
    all: Vec<Feature>,
    /// The number of each kind.
    kinds: HashMap<FeatureKind, usize>,
    /// The number of values of each name.
    values: HashMap<u64, u16>,
    lost: Lost,
}

impl Features {
    /// By id.
    pub(super) fn all(&self) -> &[Feature] {
        &self.all
    }

    pub(super) fn lost(&mut self) -> &mut Lost {
        &mut self.lost
    }

    pub(super) fn is_lost(&self, feature: usize) -> bool {
        self.lost.has(feature)
    }

    /// The features of an exchange, in ascending order.
    pub(super) fn of(&mut self, asking: Asking<'_>) -> Vec<FeatureId> {
        let mut found = Vec::with_capacity(32);
        self.target(asking, &mut found);
        self.fields(asking, &mut found);
        self.answer(asking, &mut found);
        found.truncate(OF_ONE);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Parameters of the query, and segments of the path that the route leaves open.
    fn target(&mut self, asking: Asking<'_>, found: &mut Vec<FeatureId>) {
        let Some(target) = core::str::from_utf8(&asking.request.target).ok() else {
            return;
        };
        let redactor = asking.redactor;
        let query = target.split('#').next().and_then(|target| target.split_once('?'));
        for parameter in query.map_or("", |(_, query)| query).split('&').take(24) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name.is_empty() {
                continue;
            }
            let is_plain = |text: &str| redactor.target(&format!("/?{text}")) == format!("/?{text}");
            // Clients encode one name in several ways.
            let [key, whole] = [name, parameter].map(|text| form_decoded(text.as_bytes()));
            found.extend(self.feature(FeatureKind::Query, &key, || {
                is_plain(name).then(|| name.to_owned())
            }));
            if value.is_empty() || redactor.is_secret_parameter(name) {
                continue;
            }
            found.extend(self.value(FeatureKind::QueryValue, &key, &whole, || {
                is_plain(parameter).then(|| parameter.to_owned())
            }));
        }
        let path = route_text::path(&asking.request.target).unwrap_or_default();
        self.segments(asking.route, path, redactor, found);
    }

    /// The segments of a path that its route leaves open.
    pub(super) fn segments(
        &mut self,
        route: &str,
        path: &str,
        redactor: &Redactor,
        found: &mut Vec<FeatureId>,
    ) {
        let template = route.split_once(" /").map_or("", |(_, path)| path);
        let mut before = "";
        for (pattern, segment) in template.split('/').zip(path.split('/')).take(12) {
            let is_open = pattern.starts_with('{') && pattern != "{rest}" && !segment.starts_with('{');
            if is_open && !before.starts_with('{') {
                let text = (before, segment);
                found.extend(self.value(FeatureKind::Segment, before, text, || {
                    let text = format!("/{before}/{segment}");
                    (redactor.target(&text) == text).then_some(text)
                }));
            }
            before = pattern;
        }
    }

    /// Names of the request's fields, the harmless values, the client, and the size of the body.
    fn fields(&mut self, asking: Asking<'_>, found: &mut Vec<FeatureId>) {
        let redactor = asking.redactor;
        let mut lower = String::with_capacity(64);
        for (name, value) in asking.request.headers.iter().take(48) {
            let Some(name) = core::str::from_utf8(name).ok() else {
                continue;
            };
            lower.clear();
            lower.push_str(name);
            lower.make_ascii_lowercase();
            let name = lower.as_str();
            found.extend(self.feature(FeatureKind::Header, &name, || {
                (redactor.header(name.as_bytes(), b"").0 == name).then(|| name.to_owned())
            }));
            let Some(value) = core::str::from_utf8(value).ok() else {
                continue;
            };
            if name == "cookie" {
                self.cookies(value, redactor, found);
            }
            if name == "user-agent" {
                let family = family(value);
                found.extend(self.feature(FeatureKind::Agent, &family, || {
                    (redactor.text(family) == family).then(|| family.to_owned())
                }));
            }
            if WITH_VALUES.contains(&name) {
                for part in value.split(',').take(8) {
                    let part = part.split(';').next().unwrap_or_default().trim();
                    found.extend(self.feature(FeatureKind::HeaderValue, &(name, part), || {
                        (redactor.text(part) == part).then(|| format!("{name}: {part}"))
                    }));
                }
            }
        }
        if asking.request.version == Version::Http10 {
            found.extend(self.feature(FeatureKind::Version, &"1.0", || Some("HTTP/1.0".to_owned())));
        }
        self.sizes(FeatureKind::RequestSize, &asking.request.body, found);
    }

    /// The names of cookies: a session that production began is unknown to the shadow system.
    fn cookies(&mut self, value: &str, redactor: &Redactor, found: &mut Vec<FeatureId>) {
        for pair in value.split(';').take(16) {
            let name = pair.split('=').next().unwrap_or_default().trim();
            if name.is_empty() || name.len() == pair.trim().len() {
                continue;
            }
            found.extend(self.feature(FeatureKind::HeaderValue, &("cookie", name), || {
                (redactor.text(name) == name).then(|| format!("cookie: {name}"))
            }));
        }
    }

    /// Production's answer, and the build that the shadow system names.
    fn answer(&mut self, asking: Asking<'_>, found: &mut Vec<FeatureId>) {
        let redactor = asking.redactor;
        if let Some(response) = asking.response {
            self.sizes(FeatureKind::AnswerSize, &response.body, found);
            let status = response.status;
            found.extend(self.feature(FeatureKind::AnswerStatus, &status, || Some(status.to_string())));
            for (kind, name) in [
                (FeatureKind::AnswerType, "content-type"),
                (FeatureKind::AnswerCoding, "content-encoding"),
            ] {
                let value = said(&response.headers, name).and_then(|value| value.split(';').next());
                let Some(value) = value.map(str::trim) else {
                    continue;
                };
                found.extend(self.feature(kind, &value, || {
                    (redactor.text(value) == value).then(|| value.to_ascii_lowercase())
                }));
            }
        }
        for name in asking.shadow.map(|_| BUILD).into_iter().flatten() {
            let Some(value) = asking.shadow.and_then(|headers| said(headers, name)) else {
                continue;
            };
            // A redacted build still tells builds apart.
            found.extend(self.value(FeatureKind::Build, name, (name, value), || {
                let value = redactor.header(name.as_bytes(), value.as_bytes()).1;
                Some(format!("{name}: {value}"))
            }));
        }
    }

    fn sizes(&mut self, kind: FeatureKind, body: &Body, found: &mut Vec<FeatureId>) {
        let reached = SIZES.iter().filter(|(size, _)| body.len >= *size);
        for (size, words) in reached {
            found.extend(self.feature(kind, size, || Some((*words).to_owned())));
        }
    }

    /// A value of a name, unless the name has too many.
    fn value(
        &mut self,
        kind: FeatureKind,
        name: impl Hash,
        value: impl Hash,
        text: impl FnOnce() -> Option<String>,
    ) -> Option<FeatureId> {
        let id = self.hasher.hash_one((kind, &value));
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let name = self.hasher.hash_one((kind, name));
        if !self.values.contains_key(&name) && self.values.len() >= REMEMBERED {
            return None;
        }
        let values = self.values.entry(name).or_default();
        if *values >= VALUES {
            return None;
        }
        *values = values.saturating_add(1);
        self.feature(kind, &value, text)
    }

    /// The id of a feature; `text` is asked for when it is new, and gives nothing if it must not be kept.
    fn feature(
        &mut self,
        kind: FeatureKind,
        key: &impl Hash,
        text: impl FnOnce() -> Option<String>,
    ) -> Option<FeatureId> {
        let hash = self.hasher.hash_one((kind, key));
        if let Some(known) = self.known.get(&hash) {
            return *known;
        }
        if self.known.len() >= REMEMBERED {
            return None;
        }
        let count = self.kinds.entry(kind).or_default();
        let text = if *count < most(kind) { text() } else { None };
        let text = text.filter(|text| text.len() <= LONG.saturating_mul(2) && text.bytes().all(is_shown));
        let id = text.and_then(|text| {
            let id = FeatureId::try_from(self.all.len()).ok()?;
            *count = count.saturating_add(1);
            self.all.push(Feature { kind, name: text });
            Some(id)
        });
        self.known.insert(hash, id);
        id
    }
}

/// The number of features of one kind.
const fn most(kind: FeatureKind) -> usize {
    match kind {
        FeatureKind::QueryValue => 1024,
        FeatureKind::Segment => 512,
        FeatureKind::Query | FeatureKind::Header | FeatureKind::HeaderValue => 256,
        _ => 64,
    }
}

fn is_shown(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

fn said<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    core::str::from_utf8(headers.get(name)?).ok()
}

/// The family of a client: the product that it names first, or that of a browser.
fn family(agent: &str) -> &str {
    let first = agent.split(['/', ' ']).next().unwrap_or_default();
    if first != "Mozilla" {
        return first;
    }
    BROWSERS
        .into_iter()
        .find(|name| agent.contains(name))
        .unwrap_or(first)
}
