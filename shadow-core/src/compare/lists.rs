//! Matching of lists of events and of parts.
//!
//! Equal items at both ends are set aside first. Of the others the most similar are paired, and the rest in order. So
//! one event more or less is one discrepancy and not one for each that follows.

use super::align::{self, Features};

/// An item on both sides or on one, by index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pair {
    Both(usize, usize),
    Production(usize),
    Shadow(usize),
}

/// The pairs of two lists in the order of the first, and whether items are in a different order in the second. `same`
/// says whether two items are equal, and is called at most once for each pair.
pub(super) fn pairs(
    left: &[Features],
    right: &[Features],
    mut same: impl FnMut(usize, usize) -> bool,
) -> (Vec<Pair>, bool) {
    let shorter = left.len().min(right.len());
    let mut start = 0usize;
    let mut end = 0usize;
    while start < shorter && same(start, start) {
        start = start.saturating_add(1);
    }
    // From the end: the item `end` places before the last of each.
    let at = |len: usize, end: usize| len.saturating_sub(end).saturating_sub(1);
    while start.saturating_add(end) < shorter && same(at(left.len(), end), at(right.len(), end)) {
        end = end.saturating_add(1);
    }
    let inner = |side: &'_ [Features]| start..side.len().saturating_sub(end);
    let (a, b) = (inner(left), inner(right));
    let alike = if a.len() == 1 && b.len() == 1 {
        Vec::new()
    } else {
        let of = |side: &'_ [Features], range: core::ops::Range<usize>| {
            side.get(range).unwrap_or_default().to_vec()
        };
        align::alike(&of(left, a.clone()), &of(right, b.clone()))
    };
    let moved = !alike.is_sorted_by_key(|(_, other)| *other);
    let (free_a, free_b) = align::unpaired(&alike, a.len(), b.len());
    let longer = free_a.len().max(free_b.len());
    let rest = (0..longer).map(|at| (free_a.get(at).copied(), free_b.get(at).copied()));
    let mut pairs: Vec<Pair> = alike
        .into_iter()
        .map(|(a, b)| (Some(a), Some(b)))
        .chain(rest)
        .filter_map(|(a, b)| {
            let (a, b) = (
                a.map(|a| start.saturating_add(a)),
                b.map(|b| start.saturating_add(b)),
            );
            match (a, b) {
                (Some(a), Some(b)) => Some(Pair::Both(a, b)),
                (Some(a), None) => Some(Pair::Production(a)),
                (None, Some(b)) => Some(Pair::Shadow(b)),
                (None, None) => None,
            }
        })
        .collect();
    pairs.sort_by_key(|pair| match pair {
        Pair::Both(at, _) | Pair::Production(at) => (*at, false),
        Pair::Shadow(at) => (*at, true),
    });
    (pairs, moved)
}

#[cfg(test)]
mod tests {
    use super::{Pair::*, *};

    fn of(left: &str, right: &str) -> (Vec<Pair>, bool) {
        let features = |text: &str| -> Vec<Features> {
            text.bytes()
                .map(|byte| {
                    if byte == b'_' {
                        Vec::new()
                    } else {
                        vec![u64::from(byte)]
                    }
                })
                .collect()
        };
        let (a, b) = (left.as_bytes(), right.as_bytes());
        pairs(&features(left), &features(right), |x, y| a[x] == b[y])
    }

    #[test]
    fn one_more_or_less_is_one_pair() {
        for (a, b, expected, moved) in [
            ("abc", "abXc", &[Shadow(2)][..], false),
            ("abXc", "abc", &[Production(2)], false),
            ("aaa", "aa", &[Production(2)], false),
            ("", "a", &[Shadow(0)], false),
            ("abc", "aXc", &[Both(1, 1)], false),
            ("abcd", "aXd", &[Both(1, 1), Production(2)], false),
            ("abcd", "acXd", &[Both(1, 2), Both(2, 1)], false),
            (
                "abcd",
                "cb",
                &[Production(0), Both(1, 1), Both(2, 0), Production(3)],
                true,
            ),
            ("", "", &[], false),
        ] {
            assert_eq!(of(a, b), (expected.to_vec(), moved), "{a} {b}");
        }
    }
}
