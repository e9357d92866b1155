//! Pairs the unequal items of two lists by those of their parts that do not look new each time.
//!
//! Bounds: pairs that are weighed against each other ([`WEIGHED`]); beyond that, only items whose features are all
//! equal are paired. Deterministic: among equal choices the nearest, then the first.

use hashbrown::{HashMap, HashSet};

/// Pairs of items that are weighed against each other.
const WEIGHED: usize = 1 << 14;

/// The features of an item: numbers for its parts, sorted.
pub(super) type Features = Vec<u64>;

/// The pairs of items that have something in common, by position in the two lists, sorted. First those with equal
/// features, then those that share most.
pub(super) fn alike(a: &[Features], b: &[Features]) -> Vec<(usize, usize)> {
    let mut open: HashMap<&[u64], Vec<usize>> = HashMap::new();
    for (at, features) in b.iter().enumerate().rev() {
        if !features.is_empty() {
            open.entry(features.as_slice()).or_default().push(at);
        }
    }
    let mut pairs = Vec::new();
    let (mut free_a, mut is_free) = (Vec::new(), vec![true; b.len()]);
    for (at, features) in a.iter().enumerate() {
        match open.get_mut(features.as_slice()).and_then(Vec::pop) {
            Some(other) => {
                pairs.push((at, other));
                if let Some(free) = is_free.get_mut(other) {
                    *free = false;
                }
            }
            None => free_a.push(at),
        }
    }
    let free_b: Vec<usize> = (0..b.len())
        .filter(|at| is_free.get(*at) == Some(&true))
        .collect();
    if free_a.len().saturating_mul(free_b.len()) <= WEIGHED {
        most_alike((a, &free_a), (b, &free_b), &mut pairs);
    }
    pairs.sort_unstable();
    pairs
}

/// Adds pairs of unpaired items that share at least a third of the features of one of them.
fn most_alike(
    (a, free_a): (&[Features], &[usize]),
    (b, free_b): (&[Features], &[usize]),
    pairs: &mut Vec<(usize, usize)>,
) {
    let mut weighed = Vec::new();
    for x in free_a {
        for y in free_b {
            let (Some(left), Some(right)) = (a.get(*x), b.get(*y)) else {
                continue;
            };
            let shared = shared(left, right);
            if shared.saturating_mul(3) >= left.len().max(right.len()) && shared > 0 {
                weighed.push((core::cmp::Reverse(shared), x.abs_diff(*y), *x, *y));
            }
        }
    }
    weighed.sort_unstable();
    let (mut used_a, mut used_b) = (HashSet::new(), HashSet::new());
    for (.., x, y) in weighed {
        if !used_a.contains(&x) && !used_b.contains(&y) {
            used_a.insert(x);
            used_b.insert(y);
            pairs.push((x, y));
        }
    }
}

/// The number of items that two sorted lists have in common.
fn shared(a: &[u64], b: &[u64]) -> usize {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = 0usize;
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            core::cmp::Ordering::Less => a.next(),
            core::cmp::Ordering::Greater => b.next(),
            core::cmp::Ordering::Equal => {
                shared = shared.saturating_add(1);
                a.next();
                b.next()
            }
        };
    }
    shared
}

/// The indices of two lists of `left` and `right` items that are in no pair.
pub(super) fn unpaired(pairs: &[(usize, usize)], left: usize, right: usize) -> (Vec<usize>, Vec<usize>) {
    let (mut a, mut b) = (vec![true; left], vec![true; right]);
    for (x, y) in pairs {
        for (free, at) in [(&mut a, *x), (&mut b, *y)] {
            if let Some(free) = free.get_mut(at) {
                *free = false;
            }
        }
    }
    let free = |side: Vec<bool>| {
        side.into_iter()
            .enumerate()
            .filter(|(_, free)| *free)
            .map(|(at, _)| at)
            .collect()
    };
    (free(a), free(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_belong_together() {
        let list = |items: &[&[u64]]| -> Vec<Features> { items.iter().map(|item| item.to_vec()).collect() };
        let (a, b) = (
            list(&[&[1, 2, 3], &[4, 5], &[9], &[]]),
            list(&[&[4, 5], &[7], &[1, 2, 8], &[]]),
        );
        let pairs = alike(&a, &b);
        assert_eq!(pairs, [(0, 2), (1, 0)]);
        assert_eq!(unpaired(&pairs, 4, 4), (vec![2, 3], vec![1, 3]));
        let many: Vec<Features> = (0..10_000u64).map(|n| vec![n, n + 1]).collect();
        let back: Vec<Features> = many.iter().rev().cloned().collect();
        assert_eq!(alike(&many, &back).len(), 10_000);
    }
}
