//! Causes: findings of different routes with the same change.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::change::leaf;
use super::cluster::{Finding, Member};
use crate::evidence::{report::FeatureKind, shape::Shape};

/// Causes whose places are compared with each other.
const COMPARED: usize = 200;

/// Places that two findings have in common from which on they can be one change: of the shorter list also a fourth.
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

/// Joins findings with the same change, with places in common, or of rewritten pages.
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
        let alike = |(known_places, known): &&mut (BTreeSet<_>, Joined<'g>)| {
            let both = known_places.intersection(&places).count();
            both >= PLACES && both.saturating_mul(4) >= known_places.len().min(places.len())
                || is_one_status(known, &joined)
                || is_rewritten(known) && is_rewritten(&joined)
        };
        match kept.iter_mut().take(COMPARED).find(alike) {
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

/// Whether its pages were rewritten: those of several routes were together, whatever each of them has.
fn is_rewritten(joined: &Joined<'_>) -> bool {
    joined
        .findings
        .first()
        .is_some_and(|finding| finding.is_rewritten)
}

/// Whether the shadow system answers requests of one route with one status, whatever production's is.
fn is_one_status(known: &Joined<'_>, more: &Joined<'_>) -> bool {
    let of = |joined: &Joined<'_>| (joined.change.0 == "status").then_some(joined.change.3);
    let route = |finding: &Finding| more.findings.iter().any(|more| more.route == finding.route);
    of(known).is_some() && of(known) == of(more) && known.findings.iter().any(route)
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
    let [production, shadow] = match unit.category {
        "type" => [shift.production.json_type(), shift.shadow.json_type()],
        // One field that differs has many values: a media type for each kind of file.
        "header" if !shift.production.is_absent() && !shift.shadow.is_absent() => [Shape::Other; 2],
        _ => [shift.production, shift.shadow],
    };
    Some((unit.category, leaf(unit.place), production, shadow))
}

/// The names of all places, without their route.
fn places<'g>(joined: &Joined<'g>, members: &[Member<'g>]) -> BTreeSet<(&'g str, &'g str)> {
    let all = joined.findings.iter().flat_map(|finding| &finding.members);
    all.filter_map(|at| members.get(*at))
        .map(|member| (member.unit.category, leaf(member.unit.place)))
        .collect()
}
