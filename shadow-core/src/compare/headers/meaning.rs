//! The meaning of a header field by its name: how its values are read, so that the same meaning is the same text.
//!
//! A field is read into parts, such as the elements of a set or the parameters of a challenge. Order, case, white
//! space, empty elements, quotes and whether a list is in one field or several make a difference only where they have
//! a meaning.

use std::collections::{BTreeMap, BTreeSet};

use shadow_proto::exchange::Headers;

use crate::compare::{PRESENT, Side, instant, media};

use super::codings;

/// The parts of a field by name. A part that is only there or not has no text.
pub(super) type Parts = BTreeMap<String, String>;

/// The difference of two spans up to which they are the same: `Date` has whole seconds, and the shadow system is asked
/// a moment later.
pub(super) const MOMENT: u64 = 2;

/// How the values of a field are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Meaning {
    /// A media type.
    Media,
    /// Cache directives.
    Directives,
    /// A set of names that ignore case.
    Names,
    /// A set of tokens.
    Tokens,
    /// Content codings.
    Codings,
    /// Cookies.
    Cookies,
    /// Links.
    Links,
    /// One reference.
    Reference,
    /// Authentication schemes with their parameters.
    Challenges,
    /// One number.
    Number,
    /// A range of the content.
    Range,
    /// A number of seconds, or a date.
    Delay,
    /// A list of elements, or any text.
    Elements,
}

const MEANINGS: [(&str, Meaning); 27] = [
    ("accept-patch", Meaning::Names),
    ("accept-post", Meaning::Names),
    ("accept-ranges", Meaning::Names),
    ("access-control-allow-headers", Meaning::Names),
    ("access-control-allow-methods", Meaning::Tokens),
    ("access-control-expose-headers", Meaning::Names),
    ("access-control-max-age", Meaning::Number),
    ("age", Meaning::Number),
    ("allow", Meaning::Tokens),
    ("cache-control", Meaning::Directives),
    ("cdn-cache-control", Meaning::Directives),
    ("content-encoding", Meaning::Codings),
    ("content-language", Meaning::Names),
    ("content-length", Meaning::Number),
    ("content-location", Meaning::Reference),
    ("content-range", Meaning::Range),
    ("content-type", Meaning::Media),
    ("link", Meaning::Links),
    ("location", Meaning::Reference),
    ("pragma", Meaning::Names),
    ("proxy-authenticate", Meaning::Challenges),
    ("referer", Meaning::Reference),
    ("retry-after", Meaning::Delay),
    ("set-cookie", Meaning::Cookies),
    ("vary", Meaning::Names),
    ("www-authenticate", Meaning::Challenges),
    ("x-total-count", Meaning::Number),
];

/// Parameters of a challenge that are new in each one, or for people.
const OF_ONE_ANSWER: [&str; 4] = ["nonce", "opaque", "error_description", "cnonce"];

impl Meaning {
    pub(super) fn of(name: &str) -> Self {
        MEANINGS
            .binary_search_by(|(known, _)| (*known).cmp(name))
            .ok()
            .and_then(|at| MEANINGS.get(at))
            .map_or(Self::Elements, |(_, meaning)| *meaning)
    }

    /// Whether an answer without the field says something with it as one with the field does, so that parts are missing
    /// rather than the field.
    pub(super) fn is_said_by_parts(self) -> bool {
        matches!(self, Self::Cookies | Self::Links | Self::Codings)
    }

    /// Whether an empty field says as much as none.
    fn may_be_empty(self, name: &str) -> bool {
        // Nothing is allowed by an empty Allow (RFC 9110 section 10.2.1).
        matches!(self, Self::Names) || self == Self::Tokens && name != "allow"
    }

    /// Whether the field says nothing in an answer.
    pub(super) fn is_absent(self, name: &str, headers: &Headers) -> bool {
        let mut elements = elements(name, headers);
        headers.get(name).is_none() || self.may_be_empty(name) && elements.next().is_none()
    }

    /// The parts of a field that is read by parts of its own.
    pub(super) fn parts(self, name: &str, side: Side<'_>) -> Option<Parts> {
        let present = |element: String| (element, PRESENT.to_owned());
        let parts = match self {
            Self::Names => {
                let names = elements(name, side.headers).map(|element| element.to_ascii_lowercase());
                let names: Parts = names.map(present).collect();
                // A set with anything in it has anything in it (RFC 9110 section 12.5.5).
                if names.contains_key("*") {
                    Parts::from([present("*".to_owned())])
                } else {
                    names
                }
            }
            Self::Tokens => elements(name, side.headers).map(present).collect(),
            Self::Challenges => challenges(name, side.headers),
            Self::Directives => directives(name, side.headers),
            _ => return None,
        };
        Some(parts)
    }

    /// The values of a field as text that is equal for the same meaning.
    pub(super) fn normal(self, name: &str, headers: &Headers) -> Vec<Vec<u8>> {
        let values = headers.get_all(name);
        match self {
            Self::Media => values.map(media::normalised).collect(),
            Self::Codings => codings::named(headers)
                .into_iter()
                .map(String::into_bytes)
                .collect(),
            Self::Number => values
                .map(|value| without_zeros(&String::from_utf8_lossy(value.trim_ascii())).to_owned())
                .map(String::into_bytes)
                .collect(),
            Self::Range => values.map(range).collect(),
            _ => values
                .flat_map(|value| media::split_quoted(value, b','))
                .map(|element| element.trim_ascii().to_vec())
                .collect(),
        }
    }
}

/// The elements of a list, from all fields of a name; empty ones do not count (RFC 9110 section 5.6.1).
fn elements<'h>(name: &'h str, headers: &'h Headers) -> impl Iterator<Item = String> + 'h {
    headers
        .get_all(name)
        .flat_map(|value| media::split_quoted(value, b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
        .map(|element| String::from_utf8_lossy(element).into_owned())
}

/// The elements of one answer's set of names that another's has, too.
pub(super) fn common_names(name: &str, wanted: &Headers, headers: &Headers) -> String {
    let known: BTreeSet<String> = elements(name, wanted)
        .map(|element| element.to_ascii_lowercase())
        .collect();
    let common: Vec<String> = elements(name, headers)
        .filter(|element| known.contains(&element.to_ascii_lowercase()))
        .collect();
    common.join(", ")
}

/// Cache directives by name, which ignores case, with their argument (RFC 9111 section 5.2): unquoted, a number without
/// leading zeros, a list without blanks. They have no order, and of several with one name the first counts.
fn directives(name: &str, headers: &Headers) -> Parts {
    let mut all = Parts::new();
    for element in elements(name, headers) {
        let (name, argument) = element.split_once('=').unwrap_or((&element, ""));
        let argument = media::unquoted(argument.trim().as_bytes());
        let argument = String::from_utf8_lossy(&argument);
        let items: Vec<&str> = argument
            .split(',')
            .map(|item| without_zeros(item.trim()))
            .collect();
        let argument = match items.join(",") {
            none if none.is_empty() => PRESENT.to_owned(),
            argument => argument,
        };
        all.entry(name.trim().to_ascii_lowercase()).or_insert(argument);
    }
    all
}

/// A number without leading zeros; other text as it is.
fn without_zeros(text: &str) -> &str {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.trim_start_matches('0') {
        _ if !is_number => text,
        "" => "0",
        number => number,
    }
}

/// A range of the content without optional white space, its unit in lower case (RFC 9110 section 14.4).
fn range(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace);
    let Some((unit, range)) = end.and_then(|end| value.split_at_checked(end)) else {
        return value.to_vec();
    };
    let mut normal = unit.to_ascii_lowercase();
    normal.push(b' ');
    normal.extend(range.iter().filter(|byte| !byte.is_ascii_whitespace()));
    normal
}

/// Authentication schemes, and their parameters by name (RFC 9110 section 11.6.1): `basic`, `basic realm`.
fn challenges(name: &str, headers: &Headers) -> Parts {
    let mut parts = Parts::new();
    let mut schemes: BTreeMap<String, usize> = BTreeMap::new();
    let mut scheme = String::new();
    for element in elements(name, headers) {
        // `Scheme`, `Scheme name=value`, `Scheme token68`, or a further `name=value` of the last one.
        let first = element.split([' ', '\t', '=']).next().unwrap_or_default();
        let rest = element.get(first.len()..).unwrap_or_default().trim_start();
        let parameter = if rest.starts_with('=') {
            element.as_str()
        } else {
            scheme = first.to_ascii_lowercase();
            let count = schemes.entry(scheme.clone()).or_default();
            *count = count.saturating_add(1);
            if *count > 1 {
                scheme = format!("{scheme} {count}");
            }
            parts.insert(scheme.clone(), PRESENT.to_owned());
            rest
        };
        let Some((name, value)) = parameter.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        // Text that ends in `=` and has no name is a token68.
        if OF_ONE_ANSWER.contains(&name.as_str()) || value.trim_matches('=').is_empty() {
            continue;
        }
        let value = media::unquoted(value.trim().as_bytes());
        let value = String::from_utf8_lossy(&value).into_owned();
        let ignores_case = matches!(name.as_str(), "charset" | "algorithm" | "stale" | "qop");
        let value = if ignores_case {
            value.to_ascii_lowercase()
        } else {
            value
        };
        parts.insert(format!("{scheme} {name}"), value);
    }
    parts
}

/// Whether two delays are the same: seconds, or a date by the clock of its answer (RFC 9110 section 10.2.3). A date of
/// an answer without a clock may be any time from now.
pub(super) fn same_delay(name: &str, production: &Headers, shadow: &Headers) -> bool {
    let read = |headers: &Headers| {
        let text = core::str::from_utf8(headers.get(name)?).ok()?.trim();
        if let Ok(seconds) = text.parse::<u32>() {
            return Some(Some(i64::from(seconds)));
        }
        let date = instant::any_date(text)?;
        Some(clock(headers).map(|clock| date.saturating_sub(clock).max(0)))
    };
    match (read(production), read(shadow)) {
        (Some(Some(a)), Some(Some(b))) => a.abs_diff(b) <= MOMENT,
        (Some(_), Some(_)) => true,
        _ => false,
    }
}

/// When an answer was made, in seconds since 1970.
pub(super) fn clock(headers: &Headers) -> Option<i64> {
    instant::any_date(core::str::from_utf8(headers.get("date")?).ok()?)
}

/// Whether a field says nothing by itself in these answers.
pub(super) fn is_beside_the_point(name: &str, production: Side<'_>, shadow: Side<'_>) -> bool {
    // Which part of the content it is follows from the status.
    matches!(name, "content-range" | "accept-ranges") && production.status != shadow.status
}
