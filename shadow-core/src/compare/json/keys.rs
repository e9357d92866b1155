//! Objects that are tables: their names are keys, such as identifiers and dates, that may differ in each answer.
//!
//! Owns: the pairing of members that have another name on each side. Members with the same value belong together, the
//! others by their order. Bias: only names that look like new ones each time are keys, and only if every name without a
//! counterpart is one: other members are missing and added.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::compare::{
    ABSENT, Category, findings::shorten, inside::words::is_volatile, paths::Key, rules::Added, scope::Level,
};

use super::{
    checked::scalars,
    diff::{Diff, Step},
    tape::Value,
};

/// The part of an object that its keys are.
const PART: &str = "key";

/// A member by the text of its name.
type Member<'d> = (Cow<'d, [u8]>, Value<'d>, Value<'d>);

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

impl<'d, 's> Diff<'d, 's> {
    /// Members whose names are keys that differ in each answer.
    pub(super) fn renamed(&mut self, pair: Renamed<'d>, level: Level<'s>) {
        if self.is_full() {
            return;
        }
        let (a, b) = match pair {
            Renamed::Both(a, b) => (Some(a), Some(b)),
            Renamed::Production(a) => (Some(a), None),
            Renamed::Shadow(b) => (None, Some(b)),
        };
        let Some((name, _)) = a.or(b) else { return };
        let below = if level.is_closed() {
            self.walk.below(level)
        } else {
            let text = name.string();
            self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&text)))
        };
        let (category, passes) = match (a, b) {
            (Some(_), Some(_)) => (Category::Value, false),
            (_, None) => (Category::Missing, false),
            (None, _) => (Category::Added, below.below.added == Added::Allow),
        };
        if below.ignored.is_none() && !passes {
            if !self.findings.has_room() {
                self.findings.overflow();
            } else if !level.parts.leave_out(PART) {
                let place = format!("{} {}", self.place(), PART);
                let shown = |side: Option<(Value<'_>, Value<'_>)>| {
                    side.map_or_else(|| ABSENT.to_owned(), |(name, _)| shorten(name.raw().as_bytes()))
                };
                let leaves = a
                    .filter(|_| b.is_none())
                    .map_or(1, |(_, value)| scalars(value.raw()));
                self.findings
                    .push_element(category, place, shown(a), shown(b), leaves);
            }
            if let (Some((_, a)), Some((_, b))) = (a, b)
                && a.raw() != b.raw()
            {
                self.trail.push(Step::Member(name));
                self.values(a, b, below);
                self.trail.pop();
            }
        }
        self.walk.leave(below);
    }
}

/// Members sorted by name; equal names stay in order.
pub(super) fn sorted<'d>(object: Value<'d>) -> Vec<Member<'d>> {
    let mut members: Vec<Member<'d>> = object
        .members()
        .map(|(name, value)| (name.string(), name, value))
        .collect();
    members.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    members
}
