//! Streams of events: one JSON text per line (NDJSON, JSON Lines, RFC 7464), and server-sent events.
//!
//! Bounds: events ([`MAX_EVENTS`]); a body with more is compared as text.

use std::borrow::Cow;

use hashbrown::DefaultHashBuilder;

use super::{
    ABSENT, Category, Compared, PRESENT,
    align::Features,
    findings::{Findings, shorten},
    likeness,
    lists::{self, Pair},
};

/// Events of one body.
const MAX_EVENTS: usize = 1 << 16;

/// Compares the data of two events.
pub(super) type CompareData<'c> = dyn Fn(&[u8], &[u8], &mut Findings) + 'c;

/// One event. NDJSON has only data.
#[derive(Debug, Default)]
struct Event<'t> {
    name: &'t [u8],
    data: Cow<'t, [u8]>,
    has_id: bool,
    retry: &'t [u8],
}

/// Compares two bodies with one JSON text per line.
pub(super) fn lines(
    production: &[u8],
    shadow: &[u8],
    data: &CompareData<'_>,
    findings: &mut Findings,
) -> Compared {
    compare(line_events(production), line_events(shadow), data, findings)
}

/// Compares two sequences of JSON documents.
pub(super) fn documents(
    production: Vec<&[u8]>,
    shadow: Vec<&[u8]>,
    data: &CompareData<'_>,
    findings: &mut Findings,
) -> Compared {
    let events = |documents: Vec<&'_ [u8]>| -> Option<Vec<Event<'_>>> {
        let event = |data| Event {
            data: Cow::Owned(Vec::from(data)),
            ..Event::default()
        };
        (documents.len() <= MAX_EVENTS).then(|| documents.into_iter().map(event).collect())
    };
    compare(events(production), events(shadow), data, findings)
}

/// Compares two bodies of server-sent events.
pub(super) fn stream(
    production: &[u8],
    shadow: &[u8],
    data: &CompareData<'_>,
    findings: &mut Findings,
) -> Compared {
    compare(stream_events(production), stream_events(shadow), data, findings)
}

fn compare(
    left: Option<Vec<Event<'_>>>,
    right: Option<Vec<Event<'_>>>,
    data: &CompareData<'_>,
    findings: &mut Findings,
) -> Compared {
    let (Some(left), Some(right)) = (left, right) else {
        return Compared::Not;
    };
    let same = |a: usize, b: usize| {
        let (Some(a), Some(b)) = (left.get(a), right.get(b)) else {
            return false;
        };
        let mut probe = Findings::new(0);
        events(a, b, data, &mut probe);
        !probe.is_full()
    };
    let state = DefaultHashBuilder::default();
    let features = |events: &[Event<'_>]| -> Vec<Features> {
        events
            .iter()
            .map(|event| likeness::features(&event.data, &state))
            .collect()
    };
    let (pairs, moved) = lists::pairs(&features(&left), &features(&right), same);
    if moved {
        let shown = |events: &[Event<'_>]| format!("{} events", events.len());
        findings.push(Category::Order, "events", shown(&left), shown(&right));
    }
    for pair in pairs {
        if findings.is_full() {
            break;
        }
        let (Pair::Both(index, _) | Pair::Production(index) | Pair::Shadow(index)) = pair;
        let place = format!("event {}", index.saturating_add(1));
        findings.within(&place, |findings| match pair {
            Pair::Both(a, b) => {
                if let (Some(a), Some(b)) = (left.get(a), right.get(b)) {
                    events(a, b, data, findings);
                }
            }
            Pair::Production(a) => {
                let shown = left.get(a).map_or_else(String::new, |event| shorten(&event.data));
                findings.push(Category::Missing, "body", shown, ABSENT);
            }
            Pair::Shadow(b) => {
                let shown = right
                    .get(b)
                    .map_or_else(String::new, |event| shorten(&event.data));
                findings.push(Category::Added, "body", ABSENT, shown);
            }
        });
    }
    Compared::Done
}

/// An `id` is opaque and chosen by each system: only its presence is compared.
fn events(a: &Event<'_>, b: &Event<'_>, data: &CompareData<'_>, findings: &mut Findings) {
    for (place, a, b) in [("name", a.name, b.name), ("retry", a.retry, b.retry)] {
        if a != b {
            findings.push(Category::Value, place, shorten(a), shorten(b));
        }
    }
    if a.has_id != b.has_id {
        let category = if a.has_id {
            Category::Missing
        } else {
            Category::Added
        };
        let shown = |has: bool| if has { PRESENT } else { ABSENT };
        findings.push(category, "id", shown(a.has_id), shown(b.has_id));
    }
    if a.data != b.data {
        data(&a.data, &b.data, findings);
    }
}

/// Lines, or texts after a record separator (RFC 7464), without empty ones.
fn line_events(body: &[u8]) -> Option<Vec<Event<'_>>> {
    let mut events = Vec::new();
    let lines = body
        .split(|byte| matches!(byte, b'\n' | 0x1e))
        .map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty()) {
        if events.len() >= MAX_EVENTS {
            return None;
        }
        events.push(Event {
            data: Cow::Borrowed(line),
            ..Event::default()
        });
    }
    Some(events)
}

/// Parsed as in the HTML standard (section 9.2.6), but an event that the end of the body cuts off is kept: the standard
/// drops it, and a difference in it would be missed.
fn stream_events(body: &[u8]) -> Option<Vec<Event<'_>>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut events = Vec::new();
    let mut event = Event::default();
    let mut any = false;
    // A blank line at the end closes the last one.
    for line in stream_lines(body).chain([&b""[..]]) {
        if line.is_empty() {
            if core::mem::take(&mut any) {
                if events.len() >= MAX_EVENTS {
                    return None;
                }
                events.push(core::mem::take(&mut event));
            }
            continue;
        }
        let at = memchr::memchr(b':', line);
        let (field, value) = at.and_then(|at| line.split_at_checked(at)).unwrap_or((line, b""));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" if event.data.is_empty() => event.data = Cow::Borrowed(value),
            b"data" => {
                let data = event.data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            b"event" => event.name = value,
            b"id" => event.has_id = true,
            b"retry" => event.retry = value,
            // Comments keep the connection open; other fields are ignored.
            _ => continue,
        }
        any = true;
    }
    Some(events)
}

/// Lines that end with CRLF, LF or CR.
pub(crate) fn stream_lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(body);
    core::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = memchr::memchr2(b'\n', b'\r', text) else {
            rest = None;
            return Some(text);
        };
        let (line, behind) = text.split_at_checked(at)?;
        rest = behind.strip_prefix(b"\r\n").or_else(|| behind.get(1..));
        Some(line)
    })
}
