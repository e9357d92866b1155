//! Choice of the comparison for a content: by its structure, where the media type says only text or bytes, or does not
//! fit.
//!
//! Content that cannot be compared as its kind is compared as text, and content that is not text by length and digest:
//! none is skipped. Comparisons as another kind than the media type says are counted.

use shadow_proto::exchange::Headers;

use super::{
    Category, Compared, binary, decode,
    encoded::Encoding,
    events,
    findings::Findings,
    form, grpc,
    inside::{self, Texts, packed},
    json::{self, pieces::Pieces},
    markup,
    media::{self, Kind},
    metrics, multipart,
    rules::Structure,
    scope::{Parts, Scope},
    table, text,
};

/// Nested multiparts.
const MAX_NESTED: usize = 4;

/// Content with the fields that describe it, without its content coding.
pub(super) type Content<'c> = (&'c Headers, &'c [u8]);

/// The kind that two contents are compared as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum As {
    Kind(Kind),
    /// JSON documents among other text.
    Pieces,
    /// A table with this separator.
    Csv(u8),
    Metrics,
    /// A document in a binary encoding.
    Encoded(Encoding),
}

/// Compares two contents by their structure, else by production's media type, else by the shadow system's.
pub(super) fn compare(
    scope: &Scope<'_>,
    production: Content<'_>,
    shadow: Content<'_>,
    findings: &mut Findings,
) {
    nested(scope, production, shadow, findings, 0);
}

fn nested(
    scope: &Scope<'_>,
    production: Content<'_>,
    shadow: Content<'_>,
    findings: &mut Findings,
    depth: usize,
) {
    let (a, b) = (production.1, shadow.1);
    if a == b {
        return;
    }
    if let Some((a, b)) = (depth < MAX_NESTED).then(|| unpacked(scope, a, b)).flatten() {
        return nested(
            scope,
            (production.0, &a),
            (shadow.0, &b),
            findings,
            depth.saturating_add(1),
        );
    }
    let said = match media::kind(production.0) {
        Kind::Unknown => media::kind(shadow.0),
        kind => kind,
    };
    let by_type = by_type(said, production.0, a);
    let structured = !matches!(said, Kind::Text | Kind::Bytes | Kind::Unknown) || by_type != As::Kind(said);
    if structured && once(scope, by_type, production, shadow, findings, depth) == Compared::Done {
        return;
    }
    // Masks are rules about the lines of a text: where the operator wrote some, a text stays one.
    let is_masked = said == Kind::Text && !scope.masks().is_empty();
    let sniffed = if !is_masked && scope.structure() == Structure::Content || said == Kind::Unknown {
        by_content(said, a).filter(|kind| *kind != by_type && by_content(said, b) == Some(*kind))
    } else {
        None
    };
    if let Some(kind) = sniffed
        && once(scope, kind, production, shadow, findings, depth) == Compared::Done
    {
        scope.compared_as_content(said != Kind::Unknown);
        return;
    }
    let by_content = scope.structure() == Structure::Content && !media::is_pictured(production.0);
    let texts = is_text(a) && is_text(b) && (said == Kind::Unknown || by_content);
    match said {
        Kind::Multipart | Kind::Grpc => binary::contents(a, b, findings),
        Kind::Bytes | Kind::Unknown if !texts => binary::contents(a, b, findings),
        Kind::Bytes => findings.hiding(|findings| text::compare(scope, a, b, findings)),
        _ => text::compare(scope, a, b, findings),
    }
}

/// The contents of two gzip files, or of two answers without the field that names the coding, and documents in base64.
fn unpacked(scope: &Scope<'_>, a: &[u8], b: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let cap = scope.decoded();
    if let (Some(a), Some(b)) = (decode::gzip_file(a, cap), decode::gzip_file(b, cap)) {
        return Some((a, b));
    }
    let text = |content| core::str::from_utf8(content).ok();
    let (a, b) = packed::documents(text(a)?, text(b)?)?;
    Some((a.into_bytes(), b.into_bytes()))
}

/// The kinds that a content may be compared as, before text and digest.
pub(super) fn candidates(scope: &Scope<'_>, (headers, content): Content<'_>) -> [Option<As>; 2] {
    let said = media::kind(headers);
    let by_type = by_type(said, headers, content);
    let structured = !matches!(said, Kind::Text | Kind::Bytes | Kind::Unknown) || by_type != As::Kind(said);
    let is_masked = said == Kind::Text && !scope.masks().is_empty();
    let sniffs = !is_masked && scope.structure() == Structure::Content || said == Kind::Unknown;
    [
        structured.then_some(by_type),
        sniffs.then(|| by_content(said, content)).flatten(),
    ]
}

/// Compares as one kind; `Not` when the contents are not of that kind and nothing was reported.
fn once(
    scope: &Scope<'_>,
    kind: As,
    production: Content<'_>,
    shadow: Content<'_>,
    findings: &mut Findings,
    depth: usize,
) -> Compared {
    let (a, b) = (production.1, shadow.1);
    let data = |a: &[u8], b: &[u8], findings: &mut Findings| data(scope, a, b, findings);
    match kind {
        As::Kind(Kind::Json) => json::compare(scope, a, b, json::ROOT, findings),
        As::Kind(Kind::Lines) => events::lines(a, b, &data, findings),
        As::Kind(Kind::Events) => events::stream(a, b, &data, findings),
        As::Kind(Kind::Xml) => markup::xml(scope, a, b, findings),
        As::Kind(Kind::Html) => html(scope, a, b, findings),
        As::Kind(Kind::Form) => form::compare(scope, a, b, findings),
        As::Kind(Kind::Grpc) => grpc::compare(scope, production, shadow, &data, findings),
        As::Kind(Kind::Multipart) if depth < MAX_NESTED => {
            let contents = |a: &multipart::Part<'_>, b: &multipart::Part<'_>, findings: &mut Findings| {
                let (a, b) = ((&a.headers, a.content), (&b.headers, b.content));
                nested(scope, a, b, findings, depth.saturating_add(1));
            };
            multipart::compare(production, shadow, &contents, findings)
        }
        As::Kind(Kind::Multipart | Kind::Text | Kind::Bytes | Kind::Unknown) => Compared::Not,
        As::Pieces => pieces(scope, a, b, &data, findings),
        As::Csv(separator) if table::separator(b) != separator => Compared::Not,
        As::Csv(separator) => as_json(
            scope,
            table::csv(a, separator),
            table::csv(b, separator),
            findings,
        ),
        As::Metrics => {
            let json = |text| metrics::metrics(text).map(|metrics| metrics.json);
            as_json(scope, json(a), json(b), findings)
        }
        As::Encoded(encoding) => {
            let [a, b] = encoding
                .documents(a, b)
                .map_or([None, None], |sides| sides.map(Some));
            as_json(scope, a, b, findings)
        }
    }
}

/// Any text is HTML, also a JSON document that the other system answers with in its place.
fn html(scope: &Scope<'_>, production: &[u8], shadow: &[u8], findings: &mut Findings) -> Compared {
    let is_json = |text| core::str::from_utf8(text).is_ok_and(json::is_json);
    let kinds = [is_json(production), is_json(shadow)].map(|json| if json { "JSON" } else { "HTML" });
    let [a, b] = kinds;
    if a == b {
        return markup::html(scope, production, shadow, findings);
    }
    let shown = |kind: &str, text: &[u8]| format!("{kind}, {} bytes", text.len());
    findings.push(Category::Decode, "body", shown(a, production), shown(b, shadow));
    Compared::Done
}

fn as_json(
    scope: &Scope<'_>,
    production: Option<Vec<u8>>,
    shadow: Option<Vec<u8>>,
    findings: &mut Findings,
) -> Compared {
    match (production, shadow) {
        (Some(a), Some(b)) => json::compare(scope, &a, &b, json::ROOT, findings),
        _ => Compared::Not,
    }
}

/// JSON documents among other text; consecutive documents are events.
fn pieces(
    scope: &Scope<'_>,
    production: &[u8],
    shadow: &[u8],
    data: &events::CompareData<'_>,
    findings: &mut Findings,
) -> Compared {
    let pieces = |text| core::str::from_utf8(text).ok().and_then(Pieces::of);
    let (Some(a), Some(b)) = (pieces(production), pieces(shadow)) else {
        return Compared::Not;
    };
    if a.is_only_documents() && b.is_only_documents() {
        return events::documents(a.documents(), b.documents(), data, findings);
    }
    let between = |a: &str, b: &str, findings: &mut Findings| {
        text::compare(scope, a.as_bytes(), b.as_bytes(), findings);
    };
    json::pieces(scope, &a, &b, &between, findings)
}

/// The data of an event: JSON, or text.
fn data(scope: &Scope<'_>, a: &[u8], b: &[u8], findings: &mut Findings) {
    let json = json::looks_like_json(a) && json::looks_like_json(b);
    if json && json::compare(scope, a, b, json::ROOT, findings) == Compared::Done {
        return;
    }
    if memchr::memchr(b'\n', a).is_some() || memchr::memchr(b'\n', b).is_some() {
        return text::compare(scope, a, b, findings);
    }
    // A single line is reported as the data of its event, not as a line.
    text::line(scope, "body", a, b, findings);
}

/// The kind by media type.
fn by_type(said: Kind, headers: &Headers, content: &[u8]) -> As {
    if said == Kind::Bytes
        && let Some(encoding) = Encoding::of(headers)
    {
        return As::Encoded(encoding);
    }
    if said == Kind::Text && media::is_table(headers) {
        return As::Csv(table::separator(content));
    }
    // Any text is a form with one name.
    if said == Kind::Form && core::str::from_utf8(content).is_ok_and(json::is_json) {
        return As::Kind(Kind::Json);
    }
    As::Kind(said)
}

/// The kind by structure, regardless of the media type; `None` for content without structure.
fn by_content(said: Kind, content: &[u8]) -> Option<As> {
    let text = core::str::from_utf8(content).ok()?;
    let start = text.trim_start();
    let begins = |with: &str| {
        start
            .get(..with.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    if start.starts_with(['{', '[']) && json::is_json(start) {
        return Some(As::Kind(Kind::Json));
    }
    if said == Kind::Json && Pieces::of(text).is_some() {
        return Some(As::Pieces);
    }
    if begins("<!doctype html") || begins("<html") {
        return Some(As::Kind(Kind::Html));
    }
    if start.starts_with('<') && markup::is_xml(content) {
        return Some(As::Kind(Kind::Xml));
    }
    if inside::is_form(text.trim_end()) {
        return Some(As::Kind(Kind::Form));
    }
    if start.starts_with(['#', '_']) || start.starts_with(|c: char| c.is_ascii_alphabetic()) {
        // Checks the first lines before the whole is read.
        let end = text.char_indices().nth(2048).map_or(text.len(), |(at, _)| at);
        let head = text.get(..end).unwrap_or_default();
        let head = if end < text.len() {
            head.rsplit_once('\n').map_or("", |(head, _)| head)
        } else {
            head
        };
        if metrics::metrics(head.as_bytes()).is_some() && metrics::metrics(content).is_some() {
            return Some(As::Metrics);
        }
        let is_event = |line: &str| line.starts_with("data:") || line.starts_with("event:");
        if start.lines().next().is_some_and(is_event) {
            return Some(As::Kind(Kind::Events));
        }
    }
    if table::looks_like_table(text) {
        return Some(As::Csv(table::separator(content)));
    }
    let pieces = Pieces::of(text)?;
    let whole = pieces.is_only_documents() && pieces.all.len() > 1;
    (whole || (pieces.is_mostly_documents() && said != Kind::Lines)).then_some(As::Pieces)
}

pub(super) fn is_text(content: &[u8]) -> bool {
    core::str::from_utf8(content).is_ok() && memchr::memchr(0, content).is_none()
}

/// Compares two texts in a document of another kind, for example scripts: by the JSON in them, or else as text.
pub(super) fn embedded(
    scope: &Scope<'_>,
    (place, without): (&str, Parts<'_>),
    a: &str,
    b: &str,
    findings: &mut Findings,
) {
    let packed = packed::documents(a, b);
    let (a, b) = packed.as_ref().map_or((a, b), |(a, b)| (a.as_str(), b.as_str()));
    if json::is_json(a) && json::is_json(b) {
        let compared = json::within(scope, place, a, b, findings);
        if compared == Compared::Done {
            return;
        }
    }
    if let (Some(left), Some(right)) = (Pieces::of(a), Pieces::of(b))
        && left.is_mostly_documents()
        && right.is_mostly_documents()
        && left.all.len() == right.all.len()
    {
        let between = |a: &str, b: &str, findings: &mut Findings| {
            text::compare(scope, a.as_bytes(), b.as_bytes(), findings);
        };
        findings.within(place, |findings| {
            json::pieces(scope, &left, &right, &between, findings);
        });
        return;
    }
    if a.contains('\n') || b.contains('\n') {
        return findings.within(place, |findings| {
            text::compare(scope, a.as_bytes(), b.as_bytes(), findings);
        });
    }
    let texts = Texts {
        without,
        ..Texts::new(place, [a, b], Category::Value, findings)
    };
    inside::compare(texts, |text| super::findings::shorten(text.as_bytes()));
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
