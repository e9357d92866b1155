//! Matching of the children of two elements: by an identifying attribute, by equality, by similarity, and the rest by
//! name, in order.
//!
//! Bounds: as in [`crate::compare::align`]; all else is linear. Each aligned list differs, so the limit of
//! discrepancies also limits the lists.

use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashMap};

use super::{
    identity,
    tree::{Kind, Tree},
};
use crate::compare::{
    align::{self, Features},
    likeness,
};

/// Nodes of one child that are used as features.
const FEATURES: usize = 32;

/// A child on both sides or on one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pair {
    Both(u32, u32),
    Production(u32),
    Shadow(u32),
}

/// A child and its hash.
type Child = (u32, u64);

/// Children in the order of each document, when the orders differ.
type Moved = Option<(Vec<u32>, Vec<u32>)>;

/// The unequal pairs, in order, and whether children were moved.
pub(super) fn children(left: (&Tree<'_>, u32), right: (&Tree<'_>, u32)) -> (Vec<Pair>, Moved) {
    let list = |(tree, parent): (&Tree<'_>, u32)| -> Vec<Child> {
        tree.children(parent)
            .filter_map(|child| Some((child, tree.node(child).filter(|node| !node.ignored)?.hash)))
            .collect()
    };
    let (a, b) = (list(left), list(right));
    let same = |(x, y): &(&Child, &Child)| x.1 == y.1;
    let start = a.iter().zip(&b).take_while(same).count();
    let (a, b) = (
        a.get(start..).unwrap_or_default(),
        b.get(start..).unwrap_or_default(),
    );
    let end = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
    let inner = |side: usize| side.saturating_sub(end);
    let (a, b) = (
        a.get(..inner(a.len())).unwrap_or_default(),
        b.get(..inner(b.len())).unwrap_or_default(),
    );
    let kinds = Kinds {
        left: left.0,
        right: right.0,
    };
    let single = a.len() <= 1 && b.len() <= 1;
    if single {
        let mut pairs = Vec::new();
        kinds.pair(a, b, &mut pairs);
        return (pairs, None);
    }
    kinds.aligned(a, b)
}

struct Kinds<'k> {
    left: &'k Tree<'k>,
    right: &'k Tree<'k>,
}

/// Matched children, by position.
struct Matches {
    left: Vec<Option<usize>>,
    right: Vec<bool>,
}

impl Matches {
    fn add(&mut self, a: usize, b: usize) {
        if let (Some(left), Some(right)) = (self.left.get_mut(a), self.right.get_mut(b)) {
            *left = Some(b);
            *right = true;
        }
    }

    /// Matches children with a value that is on both sides; several with one value are matched in order.
    fn by<K: core::hash::Hash + Eq>(
        &mut self,
        a: &[Child],
        b: &[Child],
        of_left: impl Fn(&Child) -> Option<K>,
        of_right: impl Fn(&Child) -> Option<K>,
    ) {
        let mut open: HashMap<K, Vec<usize>> = HashMap::new();
        for (at, child) in b.iter().enumerate().rev() {
            if self.right.get(at) == Some(&false)
                && let Some(key) = of_right(child)
            {
                open.entry(key).or_default().push(at);
            }
        }
        for (at, child) in a.iter().enumerate() {
            if self.left.get(at) == Some(&None)
                && let Some(key) = of_left(child)
                && let Some(other) = open.get_mut(&key).and_then(Vec::pop)
            {
                self.add(at, other);
            }
        }
    }

    fn free(&self) -> (Vec<usize>, Vec<usize>) {
        let free = |matched: bool, at: usize| (!matched).then_some(at);
        (
            self.left
                .iter()
                .enumerate()
                .filter_map(|(at, other)| free(other.is_some(), at))
                .collect(),
            self.right
                .iter()
                .enumerate()
                .filter_map(|(at, matched)| free(*matched, at))
                .collect(),
        )
    }
}

impl Kinds<'_> {
    fn aligned(&self, a: &[Child], b: &[Child]) -> (Vec<Pair>, Moved) {
        let mut matches = Matches {
            left: vec![None; a.len()],
            right: vec![false; b.len()],
        };
        let key = |tree: &Tree<'_>, child: &Child| {
            let node = tree.node(child.0)?;
            let (name, value) = *identity::attributes(node).first()?;
            let Kind::Element(element) = &node.kind else {
                return None;
            };
            Some((element.space, element.local.to_vec(), name, value.to_owned()))
        };
        matches.by(
            a,
            b,
            |child| key(self.left, child),
            |child| key(self.right, child),
        );
        matches.by(a, b, |child| Some(child.1), |child| Some(child.1));
        let (free_a, free_b) = matches.free();
        let state = DefaultHashBuilder::default();
        let features = |tree: &Tree<'_>, side: &[Child], free: &[usize]| -> Vec<Features> {
            let of = |at: &usize| {
                side.get(*at)
                    .map_or_else(Vec::new, |child| features(tree, child.0, &state))
            };
            free.iter().map(of).collect()
        };
        let alike = align::alike(
            &features(self.left, a, &free_a),
            &features(self.right, b, &free_b),
        );
        for (x, y) in alike {
            if let (Some(x), Some(y)) = (free_a.get(x), free_b.get(y))
                && let (Some(left), Some(right)) = (a.get(*x), b.get(*y))
                && self.same(left.0, right.0)
            {
                matches.add(*x, *y);
            }
        }
        self.pairs(a, b, &matches)
    }

    /// The unequal pairs, and whether children were moved.
    fn pairs(&self, a: &[Child], b: &[Child], matches: &Matches) -> (Vec<Pair>, Moved) {
        let mut pairs = Vec::new();
        let (rest_a, rest_b) = matches.free();
        let rest = |side: &[Child], free: Vec<usize>| -> Vec<Child> {
            free.into_iter().filter_map(|at| side.get(at).copied()).collect()
        };
        self.pair(&rest(a, rest_a), &rest(b, rest_b), &mut pairs);
        let known: Vec<(usize, usize)> = matches
            .left
            .iter()
            .enumerate()
            .filter_map(|(at, other)| Some((at, (*other)?)))
            .collect();
        for (x, y) in &known {
            if let (Some(x), Some(y)) = (a.get(*x), b.get(*y))
                && x.1 != y.1
            {
                pairs.push(Pair::Both(x.0, y.0));
            }
        }
        pairs.sort_by_key(|pair| match pair {
            Pair::Both(node, _) | Pair::Production(node) => (*node, false),
            Pair::Shadow(node) => (*node, true),
        });
        (pairs, moved(a, b, known))
    }

    fn same(&self, left: u32, right: u32) -> bool {
        self.left.node(left).map(|node| &node.kind) == self.right.node(right).map(|node| &node.kind)
    }

    /// Pairs by name, in order: where the names differ, a child whose name no longer occurs on the other side is
    /// missing or added.
    fn pair(&self, a: &[Child], b: &[Child], pairs: &mut Vec<Pair>) {
        let mut left_rest = counted(self.left, a);
        let mut right_rest = counted(self.right, b);
        let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
        loop {
            let pair = match (a.peek(), b.peek()) {
                (None, None) => return,
                (Some((x, _)), Some((y, _))) if self.same(*x, *y) => Pair::Both(*x, *y),
                (Some((x, _)), Some((y, _))) => {
                    let comes = self
                        .left
                        .node(*x)
                        .is_some_and(|node| rest(&right_rest, &node.kind));
                    let wanted = self
                        .right
                        .node(*y)
                        .is_some_and(|node| rest(&left_rest, &node.kind));
                    if comes && !wanted {
                        Pair::Shadow(*y)
                    } else {
                        Pair::Production(*x)
                    }
                }
                (Some((x, _)), None) => Pair::Production(*x),
                (None, Some((y, _))) => Pair::Shadow(*y),
            };
            if let Pair::Both(x, _) | Pair::Production(x) = pair {
                a.next();
                take(&mut left_rest, self.left, x);
            }
            if let Pair::Both(_, y) | Pair::Shadow(y) = pair {
                b.next();
                take(&mut right_rest, self.right, y);
            }
            pairs.push(pair);
        }
    }
}

/// The features of a child that do not look new each time: names, attributes and words.
fn features(tree: &Tree<'_>, index: u32, state: &DefaultHashBuilder) -> Features {
    let mut features = Vec::new();
    for node in tree.subtree(index).iter().take(FEATURES) {
        if let Kind::Element(name) = &node.kind {
            features.push(state.hash_one(&name.local));
        }
        for attribute in node.attributes.iter().take(FEATURES) {
            let name = state.hash_one(&attribute.name);
            let value = attribute.value.get(..4096).unwrap_or(&attribute.value);
            features.extend(
                likeness::features(value, state)
                    .into_iter()
                    .map(|word| state.hash_one((name, word))),
            );
        }
        features.extend(likeness::features(
            node.text.get(..4096).unwrap_or(&node.text),
            state,
        ));
    }
    features.sort_unstable();
    features.truncate(FEATURES.saturating_mul(4));
    features
}

/// Whether children that certainly match are in a different order.
fn moved(a: &[Child], b: &[Child], known: Vec<(usize, usize)>) -> Moved {
    let once = |side: &[Child]| {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for (_, hash) in side {
            let count = counts.entry(*hash).or_default();
            *count = count.saturating_add(1);
        }
        counts
    };
    let (in_a, in_b) = (once(a), once(b));
    // Equal children cannot be distinguished.
    let sure = |(x, y): &(usize, usize)| {
        let alone = |side: &[Child], at: usize, counts: &HashMap<u64, usize>| {
            side.get(at).is_some_and(|(_, hash)| counts.get(hash) == Some(&1))
        };
        alone(a, *x, &in_a) && alone(b, *y, &in_b)
    };
    let known: Vec<(usize, usize)> = known.into_iter().filter(sure).collect();
    if known.is_sorted_by_key(|(_, other)| *other) {
        return None;
    }
    let mut other: Vec<usize> = known.iter().map(|(_, at)| *at).collect();
    other.sort_unstable();
    let nodes = |side: &[Child], at: Vec<usize>| -> Vec<u32> {
        at.into_iter()
            .filter_map(|at| side.get(at).map(|child| child.0))
            .take(FEATURES)
            .collect()
    };
    let first = known.iter().map(|(at, _)| *at).collect();
    Some((nodes(a, first), nodes(b, other)))
}

type Counted<'k> = HashMap<&'k Kind<'k>, usize>;

fn counted<'k>(tree: &'k Tree<'k>, list: &[Child]) -> Counted<'k> {
    let mut counted = Counted::new();
    for node in list.iter().filter_map(|(index, _)| tree.node(*index)) {
        let count = counted.entry(&node.kind).or_default();
        *count = count.saturating_add(1);
    }
    counted
}

fn rest(counted: &Counted<'_>, kind: &Kind<'_>) -> bool {
    counted.get(kind).is_some_and(|count| *count > 0)
}

fn take<'k>(counted: &mut Counted<'k>, tree: &'k Tree<'k>, index: u32) {
    if let Some(count) = tree.node(index).and_then(|node| counted.get_mut(&node.kind)) {
        *count = count.saturating_sub(1);
    }
}
