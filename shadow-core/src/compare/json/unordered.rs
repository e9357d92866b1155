//! Arrays in which order does not matter: multisets, sets, and elements identified by a member. In near-linear time.

use std::collections::VecDeque;

use core::hash::BuildHasher as _;

use hashbrown::{HashMap, HashSet};

use crate::compare::{number::Decimal, rules::Pointer};

use super::{
    array::{Rest, unmatched},
    diff::{Arrays, Diff, Element, Pair},
    hash::Hashes,
    tape::{Kind, Value},
};

/// An element with its hash and its weight among those of the same hash.
#[derive(Clone, Copy)]
struct Weighed<'d> {
    hash: u64,
    weight: f64,
    element: Element<'d>,
}

impl<'d, 's> Diff<'d, 's> {
    pub(super) fn multiset(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d, 's>) {
        if self.hashes().0.weights.is_empty() {
            let (matched_left, matched_right) = self.matched(left, right);
            let (left, right) = (unmatched(left, &matched_left), unmatched(right, &matched_right));
            return self.rest(&left, &right, Rest::Moved, arrays);
        }
        // Close values share one hash, and some others do too: elements of one hash are paired in the order of their
        // weights, and compared.
        let (hashes_left, hashes_right) = self.hashes();
        let (left, right) = (weighed(left, hashes_left), weighed(right, hashes_right));
        let (mut rest_left, mut rest_right) = (Vec::new(), Vec::new());
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.hash == b.hash => {
                    if let (Some(a), Some(b)) = (left.next(), right.next()) {
                        self.element(a.element.0, Pair::Both(a.element.1, b.element.1), arrays);
                    }
                }
                (Some(a), Some(b)) if a.hash < b.hash => rest_left.extend(left.next().map(|a| a.element)),
                (_, Some(_)) => rest_right.extend(right.next().map(|b| b.element)),
                (Some(_), None) => rest_left.extend(left.next().map(|a| a.element)),
                (None, None) => break,
            }
        }
        self.pairs(&rest_left, &rest_right, arrays);
    }

    /// Each element needs an equal one on the other side, which several may share.
    pub(super) fn set(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d, 's>) {
        let (hashes_left, hashes_right) = self.hashes();
        let loose = !hashes_left.weights.is_empty();
        let (left, right) = (weighed(left, hashes_left), weighed(right, hashes_right));
        let known = |side: &[Weighed<'d>]| -> HashSet<u64> { side.iter().map(|one| one.hash).collect() };
        let (known_left, known_right) = (known(&left), known(&right));
        if loose {
            // Among those of one hash, the nearest is used.
            let mut met = HashSet::new();
            for one in left.iter().filter(|one| known_right.contains(&one.hash)) {
                if let Some(other) = nearest(&right, one) {
                    met.insert(other.element.0);
                    self.element(one.element.0, Pair::Both(one.element.1, other.element.1), arrays);
                }
            }
            let others = right.iter().filter(|one| !met.contains(&one.element.0));
            for one in others.filter(|one| known_left.contains(&one.hash)) {
                if let Some(other) = nearest(&left, one) {
                    self.element(
                        other.element.0,
                        Pair::Both(other.element.1, one.element.1),
                        arrays,
                    );
                }
            }
        }
        self.pairs(
            &lacking(&left, &known_right),
            &lacking(&right, &known_left),
            arrays,
        );
    }

    /// Matches elements by a member. Several with one key are paired in order; those without one come last.
    pub(super) fn keyed(
        &mut self,
        key: &Pointer,
        left: &[Element<'d>],
        right: &[Element<'d>],
        arrays: Arrays<'d, 's>,
    ) {
        let strings = arrays.level.below.numbers_as_strings;
        let mut open: HashMap<u64, VecDeque<Element<'d>>> = HashMap::with_capacity(right.len());
        let (mut rest_left, mut rest_right) = (Vec::new(), Vec::new());
        for element in right {
            match self.key(element.1, key, strings) {
                Some(key) => open.entry(key).or_default().push_back(*element),
                None => rest_right.push(*element),
            }
        }
        for element in left {
            let Some(key) = self.key(element.1, key, strings) else {
                rest_left.push(*element);
                continue;
            };
            match open.get_mut(&key).and_then(VecDeque::pop_front) {
                Some(other) => self.element(element.0, Pair::Both(element.1, other.1), arrays),
                None => self.element(element.0, Pair::Production(element.1), arrays),
            }
        }
        let mut added: Vec<Element<'d>> = open.into_values().flatten().collect();
        added.sort_unstable_by_key(|(index, _)| *index);
        self.pairs(&[], &added, arrays);
        self.pairs(&rest_left, &rest_right, arrays);
    }

    /// The key of an element: the value of a member, if it is a scalar.
    fn key(&self, element: Value<'d>, key: &Pointer, strings: bool) -> Option<u64> {
        let value = key.names().try_fold(element, Value::get)?;
        let number = |text: &str| self.state.hash_one((Kind::Number as u8, Decimal::new(text)));
        Some(match value.kind() {
            Kind::Array | Kind::Object | Kind::Null => return None,
            Kind::Number => number(value.raw()),
            Kind::Plain | Kind::Escaped => {
                let content = value.content();
                match core::str::from_utf8(&content) {
                    Ok(text) if strings && crate::compare::number::is_number(text) => number(text),
                    _ => self.state.hash_one((Kind::Plain as u8, &content)),
                }
            }
            kind => self.state.hash_one(kind as u8),
        })
    }
}

/// Sorted by hash, then by weight.
fn weighed<'d>(elements: &[Element<'d>], hashes: &Hashes) -> Vec<Weighed<'d>> {
    let mut weighed: Vec<Weighed<'d>> = elements
        .iter()
        .map(|element| Weighed {
            hash: hashes.hash(element.1),
            weight: hashes.weight(element.1),
            element: *element,
        })
        .collect();
    weighed.sort_by(order);
    weighed
}

fn order(a: &Weighed<'_>, b: &Weighed<'_>) -> core::cmp::Ordering {
    a.hash.cmp(&b.hash).then(a.weight.total_cmp(&b.weight))
}

/// The element of the same hash with the nearest weight in a sorted list.
fn nearest<'w, 'd>(sorted: &'w [Weighed<'d>], to: &Weighed<'_>) -> Option<&'w Weighed<'d>> {
    let behind = sorted.partition_point(|one| order(one, to).is_lt());
    [Some(behind), behind.checked_sub(1)]
        .into_iter()
        .flatten()
        .filter_map(|at| sorted.get(at))
        .filter(|one| one.hash == to.hash)
        .min_by(|a, b| {
            (a.weight - to.weight)
                .abs()
                .total_cmp(&(b.weight - to.weight).abs())
        })
}

/// Elements whose hash is not on the other side, each once, in the order of the array.
fn lacking<'d>(side: &[Weighed<'d>], other: &HashSet<u64>) -> Vec<Element<'d>> {
    let mut lacking: Vec<Weighed<'d>> = side
        .iter()
        .filter(|one| !other.contains(&one.hash))
        .copied()
        .collect();
    lacking.dedup_by_key(|one| one.hash);
    lacking.sort_unstable_by_key(|one| one.element.0);
    lacking.into_iter().map(|one| one.element).collect()
}
