//! Which children of two elements belong together.
//!
//! Bounds: children that are aligned by what is in them ([`ALIGNED`]); more are paired by name alone. Each list that is
//! aligned differs, so the limit of discrepancies is one of lists too.

use hashbrown::HashMap;
use similar::{Algorithm, DiffOp};

use super::tree::{Kind, Tree};

/// Children between the equal ones at both ends, on each side, that are aligned. The work is at most its square.
const ALIGNED: usize = 400;

/// A child on both sides or on one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pair {
    Both(u32, u32),
    Production(u32),
    Shadow(u32),
}

/// The pairs that are not equal, in order.
pub(super) fn children(left: (&Tree<'_>, u32), right: (&Tree<'_>, u32)) -> Vec<Pair> {
    let list = |(tree, parent): (&Tree<'_>, u32)| -> Vec<(u32, u64)> {
        tree.children(parent)
            .filter_map(|child| Some((child, tree.node(child).filter(|node| !node.ignored)?.hash)))
            .collect()
    };
    let (a, b) = (list(left), list(right));
    let same = |(x, y): &(&(u32, u64), &(u32, u64))| x.1 == y.1;
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
    let mut pairs = Vec::new();
    if (a.len() == b.len() && a.iter().zip(b).all(|(x, y)| kinds.same(x.0, y.0)))
        || a.len() > ALIGNED
        || b.len() > ALIGNED
    {
        kinds.pair(a, b, &mut pairs);
        return pairs;
    }
    let hashes = |side: &[(u32, u64)]| side.iter().map(|(_, hash)| *hash).collect::<Vec<_>>();
    for op in similar::capture_diff_slices(Algorithm::Myers, &hashes(a), &hashes(b)) {
        if !matches!(op, DiffOp::Equal { .. }) {
            let old = a.get(op.old_range()).unwrap_or_default();
            let new = b.get(op.new_range()).unwrap_or_default();
            kinds.pair(old, new, &mut pairs);
        }
    }
    pairs
}

struct Kinds<'k> {
    left: &'k Tree<'k>,
    right: &'k Tree<'k>,
}

impl Kinds<'_> {
    fn same(&self, left: u32, right: u32) -> bool {
        self.left.node(left).map(|node| &node.kind) == self.right.node(right).map(|node| &node.kind)
    }

    /// By name, in order: where the names differ, what the other side has none of any more is missing or added.
    fn pair(&self, a: &[(u32, u64)], b: &[(u32, u64)], pairs: &mut Vec<Pair>) {
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
            if !matches!(pair, Pair::Both(x, y) if self.equal(x, y)) {
                pairs.push(pair);
            }
        }
    }

    fn equal(&self, left: u32, right: u32) -> bool {
        self.left.node(left).map(|node| node.hash) == self.right.node(right).map(|node| node.hash)
    }
}

type Counted<'k> = HashMap<&'k Kind<'k>, usize>;

fn counted<'k>(tree: &'k Tree<'k>, list: &[(u32, u64)]) -> Counted<'k> {
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
