//! Lists of events and of parts: which belong together.
//!
//! By position. Where one list is longer, the equal ones at both ends are set aside first, so that one event more or
//! less is one discrepancy and not one for each that follows.

/// An item on both sides or on one, by index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pair {
    Both(usize, usize),
    Production(usize),
    Shadow(usize),
}

/// The pairs of two lists of these lengths; `same` says whether two items are equal, and is asked once for each pair
/// at most.
pub(super) fn pairs(left: usize, right: usize, mut same: impl FnMut(usize, usize) -> bool) -> Vec<Pair> {
    let shorter = left.min(right);
    let mut start = 0usize;
    let mut end = 0usize;
    if left != right {
        while start < shorter && same(start, start) {
            start = start.saturating_add(1);
        }
        // From the end: the item `end` before the last of each.
        let at = |len: usize, end: usize| len.saturating_sub(end).saturating_sub(1);
        while start.saturating_add(end) < shorter && same(at(left, end), at(right, end)) {
            end = end.saturating_add(1);
        }
    }
    let (left, right) = (left.saturating_sub(end), right.saturating_sub(end));
    (start..left.max(right))
        .map(|index| match (index < left, index < right) {
            (true, true) => Pair::Both(index, index),
            (true, false) => Pair::Production(index),
            _ => Pair::Shadow(index),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Pair::*, *};

    fn of(left: &str, right: &str) -> Vec<Pair> {
        let (a, b) = (left.as_bytes(), right.as_bytes());
        pairs(a.len(), b.len(), |x, y| a[x] == b[y])
    }

    #[test]
    fn one_more_or_less_is_one_pair() {
        assert_eq!(of("abc", "abXc"), [Shadow(2)]);
        assert_eq!(of("abXc", "abc"), [Production(2)]);
        assert_eq!(of("aaa", "aa"), [Production(2)]);
        assert_eq!(of("", "a"), [Shadow(0)]);
        assert_eq!(of("abc", "aXc"), [Both(0, 0), Both(1, 1), Both(2, 2)]);
        assert_eq!(of("abcd", "aXd"), [Both(1, 1), Production(2)]);
        assert_eq!(of("", ""), []);
    }
}
