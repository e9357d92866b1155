//! Converts one entry of an archive to an exchange.

use core::time::Duration;

use serde_json::Value;
use shadow_common::flow::Endpoint;
use shadow_proto::{
    exchange::{Body, Exchange, Flow, Headers, Incomplete, Place, Request, Response, Timing, Version},
    time::Timestamp,
};

use super::{
    attached::Folder,
    content::{self, Answer},
    fields::has,
    lenient::{number, pairs, set, size, text},
    url::{self, Url},
};
use crate::offline::when;

/// The result of converting an entry.
pub(super) enum Made {
    /// An exchange, complete or not, and whether its time was recorded.
    Exchange(Box<Exchange>, bool),
    /// No request to a server: the reason as a name, and in words.
    Aside(&'static str, &'static str),
}

/// Settings that are the same for all entries.
pub(super) struct Archive {
    pub(super) folder: Folder,
    /// Bytes of each body that are kept.
    pub(super) limit: usize,
}

impl Archive {
    /// Converts an entry. `before` is the time of the previous entry.
    pub(super) fn exchange(&self, number: u64, entry: &Value, before: Timestamp) -> Made {
        if from_cache(entry) {
            return Made::Aside(
                "from_cache",
                "entries were answered by a cache, and asked no server",
            );
        }
        let started = match &entry["startedDateTime"] {
            Value::Number(number) => number.as_f64().and_then(when::since_1970),
            other => text(other).and_then(|text| when::read(&text)),
        };
        let (asked, answered) = (&entry["request"], &entry["response"]);
        let fields = request_fields(asked);
        let is_conditional = has(&fields, "if-none-match") || has(&fields, "if-modified-since");
        let url = text(&asked["url"]).unwrap_or_default();
        let (authority, target) = match url::read(&url, &asked["queryString"]) {
            Url::Http { authority, target } => (authority, target),
            Url::Foreign => {
                return Made::Aside(
                    "not_http",
                    "entries are of data:, blob: and other URLs that ask no server",
                );
            }
            Url::None => return Made::Exchange(Box::new(broken(number, before)), started.is_some()),
        };
        let Some(method) = method(&asked["method"]) else {
            return Made::Exchange(Box::new(broken(number, before)), started.is_some());
        };
        let (body, unsaved) = match content::posted(asked, &method, &fields, &self.folder) {
            Ok(body) => (body, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        let Answer { response, incomplete } = self.answered(answered, &method, is_conditional);
        let at = started.unwrap_or(before);
        let timing = timing(entry, at, response.is_some());
        let exchange = Exchange {
            request: Request {
                version: version(&asked["httpVersion"]),
                headers: sent_fields(fields, &authority, body.len()),
                method: method.into(),
                target: target.into(),
                body: self.kept(body),
                trailers: Headers::default(),
            },
            response,
            timing,
            incomplete: unsaved.or(incomplete),
            ..broken(number, before)
        };
        Made::Exchange(Box::new(exchange), started.is_some())
    }

    fn answered(&self, answered: &Value, method: &str, is_conditional: bool) -> Answer {
        let status = match &answered["status"] {
            // `200 OK` is unambiguous.
            Value::String(text) => text.split_whitespace().next().and_then(|word| word.parse().ok()),
            other => size(other).and_then(|status| u16::try_from(status).ok()),
        };
        // Browsers write 0 for failed requests.
        let Some(status) = status.filter(|status| (100..=999).contains(status)) else {
            return Answer {
                response: None,
                incomplete: Some(Incomplete::NoResponse),
            };
        };
        let fields = split(pairs(&answered["headers"]));
        let not_modified = is_conditional && status == 200 && is_not_modified(answered, &fields);
        let status = if not_modified { 304 } else { status };
        let content::Saved {
            bytes,
            missing,
            altered,
            coded,
        } = content::saved(answered, status, method, &fields, &self.folder);
        let mut body = self.kept(bytes);
        body.len += missing;
        body.missing = missing;
        // Fields that do not apply to the content of the archive, unless it is as it was sent.
        let untrue = |name: &str| {
            name.eq_ignore_ascii_case("transfer-encoding")
                || name.eq_ignore_ascii_case("content-length")
                || (name.eq_ignore_ascii_case("content-encoding") && !coded)
        };
        let mut fields: Vec<_> = fields.into_iter().filter(|(name, _)| !untrue(name)).collect();
        if fields.is_empty()
            && let Some(kind) = text(&answered["content"]["mimeType"]).filter(|kind| kind.contains('/'))
        {
            // The fields were not saved; this one is known.
            fields.push(("Content-Type".to_owned(), kind));
        }
        let location = text(&answered["redirectURL"]).unwrap_or_default();
        let moved = matches!(status, 301 | 302 | 303 | 307 | 308);
        if moved && !location.is_empty() && !has(&fields, "location") {
            fields.push(("Location".to_owned(), location));
        }
        let gap = (missing > 0).then_some(Incomplete::ResponseGap);
        Answer {
            response: Some(Response {
                status,
                version: Version::Http11,
                reason: if not_modified {
                    None
                } else {
                    text(&answered["statusText"])
                }
                .unwrap_or_default()
                .into(),
                headers: Headers::from_pairs(fields),
                body,
                trailers: Headers::default(),
            }),
            incomplete: if altered {
                Some(Incomplete::BodyAltered)
            } else {
                gap
            },
        }
    }

    fn kept(&self, content: Vec<u8>) -> Body {
        let limit = self.limit;
        if content.len() <= limit {
            return Body::whole(content);
        }
        Body {
            len: content.len() as u64,
            digest: Some(*blake3::hash(&content).as_bytes()),
            kept: content.get(..limit).unwrap_or_default().to_vec().into(),
            missing: 0,
        }
    }
}

/// A replacement for an entry that cannot be read: it was an exchange, and it has no verdict.
pub(in crate::offline) fn broken(number: u64, before: Timestamp) -> Exchange {
    let [.., a, b, c] = number.to_be_bytes();
    Exchange {
        flow: Flow {
            client: Endpoint::v4([127, a, b, c], 1024),
            server: Endpoint::v4([0, 0, 0, 0], 80),
        },
        index: number,
        place: Place::default(),
        request: Request {
            method: "-".into(),
            target: "/".into(),
            version: Version::Http11,
            headers: Headers::default(),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: None,
        timing: Timing {
            request_first: Some(before),
            request_last: Some(before),
            ..Timing::default()
        },
        incomplete: Some(Incomplete::BadRecord),
    }
}

/// Whether the answer came from the browser instead of a server: its cache, a service worker, or a script.
fn from_cache(entry: &Value) -> bool {
    let marks = [
        "_fromCache",
        "_servedFromCache",
        "_cached",
        "_wasFulfilled",
        "_fromMemoryCache",
        "_fromDiskCache",
    ];
    let worker = [
        "_fromCache",
        "_fetchedViaServiceWorker",
        "_fromServiceWorker",
        "_servedFromCache",
    ];
    // Playwright says it only so: HAR 1.2 has no size below -1.
    let negative = entry["response"]["bodySize"]
        .as_i64()
        .is_some_and(|size| size < -1);
    // Chrome answers such a request itself, with a redirect to https.
    let internal = has(&pairs(&entry["response"]["headers"]), "non-authoritative-reason");
    negative
        || internal
        || marks.iter().any(|mark| set(&entry[*mark]))
        || worker.iter().any(|mark| set(&entry["response"][*mark]))
}

/// Whether a browser's cache made a 200 of a 304: Playwright writes the content of the cache and the fields of the
/// answer, with which no content was sent.
fn is_not_modified(answered: &Value, fields: &[(String, String)]) -> bool {
    let of_content = ["content-type", "content-length", "transfer-encoding"];
    answered["bodySize"].as_i64() == Some(0)
        && size(&answered["content"]["size"]).is_some_and(|size| size > 0)
        && !of_content.iter().any(|name| has(fields, name))
}

/// Methods are case-sensitive, but a known method that a recorder writes in lower case is accepted.
fn method(value: &Value) -> Option<String> {
    let method = text(value)?;
    let method = method.trim();
    let upper = method.to_ascii_uppercase();
    let known = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
    ];
    if known.contains(&&*upper) {
        return Some(upper);
    }
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!method.is_empty() && method.bytes().all(token)).then(|| method.to_owned())
}

fn version(value: &Value) -> Version {
    match text(value) {
        Some(version) if version.trim().eq_ignore_ascii_case("http/1.0") => Version::Http10,
        _ => Version::Http11,
    }
}

/// Splits fields of the same name that a recorder joined with line feeds. HTTP/2 pseudo-header fields are left out.
fn split(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    fields
        .into_iter()
        .filter(|(name, _)| !name.starts_with(':') && !name.is_empty())
        .flat_map(|(name, value)| {
            value
                .split('\n')
                .map(|line| (name.clone(), line.trim_matches(['\r', ' ', '\t']).to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The fields of a request. Cookies are one field in HTTP/1, and may be many in HTTP/2 (RFC 9113 section 8.2.3).
fn request_fields(asked: &Value) -> Vec<(String, String)> {
    let authority = pairs(&asked["headers"])
        .into_iter()
        .find(|(name, _)| name == ":authority")
        .map(|(_, value)| ("Host".to_owned(), value));
    let mut fields = split(pairs(&asked["headers"]));
    if let Some(host) = authority
        && !has(&fields, "host")
    {
        fields.insert(0, host);
    }
    let is_cookie = |name: &str| name.eq_ignore_ascii_case("cookie");
    let parts: Vec<String> = fields
        .iter()
        .filter(|(name, value)| is_cookie(name) && !value.is_empty())
        .map(|(_, value)| value.clone())
        .collect();
    if parts.is_empty() {
        let listed: Vec<String> = pairs(&asked["cookies"])
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !listed.is_empty() {
            fields.retain(|(name, _)| !is_cookie(name));
            fields.push(("Cookie".to_owned(), listed.join("; ")));
        }
    } else if let Some(first) = fields.iter().position(|(name, _)| is_cookie(name)) {
        if let Some((_, value)) = fields.get_mut(first) {
            *value = parts.join("; ");
        }
        let mut place = 0;
        fields.retain(|(name, _)| {
            place += 1;
            !is_cookie(name) || place == first + 1
        });
    }
    fields
}

/// The fields with a host, and with the framing of the content that is sent.
fn sent_fields(fields: Vec<(String, String)>, authority: &str, length: usize) -> Headers {
    let mut sent = Vec::with_capacity(fields.len() + 2);
    if !has(&fields, "host") {
        sent.push(("Host".to_owned(), authority.to_owned()));
    }
    let announced = has(&fields, "content-length");
    let framing = |name: &str| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    };
    sent.extend(fields.into_iter().filter(|(name, _)| !framing(name)));
    if length > 0 || announced {
        sent.push(("Content-Length".to_owned(), length.to_string()));
    }
    Headers::from_pairs(sent)
}

fn timing(entry: &Value, started: Timestamp, answered: bool) -> Timing {
    let millis = |value: f64| Duration::try_from_secs_f64(value / 1e3).unwrap_or_default();
    let timings = &entry["timings"];
    let part = |name: &str| number(&timings[name]).unwrap_or_default();
    let parts = || {
        ["blocked", "dns", "connect", "send", "wait", "receive"]
            .map(part)
            .iter()
            .sum()
    };
    let lasted = number(&entry["time"])
        .filter(|time| *time > 0.0)
        .unwrap_or_else(parts);
    let end = started + millis(lasted);
    let receive = u64::try_from(millis(part("receive")).as_nanos()).unwrap_or(u64::MAX);
    let first = Timestamp::from_nanos(end.as_nanos().saturating_sub(receive)).max(started);
    Timing {
        request_first: Some(started),
        request_last: Some(started),
        response_first: answered.then_some(first),
        response_last: answered.then_some(end),
    }
}
