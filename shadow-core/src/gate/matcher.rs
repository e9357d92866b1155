//! Rule matching: the exchanges that a rule applies to.
//!
//! Owns: [`Match`], as configured by an operator, and its compiled form. Every given key must match; for a list, one
//! entry must. Bounds: the compiled size of each pattern. Bias: anything that servers may read in two ways is evaluated
//! in both. A rule that holds traffic back applies if any reading matches ([`Sure::Possibly`]); one that lets traffic
//! through applies if every reading does ([`Sure::Certainly`]).

use std::{borrow::Cow, collections::BTreeMap};

use globset::GlobBuilder;
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::methods;
use shadow_proto::{
    exchange::{Exchange, Request},
    request_target,
};

/// Maximum memory of one compiled list of patterns, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// Conditions of a rule. Every given key must match; no keys match everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Match {
    /// Methods, case-sensitive as in HTTP.
    pub method: Vec<String>,
    /// Globs for the path without query; `*` stays within a segment, `**` does not.
    pub path: Vec<String>,
    /// Regular expressions, matched anywhere in the path.
    pub path_regex: Vec<String>,
    /// Globs for the host without port.
    pub host: Vec<String>,
    /// Globs for the values of request fields; `*` only requires the field to be present.
    pub header: BTreeMap<String, String>,
    /// Globs for the values of query parameters.
    pub query: BTreeMap<String, String>,
    /// Globs for the request's media type, without parameters.
    pub content_type: Vec<String>,
    /// Minimum size of the request's content, in bytes.
    pub body_min: Option<u64>,
    /// Maximum size of the request's content, in bytes.
    pub body_max: Option<u64>,
    /// Status of production's answer: `404`, `5xx`, `200-299`.
    pub status: Vec<String>,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct RuleError {
    /// The key below the target's section, such as `select.exclude[0].path`.
    pub at: String,
    /// The problem, and the correct form.
    pub what: String,
}

impl RuleError {
    pub(crate) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            what: what.into(),
        }
    }

    /// The same error with a prefix for its place.
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.at = format!("{place}.{}", self.at);
        self
    }
}

/// Required certainty that a rule applies to an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sure {
    /// One reading is sufficient.
    Possibly,
    /// Every reading must match.
    Certainly,
}

impl Sure {
    /// Combines the readings of one value. No readings are no match.
    fn over(self, mut readings: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::Possibly => readings.any(|fits| fits),
            Self::Certainly => readings.next().unwrap_or(false) && readings.all(|fits| fits),
        }
    }
}

/// Name and value, decoded.
type Parameter<'e> = (Cow<'e, [u8]>, Cow<'e, [u8]>);

/// Parts of an exchange that rules evaluate, extracted once for all rules.
pub(super) struct Facts<'e> {
    exchange: &'e Exchange,
    path: Cow<'e, [u8]>,
    query: Vec<Parameter<'e>>,
    /// The path as sent, without query.
    raw: &'e [u8],
    host: Vec<u8>,
}

impl<'e> Facts<'e> {
    pub(super) fn new(exchange: &'e Exchange) -> Self {
        let request = &exchange.request;
        let (raw, query) = request_target::split(path_and_query(request));
        let query = request_target::pairs(query.unwrap_or_default())
            .map(|(name, value)| {
                (
                    request_target::form_decoded(name),
                    request_target::form_decoded(value),
                )
            })
            .collect();
        Self {
            exchange,
            path: request_target::normalised(raw),
            query,
            raw,
            host: host(request),
        }
    }

    pub(super) fn request(&self) -> &'e Request {
        &self.exchange.request
    }

    /// The path as servers route it.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The path as sent, and as servers route it.
    pub(super) fn paths(&self) -> (&[u8], &[u8]) {
        (self.raw, &self.path)
    }

    /// Values of a query parameter, decoded.
    pub(super) fn parameters(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.query
            .iter()
            .filter(move |(found, _)| found.as_ref() == name)
            .map(|(_, value)| value.as_ref())
    }
}

/// The target without scheme and authority.
fn path_and_query(request: &Request) -> &[u8] {
    let target = &request.target;
    if target.first() == Some(&b'/') {
        return target;
    }
    let (origin, _) = request_target::origin_form(&request.method, target);
    // A suffix of the target, unless a slash had to be added.
    let start = target.len().saturating_sub(origin.len());
    match target.get(start..) {
        Some(same) if same == origin => same,
        _ => b"/",
    }
}

/// The host in lower case, without port.
fn host(request: &Request) -> Vec<u8> {
    let (_, authority) = if request.target.first() == Some(&b'/') {
        (request.target.clone(), None)
    } else {
        request_target::origin_form(&request.method, &request.target)
    };
    let named = authority
        .as_deref()
        .or_else(|| request.headers.get("host"))
        .unwrap_or_default()
        .trim_ascii();
    without_port(named).to_ascii_lowercase()
}

/// The host of an authority, without port.
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    let port = memchr::memrchr(b':', authority).filter(|colon| {
        authority
            .get(colon.saturating_add(1)..)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
    });
    let host = authority
        .get(..port.unwrap_or(authority.len()))
        .unwrap_or(authority);
    host.strip_suffix(b".").unwrap_or(host)
}

/// A compiled [`Match`].
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    method: Vec<String>,
    path: Option<RegexSet>,
    path_regex: Option<RegexSet>,
    host: Option<RegexSet>,
    header: Vec<(String, RegexSet)>,
    query: Vec<(String, RegexSet)>,
    content_type: Option<RegexSet>,
    body: (u64, u64),
    status: Vec<(u16, u16)>,
}

impl Matcher {
    pub(super) fn new(rule: &Match) -> Result<Self, RuleError> {
        let Match {
            method,
            path,
            path_regex,
            host,
            header,
            query,
            content_type,
            body_min,
            body_max,
            status,
        } = rule;
        if let Some(bad) = method
            .iter()
            .find(|name| ::http::Method::from_bytes(name.as_bytes()).is_err())
        {
            return Err(RuleError::new("method", format!("{bad:?} is no method")));
        }
        let body = (body_min.unwrap_or(0), body_max.unwrap_or(u64::MAX));
        if body.0 > body.1 {
            return Err(RuleError::new(
                "body_min",
                "is more than body_max, so the rule is about nothing",
            ));
        }
        Ok(Self {
            method: method.clone(),
            path: globs("path", path, true)?,
            path_regex: regexes("path_regex", path_regex)?,
            host: globs("host", &lower(host), false)?,
            header: named("header", header)?,
            query: named("query", query)?,
            content_type: globs("content_type", &lower(content_type), false)?,
            body,
            status: status
                .iter()
                .map(|text| statuses(text))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn holds(&self, facts: &Facts<'_>, sure: Sure) -> bool {
        let Self {
            method,
            path,
            path_regex,
            host,
            header,
            query,
            content_type,
            body,
            status,
        } = self;
        let request = facts.request();
        let paths = |set: &RegexSet| {
            sure.over(
                [facts.raw, facts.path()]
                    .map(|path| set.is_match(path))
                    .into_iter(),
            )
        };
        (method.is_empty() || fits_method(method, request, sure))
            && path.as_ref().is_none_or(paths)
            && path_regex.as_ref().is_none_or(paths)
            && host.as_ref().is_none_or(|set| set.is_match(&facts.host))
            && header
                .iter()
                .all(|(name, set)| sure.over(request.headers.get_all(name).map(|value| set.is_match(value))))
            && query.iter().all(|(name, set)| {
                sure.over(facts.parameters(name.as_bytes()).map(|value| set.is_match(value)))
            })
            && content_type
                .as_ref()
                .is_none_or(|set| set.is_match(&media_type(request)))
            && (body.0..=body.1).contains(&request.body.len)
            && fits_status(status, facts.exchange)
    }
}

/// A request may act as a method other than its own.
fn fits_method(listed: &[String], request: &Request, sure: Sure) -> bool {
    let fits = |method: &[u8]| listed.iter().any(|listed| listed.as_bytes() == method);
    match sure {
        Sure::Possibly => fits(&request.method) || !methods::overrides(request, |method| !fits(method)),
        Sure::Certainly => fits(&request.method) && methods::overrides(request, fits),
    }
}

fn fits_status(listed: &[(u16, u16)], exchange: &Exchange) -> bool {
    listed.is_empty()
        || exchange.response.as_ref().is_some_and(|response| {
            listed
                .iter()
                .any(|(least, most)| (*least..=*most).contains(&response.status))
        })
}

/// The media type in lower case, without parameters.
pub(super) fn media_type(request: &Request) -> Vec<u8> {
    let value = request.headers.get("content-type").unwrap_or_default();
    let media = value.split(|byte| *byte == b';').next().unwrap_or_default();
    media.trim_ascii().to_ascii_lowercase()
}

fn lower(list: &[String]) -> Vec<String> {
    list.iter().map(|text| text.to_lowercase()).collect()
}

fn named(key: &str, list: &BTreeMap<String, String>) -> Result<Vec<(String, RegexSet)>, RuleError> {
    list.iter()
        .map(|(name, glob)| {
            let at = format!("{key}.{name}");
            let set = globs(&at, core::slice::from_ref(glob), false)?;
            set.map(|set| (name.clone(), set))
                .ok_or_else(|| RuleError::new(at, "has no pattern"))
        })
        .collect()
}

pub(super) fn globs(key: &str, list: &[String], separated: bool) -> Result<Option<RegexSet>, RuleError> {
    let translated: Result<Vec<String>, RuleError> = list
        .iter()
        .map(|text| {
            GlobBuilder::new(text)
                .literal_separator(separated)
                .backslash_escape(true)
                .build()
                .map(|glob| glob.regex().to_owned())
                .map_err(|error| RuleError::new(key, format!("{text:?} is no glob: {}", error.kind())))
        })
        .collect();
    regexes(key, &translated?)
}

fn regexes(key: &str, list: &[String]) -> Result<Option<RegexSet>, RuleError> {
    if list.is_empty() {
        return Ok(None);
    }
    RegexSetBuilder::new(list)
        .unicode(false)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .map(Some)
        .map_err(|error| {
            // The first lines of the error show the pattern with carets; the last line is the message.
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim();
            RuleError::new(key, format!("is no usable pattern: {why}"))
        })
}

fn statuses(text: &str) -> Result<(u16, u16), RuleError> {
    let wrong = || {
        RuleError::new(
            "status",
            format!("{text:?} is no status; write for example 404, 5xx or 200-299"),
        )
    };
    let one = |text: &str| text.parse().ok().filter(|code| (100..=999).contains(code));
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class
            .parse()
            .map_err(|_unread: core::num::ParseIntError| wrong())?;
        let least = class.saturating_mul(100);
        return if (1..=9).contains(&class) {
            Ok((least, least.saturating_add(99)))
        } else {
            Err(wrong())
        };
    }
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    match (one(least.trim()), one(most.trim())) {
        (Some(least), Some(most)) if least <= most => Ok((least, most)),
        _ => Err(wrong()),
    }
}
