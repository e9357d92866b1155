//! Identity of array elements: a member that is unique in both arrays, or else the parts of an element that do not look
//! new each time.
//!
//! Bounds: members of the first element that are tried ([`CANDIDATES`]), leaves of an element that are considered
//! ([`LEAVES`]).

use core::hash::BuildHasher as _;

use hashbrown::HashSet;

use crate::compare::{
    align::{self, Features},
    inside::words::is_volatile,
};

use super::{
    array::Trimmed,
    diff::{Diff, Element},
    tape::{Kind, Value},
};

/// Members that are tried as identifiers.
const CANDIDATES: usize = 24;

/// Leaves of one element that are considered.
const LEAVES: usize = 32;

/// Names that usually identify elements, best first.
const NAMES: [&str; 14] = [
    "id", "@id", "_id", "uuid", "key", "sku", "code", "slug", "name", "rel", "href", "url", "path", "title",
];

impl<'d> Diff<'d, '_> {
    /// The name of the member that identifies the elements of both arrays: unique, in every element, with a known name
    /// or text values, and with the most values in common.
    pub(super) fn key_of(&self, arrays: &Trimmed<'_, 'd>) -> Option<Value<'d>> {
        let ([start, end], [left, right]) = (arrays.ends, arrays.middle);
        let (_, first) = start.iter().chain(left).chain(end).next()?;
        if first.kind() != Kind::Object {
            return None;
        }
        let mut candidates: Vec<(usize, Value<'d>)> = first
            .members()
            .filter_map(|(name, value)| {
                let known = NAMES.iter().position(|known| *name.string() == *known.as_bytes());
                let text = matches!(value.kind(), Kind::Plain | Kind::Escaped);
                (value.kind().is_text_or_number() && (text || known.is_some()))
                    .then(|| (known.unwrap_or(NAMES.len()), name))
            })
            .take(CANDIDATES)
            .collect();
        // Names that usually identify elements come first, even if a few elements more or less match.
        candidates.sort_by_key(|(rank, _)| *rank);
        let shorter = left.len().min(right.len());
        let least = shorter
            .saturating_add(start.len())
            .saturating_add(end.len())
            .div_ceil(2);
        let mut best: Option<(usize, Value<'d>)> = None;
        for (rank, name) in candidates {
            let shared = self.shared(&name.string(), arrays).unwrap_or_default();
            if shared < least.max(1) {
                continue;
            }
            if rank < NAMES.len() {
                return Some(name);
            }
            if best.is_none_or(|(most, _)| shared > most) {
                best = Some((shared, name));
            }
        }
        best.map(|(_, name)| name)
    }

    /// How many values of a member both arrays have; `None` unless every element has one of its own.
    ///
    /// Elements that are equal on both sides are read once.
    fn shared(&self, name: &[u8], arrays: &Trimmed<'_, 'd>) -> Option<usize> {
        let ([start, end], [left, right]) = (arrays.ends, arrays.middle);
        let hash = |(_, element): &Element<'d>| {
            let value = element.member(name)?;
            let known = value.kind().is_text_or_number();
            known.then(|| self.state.hash_one(value.content()))
        };
        let ends = start.len().saturating_add(end.len());
        let mut seen = HashSet::with_capacity(ends.saturating_add(left.len()));
        for element in start.iter().chain(end) {
            seen.insert(hash(element)?).then_some(())?;
        }
        let mut others = Vec::with_capacity(right.len());
        for element in right {
            let hash = hash(element)?;
            (!seen.contains(&hash)).then_some(())?;
            others.push(hash);
        }
        for element in left {
            seen.insert(hash(element)?).then_some(())?;
        }
        let all = others.len();
        let shared = others.iter().filter(|hash| seen.contains(*hash)).count();
        others.sort_unstable();
        others.dedup();
        (others.len() == all).then_some(ends.saturating_add(shared))
    }

    /// Pairs of similar elements, by position in the two lists.
    pub(super) fn alike(&self, left: &[Element<'d>], right: &[Element<'d>]) -> Vec<(usize, usize)> {
        let leaves = |side: &[Element<'d>]| -> Vec<Features> {
            side.iter().map(|(_, value)| self.leaves(*value)).collect()
        };
        align::alike(&leaves(left), &leaves(right))
    }

    /// A number for each leaf of an element that does not look new each time, with its place in the element; sorted.
    fn leaves(&self, element: Value<'d>) -> Features {
        let mut leaves = Vec::new();
        // The names that lead to a value, as one number.
        let mut open: Vec<(u64, Value<'d>)> = vec![(0, element)];
        while let Some((at, value)) = open.pop() {
            if leaves.len() >= LEAVES || open.len() > LEAVES {
                break;
            }
            match value.kind() {
                Kind::Object => {
                    let below = |(name, value): (Value<'d>, Value<'d>)| {
                        (self.state.hash_one((at, name.string())), value)
                    };
                    open.extend(value.members().take(LEAVES).map(below));
                }
                Kind::Array => open.extend(
                    value
                        .elements()
                        .take(LEAVES)
                        .map(|value| (self.state.hash_one(at), value)),
                ),
                _ => {
                    let content = value.content();
                    let text = String::from_utf8_lossy(&content);
                    if !is_volatile(&text) {
                        leaves.push(self.state.hash_one((at, value.kind() as u8, &content)));
                    }
                }
            }
        }
        leaves.sort_unstable();
        leaves
    }
}
