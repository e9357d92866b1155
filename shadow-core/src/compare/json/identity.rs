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

/// A member that may identify elements.
struct Candidate<'d> {
    name: Value<'d>,
    rank: usize,
    seen: [HashSet<u64>; 2],
}

impl<'d> Diff<'d, '_> {
    /// The name of the member that identifies the elements of both arrays: unique, in every element, with a known name
    /// or text values, and with the most values in common.
    pub(super) fn key_of(&self, left: &[Element<'d>], right: &[Element<'d>]) -> Option<Value<'d>> {
        let (_, first) = left.first().filter(|(_, first)| first.kind() == Kind::Object)?;
        let mut candidates: Vec<Candidate<'d>> = first
            .members()
            .filter_map(|(name, value)| {
                let known = NAMES.iter().position(|known| *name.string() == *known.as_bytes());
                let text = matches!(value.kind(), Kind::Plain | Kind::Escaped);
                (value.kind().is_text_or_number() && (text || known.is_some())).then(|| Candidate {
                    name,
                    rank: known.unwrap_or(NAMES.len()),
                    seen: Default::default(),
                })
            })
            .take(CANDIDATES)
            .collect();
        for (side, elements) in [left, right].into_iter().enumerate() {
            for (_, element) in elements {
                candidates.retain_mut(|candidate| {
                    let value = element.member(&candidate.name.string());
                    value
                        .filter(|value| value.kind().is_text_or_number())
                        .is_some_and(|value| {
                            let hash = self.state.hash_one(value.content());
                            candidate.seen.get_mut(side).is_some_and(|seen| seen.insert(hash))
                        })
                });
                if candidates.is_empty() {
                    return None;
                }
            }
        }
        let shared = |candidate: &Candidate<'_>| {
            let [a, b] = &candidate.seen;
            a.intersection(b).count()
        };
        let least = left.len().min(right.len()).div_ceil(2).max(1);
        let best = candidates
            .into_iter()
            .map(|candidate| (shared(&candidate), candidate))
            .filter(|(shared, _)| *shared >= least)
            // Names that usually identify elements come first, even if a few elements more or less match.
            .min_by_key(|(shared, candidate)| (candidate.rank, core::cmp::Reverse(*shared)))?;
        Some(best.1.name)
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
