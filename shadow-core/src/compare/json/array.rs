//! Which element of one array belongs to which of the other.
//!
//! Elements that are the same on both sides are matched by hash, in linear time; what is left between two of them
//! belongs together in order. So one inserted element is one discrepancy, and not one for each element behind it.

use hashbrown::HashMap;

use crate::compare::{Arrays, Category, paths::Level};

use super::{
    diff::{Diff, Differing, Element, Pair},
    tape::{Kind, Value},
};

impl<'d> Diff<'d> {
    pub(super) fn arrays(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level) {
        let left: Vec<Element<'d>> = production.elements().enumerate().collect();
        let right: Vec<Element<'d>> = shadow.elements().enumerate().collect();
        let (left, right) = without_equal_ends(&left, &right);
        if left.is_empty() || right.is_empty() || (left.len() == 1 && right.len() == 1) {
            return self.pairs(left, right, level);
        }
        if left.len() == right.len() {
            if self.is_probing() && self.rules.arrays == Arrays::Ordered {
                return self.pairs(left, right, level);
            }
            match self.probe(left, right, level) {
                Some(Differing::Nowhere) => return,
                Some(Differing::At(position)) => {
                    let one = position..position.saturating_add(1);
                    let side = |all: &[Element<'d>]| all.get(one.clone()).unwrap_or_default().to_vec();
                    return self.pairs(&side(left), &side(right), level);
                }
                None => {}
            }
        }
        match self.rules.arrays {
            Arrays::Unordered => self.unordered(left, right, level),
            Arrays::Ordered => self.ordered(production, shadow, left, right, level),
        }
    }

    fn ordered(
        &mut self,
        production: Value<'d>,
        shadow: Value<'d>,
        left: &[Element<'d>],
        right: &[Element<'d>],
        level: Level,
    ) {
        let (matched_left, matched_right) = self.matched(left, right);
        let all_matched = left.len() == right.len() && matched_left.iter().all(|matched| *matched);
        let scalars = left
            .iter()
            .chain(right)
            .all(|(_, value)| value.kind().is_scalar());
        let anchors = |elements: &[Element<'d>], matched: &[bool], hashes: &[u64]| -> Vec<u64> {
            elements
                .iter()
                .zip(matched)
                .filter(|(_, matched)| **matched)
                .map(|((_, value), _)| hash_of(hashes, *value))
                .collect()
        };
        let (hashes_left, hashes_right) = self.hashes();
        let in_order =
            anchors(left, &matched_left, hashes_left) == anchors(right, &matched_right, hashes_right);
        if left.len() == right.len() && scalars && (in_order || !all_matched) {
            // A vector of plain values: its positions mean something, and a value is not known again elsewhere.
            return self.pairs(left, right, level);
        }
        if in_order {
            return self.between_anchors((left, &matched_left), (right, &matched_right), level);
        }
        self.found(Category::Order, production.raw(), shadow.raw());
        self.pairs(
            &unmatched(left, &matched_left),
            &unmatched(right, &matched_right),
            level,
        );
    }

    fn unordered(&mut self, left: &[Element<'d>], right: &[Element<'d>], level: Level) {
        if self.rules.tolerance.is_none() {
            let (matched_left, matched_right) = self.matched(left, right);
            return self.pairs(
                &unmatched(left, &matched_left),
                &unmatched(right, &matched_right),
                level,
            );
        }
        // Close numbers have different hashes, so they do not count in them; then elements with equal hashes belong
        // together in the order of their numbers.
        let (left, right) = (
            self.by_hash(left, |hashes| &hashes.0),
            self.by_hash(right, |hashes| &hashes.1),
        );
        let (mut rest_left, mut rest_right) = (Vec::new(), Vec::new());
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) if a == b => {
                    if let (Some((_, a)), Some((_, b))) = (left.next(), right.next()) {
                        self.element(a.0, Pair::Both(a.1, b.1), level);
                    }
                }
                (Some((a, _)), Some((b, _))) if a < b => rest_left.extend(left.next().map(|(_, a)| a)),
                (_, Some(_)) => rest_right.extend(right.next().map(|(_, b)| b)),
                (Some(_), None) => rest_left.extend(left.next().map(|(_, a)| a)),
                (None, None) => break,
            }
        }
        self.pairs(&rest_left, &rest_right, level);
    }

    /// Sorted by hash, then by the number that they are.
    fn by_hash(
        &mut self,
        elements: &[Element<'d>],
        side: impl Fn(&(Vec<u64>, Vec<u64>)) -> &Vec<u64>,
    ) -> Vec<(u64, Element<'d>)> {
        let hashes = side(self.hashes());
        let mut keyed: Vec<(u64, f64, Element<'d>)> = elements
            .iter()
            .map(|element| {
                let number = match element.1.kind() {
                    Kind::Number => element.1.raw().parse().unwrap_or_default(),
                    _ => 0.0,
                };
                (hash_of(hashes, element.1), number, *element)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        keyed
            .into_iter()
            .map(|(hash, _, element)| (hash, element))
            .collect()
    }

    /// For each element, whether it has a counterpart of the same hash, each being counterpart once.
    fn matched(&mut self, left: &[Element<'d>], right: &[Element<'d>]) -> (Vec<bool>, Vec<bool>) {
        let (hashes_left, hashes_right) = self.hashes();
        let mut open: HashMap<u64, usize> = HashMap::with_capacity(right.len());
        for (_, value) in right {
            *open.entry(hash_of(hashes_right, *value)).or_default() += 1;
        }
        let total = open.clone();
        let matched_left = left
            .iter()
            .map(|(_, value)| match open.get_mut(&hash_of(hashes_left, *value)) {
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
            .map(|(_, value)| match used.get_mut(&hash_of(hashes_right, *value)) {
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
        level: Level,
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
            self.pairs(&gap_left, &gap_right, level);
            // Equal by hash; looked at all the same, because hashes leave out tolerated numbers.
            if let (Some((a, _)), Some((b, _))) = (left.next(), right.next()) {
                self.element(a.0, Pair::Both(a.1, b.1), level);
            }
        }
    }

    /// In order; what one side has more is missing or added.
    fn pairs(&mut self, left: &[Element<'d>], right: &[Element<'d>], level: Level) {
        for position in 0..left.len().max(right.len()) {
            if self.is_full() {
                return;
            }
            match (left.get(position), right.get(position)) {
                (Some((index, a)), Some((_, b))) => self.element(*index, Pair::Both(*a, *b), level),
                (Some((index, a)), None) => self.element(*index, Pair::Production(*a), level),
                (None, Some((index, b))) => self.element(*index, Pair::Shadow(*b), level),
                (None, None) => return,
            }
        }
    }
}

fn hash_of(hashes: &[u64], value: Value<'_>) -> u64 {
    hashes.get(value.index()).copied().unwrap_or_default()
}

fn unmatched<'d>(elements: &[Element<'d>], matched: &[bool]) -> Vec<Element<'d>> {
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
