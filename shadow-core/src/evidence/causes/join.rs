//! Causes: findings of different routes with the same change.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::change::leaf;
use super::cluster::{Finding, Member};
use crate::evidence::{report::FeatureKind, shape::Shape};

/// Causes whose places are compared with each other.
const COMPARED: usize = 200;

/// Places from which on two lists of them can be alike.
const PLACES: usize = 3;

/// The change of a finding: category, name, and both shapes.
pub(super) type Change<'g> = (&'g str, &'g str, Shape, Shape);

/// Findings with one change.
#[derive(Clone, Debug)]
pub(super) struct Joined<'g> {
    pub(super) change: Change<'g>,
    /// The finding with the most exchanges first.
    pub(super) findings: Vec<Finding>,
    pub(super) exchanges: u64,
}

/// Joins findings with the same change, or with mostly the same places.
pub(super) fn joined<'g>(findings: Vec<Finding>, members: &[Member<'g>]) -> Vec<Joined<'g>> {
    let mut by_change: HashMap<Change<'g>, Joined<'g>> = HashMap::new();
    for finding in findings {
        let Some(change) = change(&finding, members) else {
            continue;
        };
        let joined = by_change.entry(change).or_insert_with(|| Joined {
            change,
            findings: Vec::new(),
            exchanges: 0,
        });
        joined.exchanges = joined.exchanges.saturating_add(finding.exchanges);
        joined.findings.push(finding);
    }
    let mut all: Vec<Joined<'g>> = by_change.into_values().collect();
    all.sort_by(|a, b| {
        b.exchanges
            .cmp(&a.exchanges)
            .then_with(|| a.change.cmp(&b.change))
    });
    let mut kept: Vec<(BTreeSet<(&str, &str)>, Joined<'g>)> = Vec::new();
    for joined in all {
        let places = places(&joined, members);
        let alike = |known: &BTreeSet<_>| {
            let both = known.intersection(&places).count();
            both >= PLACES && both.saturating_mul(5) >= known.union(&places).count().saturating_mul(3)
        };
        match kept.iter_mut().take(COMPARED).find(|(known, _)| alike(known)) {
            Some((_, known)) => {
                known.exchanges = known.exchanges.saturating_add(joined.exchanges);
                known.findings.extend(joined.findings);
            }
            None => kept.push((places, joined)),
        }
    }
    kept.into_iter()
        .map(|(_, mut joined)| {
            joined.findings.sort_by(|a, b| {
                b.exchanges
                    .cmp(&a.exchanges)
                    .then_with(|| a.route.index().cmp(&b.route.index()))
            });
            joined
        })
        .collect()
}

/// The feature that a change says by itself: those with another status than 401 were answered with 401.
pub(super) fn stated(change: &Change<'_>) -> Option<FeatureKind> {
    match change {
        ("status", ..) => Some(FeatureKind::AnswerStatus),
        ("header", place, ..) if place.contains("content-type") => Some(FeatureKind::AnswerType),
        ("header", place, ..) if place.contains("content-encoding") => Some(FeatureKind::AnswerCoding),
        _ => None,
    }
}

fn change<'g>(finding: &Finding, members: &[Member<'g>]) -> Option<Change<'g>> {
    let unit = &members.get(*finding.members.first()?)?.unit;
    let shift = unit.shift;
    let shape = |shape: Shape| {
        if unit.category == "type" {
            shape.json_type()
        } else {
            shape
        }
    };
    Some((
        unit.category,
        leaf(unit.place),
        shape(shift.production),
        shape(shift.shadow),
    ))
}

/// The names of all places, without their route.
fn places<'g>(joined: &Joined<'g>, members: &[Member<'g>]) -> BTreeSet<(&'g str, &'g str)> {
    let all = joined.findings.iter().flat_map(|finding| &finding.members);
    all.filter_map(|at| members.get(*at))
        .map(|member| (member.unit.category, leaf(member.unit.place)))
        .collect()
}
