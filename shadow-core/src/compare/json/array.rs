//! Matching of the elements of two arrays.
//!
//! Elements with an identifying member ([`identity`](super::identity)) are matched by it. Other elements that are equal
//! on both sides are matched by hash, in linear time; of the rest between two of those the most similar are paired. So
//! one inserted element is one discrepancy, and not one for each element after it, and a different order is
//! distinguished from a different value in a moved element.

use hashbrown::HashMap;

use crate::compare::{Category, align, rules::Pointer, scope::Matching};

use super::{
    diff::{Arrays, Diff, Differing, Element, Pair},
    hash::Hashes,
    tape::{Kind, Value},
};

/// The origin of elements without an equal counterpart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rest {
    /// Between two equal elements. Dissimilar ones are paired in order; a different order is reported.
    Gap,
    /// Of arrays in which order does not matter, or was reported. Dissimilar ones are paired in order.
    Moved,
    /// Identified by a member: dissimilar ones are not paired.
    Keyed,
}

impl<'d, 's> Diff<'d, 's> {
    pub(super) fn arrays(&mut self, mut arrays: Arrays<'d, 's>) {
        let all_left: Vec<Element<'d>> = arrays.production.elements().enumerate().collect();
        let all_right: Vec<Element<'d>> = arrays.shadow.elements().enumerate().collect();
        if let Matching::Set = arrays.level.matching {
            return self.set(&all_left, &all_right, arrays);
        }
        let trimmed = Trimmed::of(&all_left, &all_right);
        let [left, right] = trimmed.middle;
        if let Matching::Keyed(key) = arrays.level.matching {
            arrays.key = name_of(key, &all_left, &all_right);
            return self.keyed(key, left, right, arrays);
        }
        let ordered = matches!(arrays.level.matching, Matching::Ordered);
        let single = left.is_empty() || right.is_empty() || (left.len() == 1 && right.len() == 1);
        if self.is_probing() && (single || (ordered && left.len() == right.len())) {
            return self.pairs(left, right, arrays);
        }
        if !single && left.len() == right.len() {
            match self.probe(left, right, arrays) {
                Some(Differing::Nowhere) => return,
                Some(Differing::At(position)) => {
                    let one = position..position.saturating_add(1);
                    let side = |all: &[Element<'d>]| all.get(one.clone()).unwrap_or_default().to_vec();
                    arrays.key = self.key_of(&trimmed);
                    return self.pairs(&side(left), &side(right), arrays);
                }
                None => {}
            }
        }
        arrays.key = self.key_of(&trimmed);
        if single {
            return self.pairs(left, right, arrays);
        }
        match (ordered, arrays.key) {
            (_, Some(key)) => self.by_key(key, left, right, arrays),
            (true, None) => self.ordered(left, right, arrays),
            (false, None) => self.multiset(left, right, arrays),
        }
    }

    /// Elements identified by a member: a different order and a different element are two discrepancies.
    fn by_key(
        &mut self,
        key: Value<'d>,
        left: &[Element<'d>],
        right: &[Element<'d>],
        arrays: Arrays<'d, 's>,
    ) {
        let name = key.string();
        let of = |element: &Element<'d>| element.1.member(&name).map(Value::content);
        if left.len() == right.len() && left.iter().zip(right).all(|(a, b)| of(a) == of(b)) {
            return self.pairs(left, right, arrays);
        }
        let mut open: HashMap<_, usize> = HashMap::with_capacity(right.len());
        for (position, element) in right.iter().enumerate() {
            open.insert(of(element), position);
        }
        let counterparts: Vec<Option<usize>> = left.iter().map(|element| open.remove(&of(element))).collect();
        let mut met = vec![false; right.len()];
        for position in counterparts.iter().flatten() {
            if let Some(met) = met.get_mut(*position) {
                *met = true;
            }
        }
        if matches!(arrays.level.matching, Matching::Ordered) && !counterparts.iter().flatten().is_sorted() {
            self.found(Category::Order, arrays.production.raw(), arrays.shadow.raw());
        }
        let mut rest_left = Vec::new();
        for (element, counterpart) in left.iter().zip(counterparts) {
            match counterpart.and_then(|position| right.get(position)) {
                Some(other) => self.element(element.0, Pair::Both(element.1, other.1), arrays),
                None => rest_left.push(*element),
            }
        }
        let rest_right = unmatched(right, &met);
        self.rest(&rest_left, &rest_right, Rest::Keyed, arrays);
    }

    fn ordered(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d, 's>) {
        let (matched_left, matched_right) = self.matched(left, right);
        let all_matched = left.len() == right.len() && matched_left.iter().all(|matched| *matched);
        let all = |is: fn(Kind) -> bool| left.iter().chain(right).all(|(_, value)| is(value.kind()));
        let scalars = all(Kind::is_scalar);
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
        let matches = matched_left.iter().filter(|matched| **matched).count();
        // Words that are mostly on both sides are a list of words, not a vector.
        let words = all(|kind| matches!(kind, Kind::Plain | Kind::Escaped))
            && matches.saturating_mul(2) > left.len()
            && left.len() > 2;
        if left.len() == right.len() && scalars && (in_order || !(all_matched || words)) {
            // A vector of plain values: its positions are significant, and a value is not matched at another one.
            return self.pairs(left, right, arrays);
        }
        if in_order {
            return self.between_anchors((left, &matched_left), (right, &matched_right), arrays);
        }
        self.found(Category::Order, arrays.production.raw(), arrays.shadow.raw());
        // Also compares matched elements whose values are only close.
        self.multiset(left, right, arrays);
    }

    /// Elements without an equal counterpart: the most similar are paired, and others as `what` says.
    pub(super) fn rest(
        &mut self,
        left: &[Element<'d>],
        right: &[Element<'d>],
        what: Rest,
        arrays: Arrays<'d, 's>,
    ) {
        let single = what != Rest::Keyed && left.len() == 1 && right.len() == 1;
        if left.is_empty() || right.is_empty() || single {
            return self.pairs(left, right, arrays);
        }
        let pairs = self.alike(left, right);
        if what == Rest::Gap && !pairs.is_sorted_by_key(|(_, other)| *other) {
            self.found(Category::Order, arrays.production.raw(), arrays.shadow.raw());
        }
        for (a, b) in &pairs {
            if let (Some(a), Some(b)) = (left.get(*a), right.get(*b)) {
                self.element(a.0, Pair::Both(a.1, b.1), arrays);
            }
        }
        let (free_left, free_right) = align::unpaired(&pairs, left.len(), right.len());
        let of = |side: &[Element<'d>], free: Vec<usize>| -> Vec<Element<'d>> {
            free.into_iter().filter_map(|at| side.get(at).copied()).collect()
        };
        let (left, right) = (of(left, free_left), of(right, free_right));
        if what != Rest::Keyed {
            return self.pairs(&left, &right, arrays);
        }
        self.pairs(&left, &[], arrays);
        self.pairs(&[], &right, arrays);
    }

    /// For each element, whether it has a counterpart of the same hash; each is used once.
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
        // Unused elements remain open on the right, at its end.
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

    /// The matched elements are in the same order on both sides: the elements between two of them are compared.
    fn between_anchors(
        &mut self,
        (left, matched_left): (&[Element<'d>], &[bool]),
        (right, matched_right): (&[Element<'d>], &[bool]),
        arrays: Arrays<'d, 's>,
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
            self.gap(&gap_left, &gap_right, arrays);
            // Equal by hash, but still compared, because hashes leave out tolerated numbers.
            if let (Some((a, _)), Some((b, _))) = (left.next(), right.next()) {
                self.element(a.0, Pair::Both(a.1, b.1), arrays);
            }
        }
    }

    /// Elements between two equal ones. If lists of equal length are similar in a different order, the order is a
    /// separate discrepancy.
    fn gap(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d, 's>) {
        if left.len() < 2 && left.len() == right.len() {
            return self.pairs(left, right, arrays);
        }
        self.rest(left, right, Rest::Gap, arrays);
    }

    /// Pairs in order; surplus elements of one side are missing or added.
    pub(super) fn pairs(&mut self, left: &[Element<'d>], right: &[Element<'d>], arrays: Arrays<'d, 's>) {
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

/// The member that a rule's key names, when it is directly in the elements.
fn name_of<'d>(key: &Pointer, left: &[Element<'d>], right: &[Element<'d>]) -> Option<Value<'d>> {
    let mut names = key.names();
    let (name, None) = (names.next()?, names.next()) else {
        return None;
    };
    let (_, first) = left.first().or_else(|| right.first())?;
    first
        .members()
        .find(|(given, _)| *given.string() == *name.as_bytes())
        .map(|(given, _)| given)
}

pub(super) fn unmatched<'d>(elements: &[Element<'d>], matched: &[bool]) -> Vec<Element<'d>> {
    elements
        .iter()
        .zip(matched)
        .filter(|(_, matched)| !**matched)
        .map(|(element, _)| *element)
        .collect()
}

/// Two arrays in three parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trimmed<'s, 'd> {
    /// The elements at the beginning and at the end whose text is equal on both sides, as production has them.
    pub(super) ends: [&'s [Element<'d>]; 2],
    /// The elements between them, of production and of the shadow system.
    pub(super) middle: [&'s [Element<'d>]; 2],
}

impl<'s, 'd> Trimmed<'s, 'd> {
    fn of(left: &'s [Element<'d>], right: &'s [Element<'d>]) -> Self {
        let same = |((_, a), (_, b)): &(&Element<'d>, &Element<'d>)| a.raw() == b.raw();
        let start = left.iter().zip(right).take_while(same).count();
        let (first, left) = left.split_at_checked(start).unwrap_or_default();
        let (_, right) = right.split_at_checked(start).unwrap_or_default();
        let end = left.iter().rev().zip(right.iter().rev()).take_while(same).count();
        let cut = |side: &'s [Element<'d>]| {
            side.split_at_checked(side.len().saturating_sub(end))
                .unwrap_or_default()
        };
        let ((left, last), (right, _)) = (cut(left), cut(right));
        Self {
            ends: [first, last],
            middle: [left, right],
        }
    }
}
