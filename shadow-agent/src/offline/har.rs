//! HTTP Archives (HAR 1.2), as browsers and proxies save them.
//!
//! An archive holds content after its codings were removed, so `content-encoding`, `transfer-encoding` and `content-length` of a
//! response are left out of what is compared with: they would not be true of what is there. Pseudo-header fields of HTTP/2
//! (`:authority`) become `Host` or go. A response whose content was not saved is incomplete (`response_gap`); status 0, which
//! browsers write for requests that failed, is no response. What is missing or `null` is unknown: an entry without a time has that of
//! the one before it. What browsers save besides HTTP (`data:`, `blob:`) is `malformed`.

mod form;

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use shadow_common::flow::Endpoint;
use shadow_proto::{
    exchange::{Body, Exchange, Flow, Headers, Incomplete, Request, Response, Timing, Version},
    time::Timestamp,
};

use super::Reader;
use crate::{capture::SourceError, pipeline::CaptureCounters};
use form::{Answered, Archive, Asked, Content, Entry, Field, Parameter, Posted};

/// One archive.
pub(super) struct Har {
    entries: std::vec::IntoIter<Exchange>,
    latest: Timestamp,
    given: u64,
}

impl std::fmt::Debug for Har {
    /// Not what is in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Har({} entries left)", self.entries.len())
    }
}

impl Har {
    /// Reads an archive. `body` bytes of each body are kept.
    pub(super) fn new(text: &str, body: usize) -> Result<Self, String> {
        let Archive { log } = serde_json::from_str(text).map_err(|error| format!("no HAR 1.2: {error}"))?;
        let mut entries = Vec::with_capacity(log.entries.len());
        let mut before = Timestamp::default();
        for (number, entry) in (0..).zip(log.entries) {
            let exchange =
                exchange(number, entry, before, body).map_err(|what| format!("entry {number}: {what}"))?;
            before = exchange.timing.request_first.unwrap_or_default();
            entries.push(exchange);
        }
        entries.sort_by_key(|exchange| exchange.timing.request_first);
        Ok(Self {
            entries: entries.into_iter(),
            latest: Timestamp::default(),
            given: 0,
        })
    }
}

impl Reader for Har {
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError> {
        let Some(exchange) = self.entries.next() else {
            return Ok(None);
        };
        self.latest = exchange.timing.request_first.unwrap_or_default();
        self.given += 1;
        sink(Box::new(exchange));
        Ok(Some(self.latest))
    }

    fn count(&self, into: &mut CaptureCounters) {
        into.exchanges += self.given;
    }
}

fn exchange(number: u64, entry: Entry, before: Timestamp, limit: usize) -> Result<Exchange, String> {
    let Entry {
        started_date_time,
        time,
        request,
        response,
        timings,
    } = entry;
    let started = match &*started_date_time {
        "" => before,
        time => time_of(time)?,
    };
    let millis = |value: f64| Duration::try_from_secs_f64(value.max(0.0) / 1e3).unwrap_or_default();
    let end = started + millis(time);
    let first = Timestamp::from_nanos(
        end.as_nanos()
            .saturating_sub(duration_nanos(millis(timings.receive.unwrap_or(0.0)))),
    );
    let is_http = is_http(&request.url);
    let request = asked(request, limit)?;
    let (response, incomplete) = answered(response, &request.method, limit)?;
    let incomplete = if is_http {
        incomplete
    } else {
        Some(Incomplete::Malformed)
    };
    let [.., a, b] = number.to_be_bytes();
    Ok(Exchange {
        flow: Flow {
            client: Endpoint::v4([127, 0, a, b], 1024),
            server: Endpoint::v4([0, 0, 0, 0], 80),
        },
        index: number,
        request,
        timing: Timing {
            request_first: Some(started),
            request_last: Some(started),
            response_first: response.as_ref().map(|_| first.max(started)),
            response_last: response.as_ref().map(|_| end),
        },
        response,
        incomplete,
    })
}

/// Whether a server was asked at all.
fn is_http(url: &str) -> bool {
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| matches!(&*scheme, "http" | "https" | "ws" | "wss"))
}

fn asked(asked: Asked, limit: usize) -> Result<Request, String> {
    let Asked {
        method,
        url,
        headers,
        post_data,
    } = asked;
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(start);
    let target = target.split('#').next().unwrap_or_default();
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let body = match post_data {
        None => Vec::new(),
        Some(posted) => content(posted)?,
    };
    let mut fields: Vec<(String, String)> = Vec::with_capacity(headers.len() + 1);
    let is_host = |field: &Field| field.name.eq_ignore_ascii_case("host");
    if !headers.iter().any(is_host) {
        fields.push(("Host".to_owned(), authority.to_owned()));
    }
    for Field { name, value } in headers {
        let framing = ["content-length", "transfer-encoding"];
        let framed = framing.iter().any(|framing| name.eq_ignore_ascii_case(framing));
        if !name.starts_with(':') && !framed {
            fields.push((name, value));
        }
    }
    if !body.is_empty() {
        fields.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    Ok(Request {
        method: method.into(),
        target: target.into(),
        version: Version::Http11,
        headers: Headers::from_pairs(fields),
        body: kept(body, limit),
        trailers: Headers::default(),
    })
}

fn content(posted: Posted) -> Result<Vec<u8>, String> {
    let Posted {
        text,
        params,
        encoding,
    } = posted;
    if let Some(text) = text {
        return decoded(text, encoding.as_deref());
    }
    // Sent as a form; what was sent exactly was not saved.
    let pairs: Vec<String> = params
        .iter()
        .map(|Parameter { name, value }| {
            format!(
                "{}={}",
                quoted(name),
                quoted(value.as_deref().unwrap_or_default())
            )
        })
        .collect();
    Ok(pairs.join("&").into_bytes())
}

/// As in a form (WHATWG URL, application/x-www-form-urlencoded). What is percent-encoded already stays.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'%' | b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                out.push(char::from(byte));
            }
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
                out.extend(['%', digit(byte >> 4), digit(byte)]);
            }
        }
    }
    out
}

fn answered(
    answered: Answered,
    method: &[u8],
    limit: usize,
) -> Result<(Option<Response>, Option<Incomplete>), String> {
    let unsaved = unsaved(&answered, method);
    let Answered {
        status,
        status_text,
        headers,
        content,
        body_size: _,
    } = answered;
    let Some(status) = u16::try_from(status).ok().filter(|status| *status > 0) else {
        return Ok((None, Some(Incomplete::NoResponse)));
    };
    let Content { text, encoding, .. } = content;
    let missing = if text.is_none() { unsaved } else { 0 };
    let mut body = kept(decoded(text.unwrap_or_default(), encoding.as_deref())?, limit);
    body.len += missing;
    body.missing = missing;
    let untrue = ["content-encoding", "transfer-encoding", "content-length"];
    let fields = headers.into_iter().filter_map(|Field { name, value }| {
        let untrue = untrue.iter().any(|untrue| name.eq_ignore_ascii_case(untrue));
        (!name.starts_with(':') && !untrue).then_some((name, value))
    });
    let response = Response {
        status,
        version: Version::Http11,
        reason: status_text.into(),
        headers: Headers::from_pairs(fields),
        body,
        trailers: Headers::default(),
    };
    Ok((Some(response), (missing > 0).then_some(Incomplete::ResponseGap)))
}

/// How much content there was of which no text was saved, at least.
fn unsaved(answered: &Answered, method: &[u8]) -> u64 {
    if method == b"HEAD" || matches!(answered.status, 100..=199 | 204 | 304) {
        return 0;
    }
    let header = |name: &str| {
        let field = answered
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value.trim())
    };
    let announced = header("content-length").map(|length| length.parse().unwrap_or(1));
    let sizes = [answered.content.size, answered.body_size]
        .map(|size| size.and_then(|size| u64::try_from(size).ok()));
    // Nothing that says how much is no promise that there was nothing.
    sizes.into_iter().flatten().chain(announced).max().unwrap_or(1)
}

fn decoded(text: String, encoding: Option<&str>) -> Result<Vec<u8>, String> {
    match encoding {
        Some("base64") => BASE64_STANDARD
            .decode(text.trim())
            .map_err(|error| format!("content is no base64: {error}")),
        _ => Ok(text.into_bytes()),
    }
}

fn kept(content: Vec<u8>, limit: usize) -> Body {
    if content.len() <= limit {
        return Body::whole(content);
    }
    Body {
        len: content.len() as u64,
        digest: Some(*blake3::hash(&content).as_bytes()),
        kept: Bytes::from(content).slice(..limit),
        missing: 0,
    }
}

/// ISO 8601 with any offset.
fn time_of(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("startedDateTime {text:?} is no ISO 8601 time");
    // humantime reads Z only: the offset is taken off by hand.
    let place = text
        .char_indices()
        .skip("2026-01-01T00:00:00".len())
        .find(|(_, sign)| matches!(sign, '+' | '-'))
        .map(|(place, _)| place);
    let (time, offset) = match place {
        Some(place) => text.split_at(place),
        None => (text.trim_end_matches('Z'), ""),
    };
    let at = humantime::parse_rfc3339(&format!("{time}Z")).map_err(|_error| wrong())?;
    let nanos = duration_nanos(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = digits.split_at(digits.len().min(2));
    let number = |text: &str| -> Result<u64, String> {
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_error| wrong())
    };
    // At most 24 hours: a longer one is no offset, and must not overflow.
    let shift = number(hours)?
        .checked_mul(60)
        .zip(number(minutes).ok())
        .and_then(|(hours, minutes)| hours.checked_add(minutes))
        .filter(|minutes| *minutes <= 24 * 60)
        .ok_or_else(wrong)?
        * 60_000_000_000;
    Ok(Timestamp::from_nanos(if offset.starts_with('-') {
        nanos.saturating_add(shift)
    } else {
        nanos.saturating_sub(shift)
    }))
}

fn duration_nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
