//! The values of two answers to the same request that are at the same place.
//!
//! Owns: which values of two answers belong together. Bounds: [`PAIRS`] of one exchange. Bias: members are matched by
//! name. The elements of an array are matched by their other content, where that is unique on both sides; their
//! position says nothing, because two systems may order them differently.

mod markup;

use core::ops::Range;
use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};
use shadow_proto::exchange::Headers;

use crate::compare::tape::{Kind, Tape, Value};

use super::{
    class::{Class, is_between_words},
    edit::{self, Names, Written},
    message::{self, Document, Notation},
    place::{Place, Role, Segments},
    seed,
};

/// Pairs of one exchange.
const PAIRS: usize = 16_384;

/// Arrays within arrays whose elements are matched: their content is read once for each.
const ARRAYS: u8 = 3;

/// Two values at one place.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) place: Place<'static>,
    pub(super) production: Vec<u8>,
    pub(super) shadow: Vec<u8>,
    /// Where the shadow system's document has its value, and how it is written there.
    pub(super) at: Option<(Range<usize>, Written)>,
    pub(super) belongs: Belongs,
}

/// Why two values belong together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Belongs {
    /// They have the same name, so what they show can be learned.
    Certainly,
    /// They are at the same position: enough to judge them by what is known.
    ByPosition,
    /// They are references at the same position.
    AsReference,
}

/// Whether anything can be learned from a value of production at a place.
pub(super) type Matters<'m> = dyn Fn(&Place<'_>, &[u8]) -> bool + 'm;

/// The fields of an answer, and its content if that is a document.
pub(super) type Answer<'a> = (&'a Headers, Option<&'a Document<'a>>);

/// The pairs of two answers to a request for `path`, those of the fields first.
/// Only scalars of documents that matter are returned.
pub(super) fn of(
    path: &str,
    (production, ours): Answer<'_>,
    (shadow, theirs): Answer<'_>,
    matters: &Matters<'_>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for name in ["location", "content-location"] {
        let [a, b] = [production, shadow].map(|headers| headers.get(name).and_then(text));
        if let (Some(a), Some(b)) = (a, b) {
            urls(a, b, &mut pairs);
        }
    }
    cookies(production, shadow, &mut pairs);
    if let (Some(a), Some(b)) = (production.get("etag"), shadow.get("etag")) {
        let place = edit::etag_place(&message::tagged(production, path));
        pairs.push(Pair {
            place,
            production: a.trim_ascii().to_vec(),
            shadow: b.trim_ascii().to_vec(),
            at: None,
            belongs: Belongs::Certainly,
        });
    }
    if let (Some(a), Some(b)) = (ours, theirs)
        && a.notation == b.notation
    {
        documents((a, b), &Segments::subject(path), matters, &mut pairs);
    }
    pairs.truncate(PAIRS);
    pairs
}

fn documents(
    (a, b): (&Document<'_>, &Document<'_>),
    subject: &str,
    matters: &Matters<'_>,
    pairs: &mut Vec<Pair>,
) {
    if a.notation != Notation::Json {
        let spots = |of: &Document<'_>| edit::spots(&of.text, of.notation == Notation::Html, subject);
        return markup::pairs((&spots(a), &spots(b)), matters, pairs);
    }
    if let (Ok(a), Ok(b)) = (Tape::parse(&a.text), Tape::parse(&b.text))
        && let (Some(a), Some(b)) = (a.root(), b.root())
    {
        let mut walk = Walk {
            pairs,
            matters,
            arrays: 0,
        };
        walk.values((a, b), &Names::of(subject), None);
    }
}

fn text(value: &[u8]) -> Option<&str> {
    core::str::from_utf8(value).ok()
}

/// The segments and query values of two references that have the same names.
fn urls(production: &str, shadow: &str, pairs: &mut Vec<Pair>) {
    let list = |url: &str| {
        let mut all = Vec::new();
        edit::url(url, &mut |place, value| {
            all.push((place.to_static(), value.to_vec()));
            None
        });
        all
    };
    let (a, b) = (list(production), list(shadow));
    let same_names = a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| {
            let is_name = |value: &[u8]| !value.iter().any(u8::is_ascii_digit);
            a.0 == b.0 && (a.1 == b.1 || !is_name(&a.1) && !is_name(&b.1))
        });
    if !same_names {
        return;
    }
    for ((place, production), (_, shadow)) in a.into_iter().zip(b) {
        pairs.push(Pair {
            place,
            production,
            shadow,
            at: None,
            belongs: Belongs::Certainly,
        });
    }
}

/// Cookies of one name; one that is set several times is left out.
fn cookies(production: &Headers, shadow: &Headers, pairs: &mut Vec<Pair>) {
    let list = |headers: &Headers| {
        let mut all: HashMap<Place<'static>, Option<Vec<u8>>> = HashMap::new();
        for value in headers.get_all("set-cookie") {
            edit::set_cookie(value, &mut |place, value| {
                let value = value.to_vec();
                all.entry(place.to_static())
                    .and_modify(|known| *known = None)
                    .or_insert(Some(value));
                None
            });
        }
        all
    };
    let mut others = list(shadow);
    for (place, value) in list(production) {
        if let (Some(production), Some(Some(shadow))) = (value, others.remove(&place)) {
            pairs.push(Pair {
                place,
                production,
                shadow,
                at: None,
                belongs: Belongs::Certainly,
            });
        }
    }
}

/// The walk over two documents.
struct Walk<'w> {
    pairs: &'w mut Vec<Pair>,
    matters: &'w Matters<'w>,
    /// Arrays around the present values.
    arrays: u8,
}

impl Walk<'_> {
    /// Recursion depth is that of the documents, which the parser bounds.
    fn values(&mut self, (a, b): (Value<'_>, Value<'_>), names: &Names<'_>, key: Option<(&Names<'_>, &str)>) {
        if self.pairs.len() >= PAIRS {
            return;
        }
        match (a.kind(), b.kind()) {
            (Kind::Object, Kind::Object) => self.members((a, b), names),
            (Kind::Array, Kind::Array) if self.arrays < ARRAYS => {
                self.arrays = self.arrays.saturating_add(1);
                self.elements((a, b), names, key);
                self.arrays = self.arrays.saturating_sub(1);
            }
            _ if a.kind().is_scalar() => {
                let place = key.map_or_else(|| names.place(None), |(names, key)| names.place(Some(key)));
                self.scalars((a, b), &place);
            }
            _ => {}
        }
    }

    fn members(&mut self, (a, b): (Value<'_>, Value<'_>), names: &Names<'_>) {
        let inside = names.inside(a);
        let others: HashMap<Cow<'_, [u8]>, Value<'_>> =
            b.members().map(|(name, value)| (name.string(), value)).collect();
        for (name, member) in a.members() {
            let key = name.string();
            let Some(other) = others.get(&key) else {
                continue;
            };
            let key = String::from_utf8_lossy(&key);
            if member.kind().is_scalar() {
                self.scalars((member, *other), &inside.place(Some(&key)));
            } else {
                let of = (&inside, &*key);
                self.values((member, *other), &inside.member(&key), Some(of));
            }
        }
    }

    fn scalars(&mut self, (a, b): (Value<'_>, Value<'_>), place: &Place<'_>) {
        if !a.kind().is_text_or_number() || !b.kind().is_text_or_number() {
            return;
        }
        let (production, shadow) = (a.content(), b.content());
        let reference = |value: &[u8]| {
            let may_be = matches!(value.first(), Some(b'/' | b'h'));
            may_be && text(value).is_some_and(edit::is_reference)
        };
        if reference(&production) && reference(&shadow) {
            if let (Some(a), Some(b)) = (text(&production), text(&shadow)) {
                urls(a, b, self.pairs);
            }
            return;
        }
        let belongs = if (self.matters)(place, &production) {
            Belongs::Certainly
        } else if production != shadow && is_text(&production) && is_text(&shadow) {
            Belongs::ByPosition
        } else {
            return;
        };
        let written = match b.kind() {
            Kind::Number => Written::Number,
            _ => Written::String,
        };
        self.pairs.push(Pair {
            place: place.to_static(),
            production: production.into_owned(),
            shadow: shadow.into_owned(),
            at: Some((b.range(), written)),
            belongs,
        });
    }

    /// Elements whose other content is the same, and is that of no other element.
    fn elements(
        &mut self,
        (a, b): (Value<'_>, Value<'_>),
        names: &Names<'_>,
        key: Option<(&Names<'_>, &str)>,
    ) {
        if a.raw() == b.raw() {
            // Equal elements belong together.
            for pair in a.elements().zip(b.elements()) {
                self.values(pair, names, key);
            }
            return;
        }
        let [ours, theirs] = [a, b].map(|array| -> Vec<(u64, Value<'_>)> {
            let elements = array.elements();
            elements
                .map(|element| (signature(element, names), element))
                .collect()
        });
        let once = |all: &[(u64, Value<'_>)]| {
            let mut by_sign: HashMap<u64, Option<usize>> = HashMap::new();
            for (at, (sign, _)) in all.iter().enumerate() {
                by_sign
                    .entry(*sign)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(at));
            }
            by_sign
        };
        let (own, other) = (once(&ours), once(&theirs));
        for (sign, element) in &ours {
            let is_unique = own.get(sign).is_some_and(Option::is_some);
            let partner = other.get(sign).copied().flatten().filter(|_| is_unique);
            if let Some((_, other)) = partner.and_then(|at| theirs.get(at)) {
                self.values((*element, *other), names, key);
            }
        }
    }
}

/// Whether a value may be several words of which one is an identifier.
fn is_text(value: &[u8]) -> bool {
    value.iter().any(|byte| is_between_words(*byte)) && value.iter().any(u8::is_ascii_digit)
}

/// A hash of the content of an element without values that two systems make for themselves. The order of members does
/// not matter.
fn signature(value: Value<'_>, names: &Names<'_>) -> u64 {
    use core::hash::BuildHasher as _;
    match value.kind() {
        Kind::Object => {
            let inside = names.inside(value);
            let members = value.members().map(|(name, member)| {
                let key = name.string();
                let key = String::from_utf8_lossy(&key);
                let is_own = member.kind().is_scalar()
                    && (inside.place(Some(&key)).role != Role::Bare || is_made(&member.content()));
                if is_own {
                    seed().hash_one(&*key)
                } else {
                    seed().hash_one((&*key, signature(member, &inside.member(&key))))
                }
            });
            members.fold(1, u64::wrapping_add)
        }
        Kind::Array => value.elements().fold(2, |sum: u64, element| {
            seed().hash_one((sum, signature(element, names)))
        }),
        Kind::Number | Kind::Plain | Kind::Escaped => {
            let content = value.content();
            if is_made(&content) {
                3
            } else {
                seed().hash_one(&*content)
            }
        }
        kind => seed().hash_one(kind.name()),
    }
}

/// Whether a system made the value for itself: an identifier that is unique everywhere, a reference, or a time.
fn is_made(value: &[u8]) -> bool {
    Class::of(value).is_unique()
        || text(value).is_some_and(|text| edit::is_reference(text) || crate::compare::nanos(text).is_some())
}

/// The values that a shadow answer has, at the places that mean the same.
pub(super) fn keys(answer: Answer<'_>, path: &str, key: &dyn Fn(&Place<'_>, &[u8]) -> u64) -> HashSet<u64> {
    let mut all = HashSet::new();
    let mut visit = |place: &Place<'_>, value: &[u8]| {
        all.insert(key(place, value));
        None
    };
    message::visit_answer(answer, path, &mut visit);
    all
}
