//! Comparison of `multipart/*` by part (RFC 2046 section 5.1, RFC 7578).
//!
//! Each side has its own boundary. Parts with names (`form-data`) are matched by name, others by position. Bounds:
//! parts ([`MAX_PARTS`]), fields of a part's head, nested multiparts (the caller counts).

use hashbrown::DefaultHashBuilder;
use shadow_proto::exchange::Headers;

use super::{
    ABSENT, Category, Compared,
    align::Features,
    findings::{Findings, shorten},
    likeness,
    lists::{self, Pair},
    media,
};

/// Parts of one body.
const MAX_PARTS: usize = 1 << 12;

/// Fields of one part's head.
const MAX_FIELDS: usize = 64;

/// Bytes of a part that are used as features.
const FEATURES: usize = 4096;

/// Fields of a part's head that are compared. Others describe the transfer, or are identifiers.
const FIELDS: [&str; 5] = [
    "content-disposition",
    "content-type",
    "content-transfer-encoding",
    "content-range",
    "content-location",
];

/// One part.
#[derive(Debug)]
pub(crate) struct Part<'t> {
    pub(crate) headers: Headers,
    pub(crate) content: &'t [u8],
    pub(crate) name: Option<Vec<u8>>,
    /// The range of its content in the body.
    pub(crate) at: core::ops::Range<usize>,
}

/// Compares the contents of two parts.
pub(super) type CompareParts<'c> = dyn Fn(&Part<'_>, &Part<'_>, &mut Findings) + 'c;

/// Compares two bodies, each with the Content-Type fields that go with it.
pub(super) fn compare(
    production: (&Headers, &[u8]),
    shadow: (&Headers, &[u8]),
    contents: &CompareParts<'_>,
    findings: &mut Findings,
) -> Compared {
    let (left, right) = (parts(production.0, production.1), parts(shadow.0, shadow.1));
    let (left, right) = match (left, right) {
        (Some(left), Some(right)) => (left, right),
        (None, None) => return Compared::Not,
        (left, right) => {
            let shown = |parts: Option<Vec<Part<'_>>>, body: &[u8]| match parts {
                Some(parts) => format!("{} parts, {} bytes", parts.len(), body.len()),
                None => format!("no multipart content, {} bytes", body.len()),
            };
            let (a, b) = (shown(left, production.1), shown(right, shadow.1));
            findings.push(Category::Decode, "body", a, b);
            return Compared::Done;
        }
    };
    let (pairs, moved) = paired(&left, &right, contents);
    if moved {
        let shown = |parts: &[Part<'_>]| format!("{} parts", parts.len());
        findings.push(Category::Order, "parts", shown(&left), shown(&right));
    }
    for pair in pairs {
        if findings.is_full() {
            break;
        }
        let (a, b) = match pair {
            Pair::Both(a, b) => (left.get(a), right.get(b)),
            Pair::Production(a) => (left.get(a), None),
            Pair::Shadow(b) => (None, right.get(b)),
        };
        let (Pair::Both(index, _) | Pair::Production(index) | Pair::Shadow(index)) = pair;
        let place = place(a.or(b), index);
        findings.within(&place, |findings| both(a, b, contents, findings));
    }
    Compared::Done
}

fn both(a: Option<&Part<'_>>, b: Option<&Part<'_>>, contents: &CompareParts<'_>, findings: &mut Findings) {
    match (a, b) {
        (Some(a), Some(b)) => {
            heads(a, b, findings);
            contents(a, b, findings);
        }
        (Some(a), None) => findings.push(Category::Missing, "body", shorten(a.content), ABSENT),
        (None, Some(b)) => findings.push(Category::Added, "body", ABSENT, shorten(b.content)),
        (None, None) => {}
    }
}

fn heads(a: &Part<'_>, b: &Part<'_>, findings: &mut Findings) {
    for field in FIELDS {
        let (left, right) = (a.headers.get(field), b.headers.get(field));
        if left.map(media::normalised) == right.map(media::normalised) {
            continue;
        }
        let shown = |value: Option<&[u8]>| value.map_or_else(|| ABSENT.to_owned(), shorten);
        findings.push(
            Category::Header,
            format!("header {field}"),
            shown(left),
            shown(right),
        );
    }
}

/// `part 3`, or `part avatar`.
fn place(part: Option<&Part<'_>>, index: usize) -> String {
    match part.and_then(|part| part.name.as_deref()) {
        Some(name) => format!("part {}", media::shown_name(name)),
        None => format!("part {}", index.saturating_add(1)),
    }
}

/// The pairs, and whether parts without names are in a different order.
fn paired(left: &[Part<'_>], right: &[Part<'_>], contents: &CompareParts<'_>) -> (Vec<Pair>, bool) {
    if let (Some(a), Some(b)) = (by_name(left), by_name(right)) {
        return (merged(&a, &b), false);
    }
    let state = DefaultHashBuilder::default();
    let features = |parts: &[Part<'_>]| -> Vec<Features> {
        let of = |part: &Part<'_>| {
            likeness::features(part.content.get(..FEATURES).unwrap_or(part.content), &state)
        };
        parts.iter().map(of).collect()
    };
    lists::pairs(&features(left), &features(right), |a, b| {
        let mut probe = Findings::new(0);
        both(left.get(a), right.get(b), contents, &mut probe);
        !probe.is_full()
    })
}

type Named<'p> = Vec<(&'p [u8], usize)>;

/// Sorted by name, equal names in order; `None` when a part has no name.
fn by_name<'p>(parts: &'p [Part<'_>]) -> Option<Named<'p>> {
    let mut named: Named<'p> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| Some((part.name.as_deref()?, index)))
        .collect::<Option<_>>()?;
    named.sort_unstable();
    Some(named)
}

fn merged(left: &Named<'_>, right: &Named<'_>) -> Vec<Pair> {
    let (mut a, mut b) = (left.iter().peekable(), right.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => core::cmp::Ordering::Less,
            (None, Some(_)) => core::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(b.0),
        };
        let a = if order.is_le() { a.next() } else { None };
        let b = if order.is_ge() { b.next() } else { None };
        pairs.extend(match (a, b) {
            (Some((_, a)), Some((_, b))) => Some(Pair::Both(*a, *b)),
            (Some((_, a)), None) => Some(Pair::Production(*a)),
            (None, Some((_, b))) => Some(Pair::Shadow(*b)),
            (None, None) => None,
        });
    }
}

/// The parts of a body; `None` when it is not multipart content, or has too many.
pub(crate) fn parts<'t>(headers: &Headers, body: &'t [u8]) -> Option<Vec<Part<'t>>> {
    let boundary = media::parameter(headers.get("content-type")?, "boundary")?;
    // RFC 2046 section 5.1.1 allows 70 characters.
    if boundary.is_empty() || boundary.len() > 200 {
        return None;
    }
    let mut delimiter = b"--".to_vec();
    delimiter.extend_from_slice(&boundary);
    let finder = memchr::memmem::Finder::new(&delimiter);
    let mut parts = Vec::new();
    let mut start = None;
    for at in finder.find_iter(body) {
        // Only at the start of a line, and followed only by blanks.
        let line_start = at == 0 || body.get(at.wrapping_sub(1)) == Some(&b'\n');
        let behind = body.get(at.saturating_add(delimiter.len())..).unwrap_or_default();
        let last = behind.starts_with(b"--");
        let Some(line) = line_start
            .then(|| blank_line(behind))
            .flatten()
            .or(last.then_some(0))
        else {
            continue;
        };
        if !line_start {
            continue;
        }
        if let Some(start) = start {
            if parts.len() >= MAX_PARTS {
                return None;
            }
            parts.push(part(body, start, at)?);
        }
        if last {
            // Multipart content has at least one part (RFC 2046 section 5.1), and text after the end would not be
            // compared.
            return (!parts.is_empty()).then_some(parts);
        }
        start = Some(at.saturating_add(delimiter.len()).saturating_add(line));
    }
    // It has no closing delimiter.
    None
}

/// The length of blanks and a line end.
fn blank_line(text: &[u8]) -> Option<usize> {
    let blank = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    match text.get(blank..)? {
        [b'\r', b'\n', ..] => Some(blank.saturating_add(2)),
        [b'\n', ..] => Some(blank.saturating_add(1)),
        _ => None,
    }
}

/// The part from the line after one delimiter to the next delimiter.
fn part(body: &[u8], start: usize, end: usize) -> Option<Part<'_>> {
    let whole = body.get(start..end)?;
    // The line end before a delimiter belongs to the delimiter.
    let whole = whole.strip_suffix(b"\n").unwrap_or(whole);
    let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
    let (headers, head_len) = head(whole)?;
    let content = whole.get(head_len..).unwrap_or_default();
    let at = start.saturating_add(head_len);
    let disposition = headers.get("content-disposition");
    Some(Part {
        name: disposition.and_then(|value| media::parameter(value, "name")),
        headers,
        content,
        at: at..at.saturating_add(content.len()),
    })
}

/// The fields before the first empty line, and the length up to the content.
fn head(part: &[u8]) -> Option<(Headers, usize)> {
    let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
    let mut read = 0usize;
    while let Some(rest) = part.get(read..) {
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
        let line = rest.get(..len).unwrap_or_default().trim_ascii();
        read = read.saturating_add(len);
        if line.is_empty() {
            return Some((Headers::from_pairs(fields), read));
        }
        let colon = memchr::memchr(b':', line)?;
        if fields.len() >= MAX_FIELDS {
            return None;
        }
        let (name, value) = line.split_at_checked(colon)?;
        fields.push((name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii()));
    }
    None
}
