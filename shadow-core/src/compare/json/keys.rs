//! Objects that are tables: their names are keys, such as identifiers and dates, that may differ in each answer.
//!
//! Owns: the pairing of members that have another name on each side. Members with the same value belong together, the
//! others by their order. Bias: only names that look like new ones each time are keys, and only if every name without a
//! counterpart is one: other members are missing and added.

use hashbrown::HashMap;

use crate::compare::inside::words::is_volatile;

use super::{diff::Member, tape::Value};

/// The part of an object that its keys are.
pub(super) const PART: &str = "key";

/// The name and the value of a member.
type Named<'d> = (Value<'d>, Value<'d>);

/// A member of each side, or what is left on one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Renamed<'d> {
    Both(Named<'d>, Named<'d>),
    Production(Named<'d>),
    Shadow(Named<'d>),
}

/// Pairs the members of two objects that have no counterpart of the same name; both lists are sorted by name. `None`
/// if one side has no such member, or one of their names is no key.
pub(super) fn renamed<'d>(left: &[Member<'d>], right: &[Member<'d>]) -> Option<Vec<Renamed<'d>>> {
    let (mut a, mut b) = (alone(left, right)?, alone(right, left)?);
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut found = Vec::with_capacity(a.len().max(b.len()));
    let mut by_value: HashMap<&str, Vec<usize>> = HashMap::with_capacity(b.len());
    for (at, (_, value)) in b.iter().enumerate().rev() {
        by_value.entry(value.raw()).or_default().push(at);
    }
    let mut used = vec![false; b.len()];
    a.retain(|member| {
        let same = by_value.get_mut(member.1.raw()).and_then(Vec::pop);
        let other = same.and_then(|at| {
            *used.get_mut(at)? = true;
            b.get(at).copied()
        });
        found.extend(other.map(|other| Renamed::Both(*member, other)));
        other.is_none()
    });
    let mut used = used.into_iter();
    b.retain(|_| !used.next().unwrap_or_default());
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    loop {
        found.push(match (a.next(), b.next()) {
            (Some(a), Some(b)) => Renamed::Both(a, b),
            (Some(a), None) => Renamed::Production(a),
            (None, Some(b)) => Renamed::Shadow(b),
            (None, None) => return Some(found),
        });
    }
}

/// Members of `members` whose name the others do not have, in the order of the document. `None` if a name is no key.
fn alone<'d>(members: &[Member<'d>], others: &[Member<'d>]) -> Option<Vec<Named<'d>>> {
    let mut alone = Vec::new();
    let mut others = others.iter().peekable();
    for (text, name, value) in members {
        while others.next_if(|(other, ..)| other < text).is_some() {}
        if others.peek().is_some_and(|(other, ..)| other == text) {
            continue;
        }
        if !core::str::from_utf8(text).is_ok_and(is_volatile) {
            return None;
        }
        alone.push((*name, *value));
    }
    alone.sort_by_key(|(name, _)| name.index());
    Some(alone)
}
