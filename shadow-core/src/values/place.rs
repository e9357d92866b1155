//! The place of a value, and what it says about the value: the kind of thing that it names, and whether it must be an
//! identifier.
//!
//! Owns: the names of things. A collection in a path (`/orders/8123`), a field (`order_id`) and an object (`"order":
//! {"id": ...}`) have the same name, `order`, so that an identifier that one of them introduces is known in the others.
//! Bias: two names that may mean the same and are not certain to do so stay apart; then nothing is replaced.

use std::borrow::Cow;

/// The kind of value that a place has.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Role {
    /// It is an identifier of the named thing: a path segment behind a collection, `id`, `order_id`.
    Id,
    /// It may be one: a field that has the name of a thing. Whether it is must be proven.
    Bare,
    /// A field for tokens: `csrf_token`, `next_cursor`.
    Token,
    /// A value that is set anew now and then: a cookie, an entity tag.
    Current,
}

/// The place of a value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Place<'a> {
    pub(super) role: Role,
    /// The name of the thing.
    pub(super) noun: Cow<'a, str>,
}

/// Fields that name the object that they are in.
const IDS: [&str; 8] = ["id", "_id", "uuid", "guid", "pk", "@id", "objectid", "_key"];

/// Endings of fields that name another object, the longest first.
const REFERENCES: [&str; 14] = [
    "_uuids", "_uuid", "_guid", "-uuid", "_ids", "-ids", "_id", "-id", "_pk", "_ref", "Uuid", "Ids", "Id",
    "ID",
];

/// Parts of the names of fields for tokens.
pub(super) const TOKENS: [&str; 6] = ["token", "csrf", "xsrf", "nonce", "cursor", "sessionid"];

/// Fields that count or page and never name anything.
const PLAIN: [&str; 18] = [
    "page",
    "limit",
    "offset",
    "size",
    "count",
    "total",
    "per_page",
    "perpage",
    "page_size",
    "skip",
    "take",
    "start",
    "end",
    "sort",
    "order_by",
    "quantity",
    "amount",
    "price",
];

/// Names of objects that only wrap what a request is about.
const WRAPPERS: [&str; 12] = [
    "data",
    "result",
    "results",
    "items",
    "records",
    "content",
    "entries",
    "value",
    "values",
    "response",
    "hits",
    "_embedded",
];

impl<'a> Place<'a> {
    /// The place of a field with this name in an object that is called `noun`.
    pub(super) fn field(noun: &'a str, name: &'a str) -> Self {
        if IDS.iter().any(|id| name.eq_ignore_ascii_case(id)) {
            let noun = Cow::Borrowed(noun);
            return Self { role: Role::Id, noun };
        }
        if is_token_name(name) {
            return Self {
                role: Role::Token,
                noun: singular(name),
            };
        }
        let stem = REFERENCES.iter().find_map(|end| name.strip_suffix(end));
        match stem.filter(|stem| !stem.is_empty()) {
            Some(stem) => Self {
                role: Role::Id,
                noun: singular(stem),
            },
            None => Self {
                role: Role::Bare,
                noun: singular(name),
            },
        }
    }

    pub(super) fn to_static(&self) -> Place<'static> {
        Place {
            role: self.role,
            noun: Cow::Owned(self.noun.clone().into_owned()),
        }
    }

    /// Whether the field can only be a count.
    pub(super) fn is_plain(&self) -> bool {
        self.role == Role::Bare && PLAIN.iter().any(|plain| self.noun.eq_ignore_ascii_case(plain))
    }
}

/// Whether a field of this name has a token.
pub(super) fn is_token_name(name: &str) -> bool {
    let name = name.as_bytes();
    (0..name.len()).any(|at| {
        let rest = name.get(at..).unwrap_or_default();
        TOKENS.iter().any(|part| {
            rest.get(..part.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(part.as_bytes()))
        })
    })
}

/// The name of an object in a member `key` of an object that is called `noun`. The object around a resource has no
/// identifier of its own (`named` says whether it has one).
pub(super) fn nested<'a>(noun: &'a str, key: &'a str, named: bool) -> Cow<'a, str> {
    let wraps = !named && WRAPPERS.iter().any(|wrapper| key.eq_ignore_ascii_case(wrapper));
    if wraps { Cow::Borrowed(noun) } else { singular(key) }
}

/// A name in lower case, without separators, in the singular by the rules that cover most words. It need not be a word,
/// only the same for both forms.
pub(super) fn singular(name: &str) -> Cow<'_, str> {
    let is_lower = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let name: Cow<'_, str> = if is_lower {
        Cow::Borrowed(name)
    } else {
        let kept = name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' '));
        Cow::Owned(kept.map(|c| c.to_ascii_lowercase()).collect())
    };
    let end = |cut: &str, add: &str| {
        let stem = name.strip_suffix(cut).filter(|stem| stem.len() > 1)?;
        Some(format!("{stem}{add}"))
    };
    if !name.ends_with('s') || name.ends_with("ss") || name.ends_with("us") || name.len() < 3 {
        return name;
    }
    let es = ["sses", "xes", "ches", "shes", "zes"];
    if es.iter().any(|es| name.ends_with(es)) {
        return end("es", "").map_or(name.clone(), Cow::Owned);
    }
    end("ies", "y")
        .or_else(|| end("s", ""))
        .map_or(name.clone(), Cow::Owned)
}

/// The segments of a path with the place of each: behind a name, an identifier of what the name says.
pub(super) struct Segments<'p> {
    rest: Option<&'p str>,
    start: usize,
    noun: Cow<'p, str>,
    /// Whether the segment before was a name.
    is_behind: bool,
}

/// One segment of a path.
pub(super) struct Segment<'p> {
    pub(super) text: &'p str,
    /// Its first byte in the path.
    pub(super) start: usize,
    pub(super) place: Place<'p>,
}

impl<'p> Segments<'p> {
    pub(super) fn of(path: &'p str) -> Self {
        Self {
            rest: Some(path),
            start: 0,
            noun: Cow::Borrowed("/"),
            is_behind: false,
        }
    }

    /// The name of what the last part of a path is about: `/orders/8123/lines` is about a `line`, `/orders/8123` about
    /// an `order`.
    pub(super) fn subject(path: &'p str) -> Cow<'p, str> {
        let mut all = Self::of(path);
        while all.next().is_some() {}
        all.noun
    }
}

impl<'p> Iterator for Segments<'p> {
    type Item = Segment<'p>;

    fn next(&mut self) -> Option<Segment<'p>> {
        loop {
            let rest = self.rest?;
            let (text, after) = match rest.split_once('/') {
                Some((text, after)) => (text, Some(after)),
                None => (rest, None),
            };
            let start = self.start;
            self.start = start.saturating_add(text.len()).saturating_add(1);
            self.rest = after;
            if text.is_empty() {
                continue;
            }
            let noun = if self.is_behind || self.noun == "/" {
                self.noun.clone()
            } else {
                // A second identifier behind the first is not of the same kind.
                Cow::Owned(format!("{}/", self.noun))
            };
            self.is_behind = is_name(text);
            if self.is_behind {
                self.noun = singular(text);
            }
            let role = Role::Id;
            return Some(Segment {
                text,
                start,
                place: Place { role, noun },
            });
        }
    }
}

/// Whether a segment may be the name of a collection: a word of letters, as opposed to an identifier.
fn is_name(segment: &str) -> bool {
    let word = segment
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.'));
    let version = segment
        .strip_prefix('v')
        .is_some_and(|rest| rest.parse::<u8>().is_ok());
    word || version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_a_field_and_an_object_have_one_name() {
        for name in ["orders", "order", "Orders"] {
            assert_eq!(singular(name), "order", "{name}");
        }
        for (a, b) in [
            ("categories", "category"),
            ("boxes", "box"),
            ("addresses", "address"),
            ("line-items", "LineItem"),
            ("statuses", "statuses"),
        ] {
            assert_eq!(singular(a), singular(b), "{a}");
        }
        let id = |noun: &'static str, name: &'static str| Place::field(noun, name);
        assert_eq!(id("order", "id").noun, "order");
        assert_eq!(id("line", "order_id"), id("x", "orderId"));
        assert_eq!(id("line", "order_ids"), id("x", "orderID"));
        assert_eq!(id("line", "order").role, Role::Bare);
        assert_eq!(id("login", "csrfmiddlewaretoken").role, Role::Token);
        assert!(Place::field("order", "page").is_plain());
        assert_eq!(
            Place::field("order", "paid").role,
            Role::Bare,
            "a word, no identifier"
        );
    }

    #[test]
    fn a_segment_behind_a_name_is_an_identifier_of_it() {
        let of = |path: &'static str| -> Vec<(String, String)> {
            Segments::of(path)
                .map(|segment| (segment.text.to_owned(), segment.place.noun.into_owned()))
                .collect()
        };
        let pair = |text: &str, noun: &str| (text.to_owned(), noun.to_owned());
        assert_eq!(
            of("/api/v1/orders/8123/lines/2"),
            [
                pair("api", "/"),
                pair("v1", "api"),
                pair("orders", "v1"),
                pair("8123", "order"),
                pair("lines", "order/"),
                pair("2", "line"),
            ]
        );
        assert_eq!(of("/maps/3/7").last(), Some(&pair("7", "map/")));
        assert_eq!(Segments::subject("/orders/8123/lines"), "line");
        assert_eq!(Segments::subject("/orders/8123"), "order");
        assert_eq!(Segments::subject("/"), "/");
    }

    #[test]
    fn a_wrapper_has_the_name_of_the_resource_unless_it_is_one_itself() {
        assert_eq!(nested("order", "data", false), "order");
        assert_eq!(nested("order", "items", false), "order");
        assert_eq!(nested("order", "items", true), "item");
        assert_eq!(nested("order", "customer", false), "customer");
    }
}
