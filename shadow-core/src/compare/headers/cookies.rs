//! Cookies by name, and each by value and attribute (RFC 6265 section 5.2).
//!
//! Two values that both look random are what each system made for itself and are not compared. `Expires` and `Max-Age`
//! are one attribute, the time for which a cookie is kept.

use std::collections::BTreeMap;

use shadow_proto::exchange::{Headers, Request};

use crate::compare::{
    ABSENT, Category,
    findings::{Findings, shorten},
    inside::url::Url,
    instant, media,
};

use super::meaning::{MOMENT, Parts, clock};

/// The attribute that is the cookie's value.
const VALUE: &str = "value";

/// The attribute for the time for which it is kept.
const LIFETIME: &str = "max-age";

/// Shortest value that can look random.
const RANDOM: usize = 8;

/// Length from which any word is taken for random.
const LONG: usize = 24;

/// A cookie that is kept until a second before this one (the year 2000) is deleted, whatever the clock of the answer.
const LONG_AGO: i64 = 946_684_800;

/// One cookie of an answer.
#[derive(Debug, Default)]
struct Cookie {
    attributes: Parts,
    lifetime: Option<Lifetime>,
}

/// The time for which a cookie is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Lifetime {
    /// In seconds from the answer, where that is known; 0 for one that is deleted.
    seconds: Option<i64>,
    /// Its end.
    until: Option<i64>,
}

/// Compares the cookies of two answers.
pub(super) fn compare(request: &Request, production: &Headers, shadow: &Headers, findings: &mut Findings) {
    let (production, shadow) = (read(request, production), read(request, shadow));
    let mut names: Vec<&String> = production.keys().chain(shadow.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let place = format!("header set-cookie {}", media::shown_name(name.as_bytes()));
        match (production.get(name), shadow.get(name)) {
            (Some(a), Some(b)) => attributes(&place, a, b, findings),
            (a, b) => {
                let shown = |cookie: Option<&Cookie>| {
                    let value = cookie.map(|cookie| cookie.attributes.get(VALUE).map_or("", String::as_str));
                    value.map_or_else(|| ABSENT.to_owned(), |value| shorten(value.as_bytes()))
                };
                findings.push(Category::Header, place, shown(a), shown(b));
            }
        }
    }
}

fn attributes(place: &str, production: &Cookie, shadow: &Cookie, findings: &mut Findings) {
    let (a, b) = (&production.attributes, &shadow.attributes);
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (a, b) = (a.get(name), b.get(name));
        let is_value = name == VALUE;
        let are_random = || a.zip(b).is_some_and(|(a, b)| is_random(a) && is_random(b));
        if a == b || is_value && are_random() {
            continue;
        }
        let shown =
            |side: Option<&String>| side.map_or_else(|| ABSENT.to_owned(), |side| shorten(side.as_bytes()));
        let place = if is_value {
            place.to_owned()
        } else {
            format!("{place} {name}")
        };
        findings.push(Category::Header, place, shown(a), shown(b));
    }
    let (a, b) = (production.lifetime, shadow.lifetime);
    let same = match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.is_same(b),
        _ => false,
    };
    if !same {
        let shown = |lifetime: Option<Lifetime>| match lifetime {
            None => ABSENT.to_owned(),
            Some(Lifetime {
                seconds: Some(seconds),
                ..
            }) => seconds.to_string(),
            Some(_) => "a date".to_owned(),
        };
        findings.push(
            Category::Header,
            format!("{place} {LIFETIME}"),
            shown(a),
            shown(b),
        );
    }
}

/// The cookies of an answer by name. Later ones of a name replace earlier ones, unless they are for another path or
/// domain.
fn read(request: &Request, headers: &Headers) -> BTreeMap<String, Cookie> {
    let clock = clock(headers);
    let mut cookies: BTreeMap<String, Cookie> = BTreeMap::new();
    for value in headers.get_all("set-cookie") {
        let value = String::from_utf8_lossy(value).into_owned();
        let (name, cookie) = cookie(request, &value, clock);
        let is_other = |known: &Cookie| {
            ["path", "domain"]
                .iter()
                .any(|at| known.attributes.get(*at) != cookie.attributes.get(*at))
        };
        let name = match cookies.get(&name) {
            Some(known) if is_other(known) => {
                let of = |at: &str| cookie.attributes.get(at).map_or("", String::as_str);
                format!("{name} {}{}", of("domain"), of("path"))
            }
            _ => name,
        };
        cookies.insert(name, cookie);
    }
    cookies
}

fn cookie(request: &Request, value: &str, clock: Option<i64>) -> (String, Cookie) {
    let mut parts = value.split(';').map(str::trim);
    let pair = |part: &str| match part.split_once('=') {
        Some((left, right)) => (left.trim().to_owned(), right.trim().to_owned()),
        None => (part.to_owned(), String::new()),
    };
    let (name, content) = pair(parts.next().unwrap_or_default());
    let mut cookie = Cookie::default();
    let (mut most, mut until) = (None, None);
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = pair(part);
        let name = name.to_ascii_lowercase();
        let value = match name.as_str() {
            "max-age" => {
                most = value.parse::<i64>().ok().map(|seconds| seconds.max(0)).or(most);
                continue;
            }
            "expires" => {
                until = instant::any_date(&value).or(until);
                continue;
            }
            // One that does not begin with a slash is the default (section 5.2.4).
            "path" if !value.starts_with('/') => continue,
            "domain" => value.trim_start_matches('.').to_ascii_lowercase(),
            "samesite" | "priority" => value.to_ascii_lowercase(),
            "secure" | "httponly" | "partitioned" => String::new(),
            _ => value,
        };
        cookie.attributes.insert(name, value);
    }
    cookie
        .attributes
        .entry("path".to_owned())
        .or_insert_with(|| default_path(request));
    cookie.attributes.insert(VALUE.to_owned(), content);
    cookie.lifetime = match (most, until) {
        (Some(seconds), _) => Some(Lifetime {
            seconds: Some(seconds),
            until: None,
        }),
        (None, Some(until)) => Some(Lifetime {
            seconds: match clock {
                Some(clock) => Some(until.saturating_sub(clock).max(0)),
                None => (until < LONG_AGO).then_some(0),
            },
            until: Some(until),
        }),
        (None, None) => None,
    };
    (name, cookie)
}

/// The folder of the request (RFC 6265 section 5.1.4).
fn default_path(request: &Request) -> String {
    let target = String::from_utf8_lossy(&request.target).into_owned();
    match Url::new(&target).path.rsplit_once('/') {
        Some((folder, _)) if folder.starts_with('/') => folder.to_owned(),
        _ => "/".to_owned(),
    }
}

impl Lifetime {
    fn is_same(self, other: Self) -> bool {
        if self.until.is_some() && self.until == other.until {
            return true;
        }
        match (self.seconds, other.seconds) {
            (Some(0), Some(0)) => true,
            // Deleted on one side only.
            (Some(0), Some(_)) | (Some(_), Some(0)) => false,
            (Some(a), Some(b)) => a.abs_diff(b) <= MOMENT,
            (Some(seconds), None) | (None, Some(seconds)) => seconds > 0,
            (None, None) => true,
        }
    }
}

/// Whether a value looks as if it were made at random: an identifier, a token, a signature.
fn is_random(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    value.len() >= LONG || value.len() >= RANDOM && (has(u8::is_ascii_digit) || mixed)
}
