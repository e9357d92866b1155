//! The values of whole messages: of a request, and of an answer.
//!
//! Owns: which parts of a message have values. Bounds: content of [`CONTENT`] bytes; longer content is left as it is.

use std::borrow::Cow;

use bytes::Bytes;
use shadow_proto::{
    exchange::{Body, Headers, Request},
    request_target,
};

use crate::{
    compare::{
        decode,
        media::{self, Kind},
    },
    rewrite::ShadowRequest,
};

use super::{
    edit::{self, Edit, Names, Visit},
    glance,
    place::Segments,
};

/// Content that is read, in bytes without its coding.
pub(super) const CONTENT: usize = 1 << 20;

/// Beginnings of the names of request fields that have no values of the application, in lower case.
const NO_VALUES: [&str; 26] = [
    "accept",
    "cache-control",
    "connection",
    "content-",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "if-",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "sec-",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-",
    "x-request-id",
];

/// Fields of a request that are not valid any more when its content changes.
const DIGESTS: [&str; 4] = ["content-md5", "content-digest", "digest", "repr-digest"];

/// The path of a request, as text; empty if it is none.
pub(super) fn path(request: &Request) -> String {
    let (target, _) = request_target::origin_form(&request.method, &request.target);
    let (path, _) = request_target::split(&target);
    String::from_utf8_lossy(path).into_owned()
}

/// Visits the values of a captured request, its validators included.
pub(super) fn visit_request(request: &Request, visit: &mut Visit<'_>) {
    let (target, _) = request_target::origin_form(&request.method, &request.target);
    if let Ok(text) = core::str::from_utf8(&target) {
        edit::target(text, visit);
    }
    let path = path(request);
    for (name, value) in request.headers.iter() {
        if is_validator(name) {
            edit::etags(value, &path, visit);
        } else {
            field(name, value, visit);
        }
    }
    content(
        &request.headers,
        &request.body.kept,
        &Segments::subject(&path),
        visit,
    );
}

/// Replaces the values of a request that is about to be sent.
pub(super) fn edit_request(request: &mut ShadowRequest, visit: &mut Visit<'_>) {
    let text = request.target.clone();
    let text = core::str::from_utf8(&text).unwrap_or_default();
    let path = text.split('?').next().unwrap_or_default();
    if let Some(new) = edit::target(text, visit) {
        request.target = new.into();
    }
    for (name, value) in &mut request.headers {
        if let Some(new) = field(name, value, visit) {
            *value = new.into();
        }
    }
    if request.body.is_empty() {
        return;
    }
    let headers = Headers::from_pairs(request.headers.iter().map(|(name, value)| (name, value)));
    if let Some(new) = content(&headers, &request.body, &Segments::subject(path), visit) {
        set_content(request, new.into());
    }
}

/// New content comes without a coding, and with its own length.
fn set_content(request: &mut ShadowRequest, body: Bytes) {
    let is = |name: &[u8], field: &str| name.eq_ignore_ascii_case(field.as_bytes());
    request
        .headers
        .retain(|(name, _)| !is(name, "content-encoding") && !DIGESTS.iter().any(|digest| is(name, digest)));
    for (name, value) in &mut request.headers {
        if is(name, "content-length") {
            *value = body.len().to_string().into();
        }
    }
    request.body = body;
}

/// Whether a field has entity tags of the resource that is requested.
pub(super) fn is_validator(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"if-match") || name.eq_ignore_ascii_case(b"if-none-match")
}

fn field(name: &[u8], value: &[u8], visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    if name.eq_ignore_ascii_case(b"cookie") {
        return edit::cookies(value, visit);
    }
    let has_none = |start: &str| {
        name.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    };
    if NO_VALUES.iter().any(|start| has_none(start)) {
        return None;
    }
    edit::field(name, value, visit)
}

/// Content of a kind that has values; `None` if nothing in it is replaced.
fn content(headers: &Headers, body: &[u8], subject: &str, visit: &mut Visit<'_>) -> Option<Vec<u8>> {
    if body.is_empty() || body.len() > CONTENT {
        return None;
    }
    let kind = media::kind(headers);
    let has_values = matches!(
        kind,
        Kind::Json | Kind::Form | Kind::Multipart | Kind::Xml | Kind::Unknown
    );
    if !has_values {
        return None;
    }
    let text = decode::decode(headers, body, CONTENT).ok()?;
    match kind {
        Kind::Form if !text.starts_with(b"{") => edit::form(&text, subject, visit),
        Kind::Multipart => edit::multipart(headers, &text, subject, visit),
        Kind::Xml => edit::written(&text, edit::markup_edits(&text, false, subject, visit)),
        _ => edit::json(&text, &Names::of(subject), visit),
    }
}

/// Content whose values have places.
#[derive(Debug)]
pub(super) struct Document<'b> {
    pub(super) text: Cow<'b, [u8]>,
    pub(super) notation: Notation,
}

/// The notation of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Notation {
    Json,
    Html,
    Xml,
}

impl Document<'_> {
    /// Where it has values to replace, if it is about a `subject`.
    pub(super) fn edits(&self, subject: &str, visit: &mut Visit<'_>) -> Vec<Edit> {
        match self.notation {
            Notation::Json => edit::json_edits(&self.text, &Names::of(subject), visit),
            Notation::Html | Notation::Xml => {
                edit::markup_edits(&self.text, self.notation == Notation::Html, subject, visit)
            }
        }
    }

    /// Whether any value in it can matter: one that is unique everywhere, a token, or one that is known.
    pub(super) fn may_matter(&self, is_known: &impl Fn(&[u8]) -> bool) -> bool {
        self.notation != Notation::Json || glance::may_matter(&self.text, is_known)
    }
}

/// The content of an answer, if it is a document.
pub(super) fn document_of<'b>(headers: &Headers, body: &'b Body) -> Option<Document<'b>> {
    let kind = media::kind(headers);
    let may_be = matches!(kind, Kind::Json | Kind::Html | Kind::Xml | Kind::Unknown);
    if !may_be || body.kept.is_empty() || !body.is_whole() || body.kept.len() > CONTENT {
        return None;
    }
    let text = decode::decode(headers, &body.kept, CONTENT).ok()?;
    let start = text.trim_ascii_start().first().copied();
    let notation = match kind {
        Kind::Html => Notation::Html,
        Kind::Xml => Notation::Xml,
        _ if matches!(start, Some(b'{' | b'[')) => Notation::Json,
        _ => return None,
    };
    Some(Document { text, notation })
}

/// Visits the values of an answer to a request for `path`, whose content is this document if it is one.
pub(super) fn visit_answer(
    (headers, document): (&Headers, Option<&Document<'_>>),
    path: &str,
    visit: &mut Visit<'_>,
) {
    edit_fields(headers, path, visit);
    if let Some(document) = document {
        document.edits(&Segments::subject(path), visit);
    }
}

/// The fields of an answer to a request for `path` with other values; `None` if none is replaced.
pub(super) fn edit_fields(headers: &Headers, path: &str, visit: &mut Visit<'_>) -> Option<Headers> {
    let tagged = tagged(headers, path);
    let mut changed = false;
    let mut fields: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::new();
    for (name, value) in headers.iter() {
        let is = |field: &str| name.eq_ignore_ascii_case(field.as_bytes());
        let new = if is("location") || is("content-location") {
            let text = core::str::from_utf8(value).unwrap_or_default();
            edit::url(text, visit).map(String::into_bytes)
        } else if is("set-cookie") {
            edit::set_cookie(value, visit)
        } else if is("etag") {
            edit::etags(value, &tagged, visit)
        } else {
            None
        };
        changed |= new.is_some();
        fields.push((name, new.map_or(Cow::Borrowed(value), Cow::Owned)));
    }
    changed.then(|| Headers::from_pairs(fields))
}

/// The path of the resource that an entity tag of an answer belongs to: the one that was created, or the one that was
/// requested.
pub(super) fn tagged(headers: &Headers, path: &str) -> String {
    let location = headers
        .get("location")
        .and_then(|value| core::str::from_utf8(value).ok());
    let Some(location) = location else {
        return path.to_owned();
    };
    let bare = location.split_once("://").map_or(location, |(_, rest)| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    bare.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Fields of an answer whose content was replaced: it has no coding any more.
pub(super) fn without_coding(headers: &Headers, len: usize) -> Headers {
    let fields = headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(b"content-encoding"))
        .map(|(name, value)| {
            let value = if name.eq_ignore_ascii_case(b"content-length") {
                len.to_string().into_bytes()
            } else {
                value.to_vec()
            };
            (name, value)
        });
    Headers::from_pairs(fields)
}
