//! The status of a gRPC answer: code, message and details (`grpc-status`, `grpc-message`, `grpc-status-details-bin`).
//!
//! They are trailer fields, header fields of an answer without messages, or fields after the messages of gRPC-Web.
//! Servers write the same status in several ways; the decoded values are compared.

use std::borrow::Cow;

use base64::Engine as _;
use shadow_proto::{exchange::Headers, request_target};

use super::{
    super::{
        ABSENT, Category, Compared, PRESENT, Side,
        findings::{Findings, shorten},
        inside::{self, Texts},
        json,
        rules::Errors,
        scope::Scope,
        status,
    },
    BASE64, DECODED, Read, document, wire,
};

/// The field of google.rpc.Status that repeats the message.
const MESSAGE: u32 = 2;

const CODE: &str = "grpc-status";
const TEXT: &str = "grpc-message";
const DETAILS: &str = "grpc-status-details-bin";

/// The status of one answer.
struct Status<'a> {
    code: Option<u16>,
    text: Cow<'a, str>,
    /// google.rpc.Status.
    details: Option<Vec<u8>>,
}

/// Compares both statuses. Returns whether they are equal, so that the messages are to be compared as well.
pub(in super::super) fn compare(
    scope: &Scope<'_>,
    production: Side<'_>,
    shadow: Side<'_>,
    findings: &mut Findings,
) -> bool {
    let fields = [production, shadow].map(fields);
    let [a, b] = fields.each_ref().map(|fields| Status::of(fields));
    let is_same = match (a.code, b.code) {
        (Some(a), Some(b)) => a == b || status::is_listed(scope, a, b),
        (a, b) => a == b,
    };
    if !is_same {
        let shown = |code: Option<u16>| code.map_or_else(|| ABSENT.to_owned(), |code| code.to_string());
        findings.push(
            Category::Status,
            format!("trailer {CODE}"),
            shown(a.code),
            shown(b.code),
        );
        return false;
    }
    // The message of OK has no meaning, and some servers say "OK".
    if a.code == b.code && a.code.is_some_and(|code| code > 0) && scope.errors != Errors::Status {
        errors(scope, &a, &b, findings);
    }
    true
}

/// Compares errors with the same code: by their details where there are some, and by their message otherwise.
fn errors(scope: &Scope<'_>, a: &Status<'_>, b: &Status<'_>, findings: &mut Findings) {
    let is_stated = a.details.is_some() || b.details.is_some();
    if is_stated {
        details(scope, a.details.as_deref(), b.details.as_deref(), findings);
    }
    if (scope.errors == Errors::Whole || !is_stated) && a.text != b.text {
        let place = format!("trailer {TEXT}");
        let texts = Texts::new(&place, [&a.text, &b.text], Category::Header, findings);
        inside::compare(texts, |text| shorten(text.as_bytes()));
    }
}

fn details(scope: &Scope<'_>, production: Option<&[u8]>, shadow: Option<&[u8]>, findings: &mut Findings) {
    let place = format!("trailer {DETAILS}");
    let (Some(a), Some(b)) = (production, shadow) else {
        let shown = |side: Option<&[u8]>| side.map_or(ABSENT, |_| PRESENT).to_owned();
        return findings.push(Category::Header, place, shown(production), shown(shadow));
    };
    let (a, b) = (without_message(a), without_message(b));
    if a == b {
        return;
    }
    let of = scope.message_type("google.rpc.Status");
    let documents = document::documents([&[Cow::Borrowed(&a)], &[Cow::Borrowed(&b)]], of.as_ref());
    let mut compared = Compared::Not;
    if let Some([a, b]) = &documents
        && let ([a], [b]) = (a.as_slice(), b.as_slice())
    {
        findings.within(&place, |findings| {
            compared = json::compare(scope, a, b, json::ROOT, findings);
        });
    }
    if compared == Compared::Not {
        let shown = |side: &[u8]| format!("{} bytes, BLAKE3 {}", side.len(), blake3::hash(side).to_hex());
        findings.push(Category::Header, place, shown(&a), shown(&b));
    }
}

/// google.rpc.Status without the message. What cannot be read stays as it is.
fn without_message(details: &[u8]) -> Vec<u8> {
    let Some(fields) = wire::fields(details) else {
        return details.to_vec();
    };
    let mut out = Vec::with_capacity(details.len());
    for (number, value) in fields.into_iter().filter(|(number, _)| *number != MESSAGE) {
        wire::put(number, value, &mut out);
    }
    out
}

/// The fields with the status.
fn fields(side: Side<'_>) -> Cow<'_, Headers> {
    if side.trailers.get(CODE).is_some() {
        return Cow::Borrowed(side.trailers);
    }
    if side.headers.get(CODE).is_some() {
        return Cow::Borrowed(side.headers);
    }
    let read = Read::of(side.headers, &side.body.kept, DECODED);
    let lines = read.and_then(|read| read.trailers).unwrap_or_default();
    Cow::Owned(web_fields(&lines))
}

/// Whether this is the name of the field with the code.
pub(crate) fn is_status(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(CODE.as_bytes())
}

/// The fields that gRPC-Web has after the messages.
pub(crate) fn web_fields(lines: &[u8]) -> Headers {
    let fields = lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
        Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
    });
    Headers::from_pairs(fields)
}

impl<'a> Status<'a> {
    fn of(fields: &'a Headers) -> Self {
        let text = |name: &'static str| {
            fields
                .get(name)
                .and_then(|value| core::str::from_utf8(value).ok())
        };
        let details = fields.get(DETAILS).filter(|value| !value.is_empty());
        Self {
            code: text(CODE).and_then(|code| code.trim().parse().ok()),
            text: decoded(fields.get(TEXT).unwrap_or_default()),
            // Invalid base64 is compared as it was sent.
            details: details.map(|value| BASE64.decode(value).unwrap_or_else(|_invalid| value.to_vec())),
        }
    }
}

/// Percent-decoded; an invalid escape stays as it is.
fn decoded(value: &[u8]) -> Cow<'_, str> {
    match request_target::decoded(value) {
        Cow::Borrowed(text) => String::from_utf8_lossy(text),
        Cow::Owned(text) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
    }
}
