//! Which element of one array belongs to which of the other.
//!
//! Elements that are the same on both sides are matched by hash, in linear time; what is left between two of them
//! belongs together in order. So one inserted element is one discrepancy, and not one for each element behind it.

use hashbrown::HashMap;

use crate::compare::{Category, scope::Matching};

use super::{
    diff::{Arrays, Diff, Differing, Element, Pair},
    hash::Hashes,
};

impl<'d> Diff<'d> {
    pub(super) fn arrays(&mut self, arrays: Arrays<'d>) {
        let left: Vec<Element<'d>> = arrays.production.elements().enumerate().collect();
        let right: Vec<Element<'d>> = arrays.shadow.elements().enumerate().collect();
        if let Matching::Set = arrays.level.matching {
            return self.set(&left, &right, arrays);
        }
        let (left, right) = without_equal_ends(&left, &right);
        if let Matching::Keyed(key) = arrays.level.matching {
            return self.keyed(key, left, right, arrays);
        }
        if left.is_empty() || right.is_empty() || (left.len() == 1 && right.len() == 1) {
            return self.pairs(left, right, arrays);
        }
        let ordered = matches!(arrays.level.matching, Matching::Ordered);
        if left.len() == right.len() {
            if self.is_probing() && ordered {
                return self.pairs(left, right, arrays);
            }
            match self.probe(left, right, arrays) {
                Some(Differing::Nowhere) => return,
                Some(Differing::At(position)) => {
                    let one = position..position.saturating_add(1);
                    let side = |all: &[Element<'d>]| all.get(one.clone()).unwrap_or_default().to_vec();
                    return self.pairs(&side(left), &side(right), arrays);
                }
                None => {}
            }
        }
        if ordered {
            self.ordered(left, right, arrays);
        } else {
            self.multiset(left, right, arrays);
        }
    }

    fn ordered(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d>) {
        let (matched_left, matched_right) = self.matched(left, right);
        let all_matched = left.len() == right.len() && matched_left.iter().all(|matched| *matched);
        let scalars = left
            .iter()
            .chain(right)
            .all(|(_, value)| value.kind().is_scalar());
        let anchors = |elements: &[Element<'d>], matched: &[bool], hashes: &Hashes| -> Vec<u64> {
            elements
                .iter()
                .zip(matched)
                .filter(|(_, matched)| **matched)
                .map(|((_, value), _)| hashes.hash(*value))
                .collect()
        };
        let (hashes_left, hashes_right) = self.hashes();
        let in_order =
            anchors(left, &matched_left, hashes_left) == anchors(right, &matched_right, hashes_right);
        if left.len() == right.len() && scalars && (in_order || !all_matched) {
            // A vector of plain values: its positions mean something, and a value is not known again elsewhere.
            return self.pairs(left, right, arrays);
        }
        if in_order {
            return self.between_anchors((left, &matched_left), (right, &matched_right), arrays);
        }
        self.found(Category::Order, arrays.production.raw(), arrays.shadow.raw());
        self.pairs(
            &unmatched(left, &matched_left),
            &unmatched(right, &matched_right),
            arrays,
        );
    }

    /// For each element, whether it has a counterpart of the same hash, each being counterpart once.
    pub(super) fn matched(&mut self, left: &[Element<'d>], right: &[Element<'d>]) -> (Vec<bool>, Vec<bool>) {
        let (hashes_left, hashes_right) = self.hashes();
        let mut open: HashMap<u64, usize> = HashMap::with_capacity(right.len());
        for (_, value) in right {
            *open.entry(hashes_right.hash(*value)).or_default() += 1;
        }
        let total = open.clone();
        let matched_left = left
            .iter()
            .map(|(_, value)| match open.get_mut(&hashes_left.hash(*value)) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            })
            .collect();
        // What was not used up stays open on the right, at its end.
        let mut used: HashMap<u64, usize> = total;
        for (hash, left_over) in &open {
            if let Some(count) = used.get_mut(hash) {
                *count = count.saturating_sub(*left_over);
            }
        }
        let matched_right = right
            .iter()
            .map(|(_, value)| match used.get_mut(&hashes_right.hash(*value)) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            })
            .collect();
        (matched_left, matched_right)
    }

    /// The matched elements are in the same order on both sides: what is between two of them belongs together.
    fn between_anchors(
        &mut self,
        (left, matched_left): (&[Element<'d>], &[bool]),
        (right, matched_right): (&[Element<'d>], &[bool]),
        arrays: Arrays<'d>,
    ) {
        let mut left = left.iter().zip(matched_left).peekable();
        let mut right = right.iter().zip(matched_right).peekable();
        while !self.is_full() && (left.peek().is_some() || right.peek().is_some()) {
            let gap_left: Vec<Element<'d>> = core::iter::from_fn(|| left.next_if(|(_, matched)| !**matched))
                .map(|(element, _)| *element)
                .collect();
            let gap_right: Vec<Element<'d>> =
                core::iter::from_fn(|| right.next_if(|(_, matched)| !**matched))
                    .map(|(element, _)| *element)
                    .collect();
            self.pairs(&gap_left, &gap_right, arrays);
            // Equal by hash; looked at all the same, because hashes leave out tolerated numbers.
            if let (Some((a, _)), Some((b, _))) = (left.next(), right.next()) {
                self.element(a.0, Pair::Both(a.1, b.1), arrays);
            }
        }
    }

    /// In order; what one side has more is missing or added.
    pub(super) fn pairs(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d>) {
        for position in 0..left.len().max(right.len()) {
            if self.is_full() {
                return;
            }
            match (left.get(position), right.get(position)) {
                (Some((index, a)), Some((_, b))) => self.element(*index, Pair::Both(*a, *b), arrays),
                (Some((index, a)), None) => self.element(*index, Pair::Production(*a), arrays),
                (None, Some((index, b))) => self.element(*index, Pair::Shadow(*b), arrays),
                (None, None) => return,
            }
        }
    }
}

pub(super) fn unmatched<'d>(elements: &[Element<'d>], matched: &[bool]) -> Vec<Element<'d>> {
    elements
        .iter()
        .zip(matched)
        .filter(|(_, matched)| !**matched)
        .map(|(element, _)| *element)
        .collect()
}

/// Without the elements that both begin with and both end with.
fn without_equal_ends<'s, 'd>(
    left: &'s [Element<'d>],
    right: &'s [Element<'d>],
) -> (&'s [Element<'d>], &'s [Element<'d>]) {
    let same = |((_, a), (_, b)): &(&Element<'d>, &Element<'d>)| a.raw() == b.raw();
    let start = left.iter().zip(right).take_while(same).count();
    let (left, right) = (
        left.get(start..).unwrap_or_default(),
        right.get(start..).unwrap_or_default(),
    );
    let end = left.iter().rev().zip(right.iter().rev()).take_while(same).count();
    let keep = |side: &'s [Element<'d>]| side.get(..side.len().saturating_sub(end)).unwrap_or_default();
    (keep(left), keep(right))
}
