//! Findings: the differences of one route that occur in the same exchanges.

use hashbrown::{HashMap, HashSet};

use super::Causes;
use super::known::Known;
use crate::evidence::{
    group::Unit,
    report::{Harm, Standing},
    route::RouteId,
    shape::Shift,
};

/// Findings of one route that are compared with each other.
const COMPARED: usize = 64;

/// Routes from which on a header field that differs on them is a cause of its own.
const MANY: usize = 3;

/// Places of a page that differ on nearly all pages of a route from which on it was rewritten.
const REWRITTEN: usize = 8;

/// Groups that are kept as coming with a status.
const WITH: usize = 256;

/// One difference of a route, with the signatures that have it.
#[derive(Clone, Debug)]
pub(super) struct Member<'g> {
    pub(super) unit: Unit<'g>,
    pub(super) standing: Standing,
    /// Ids of signatures, ascending.
    pub(super) rows: Vec<usize>,
    /// Indices of groups that come with it.
    pub(super) with: HashSet<usize>,
}

/// Differences of one route that occur in the same exchanges.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) route: RouteId,
    /// Indices of members; the one that gives it its name first.
    pub(super) members: Vec<usize>,
    /// Ids of signatures, ascending.
    pub(super) rows: Vec<usize>,
    pub(super) exchanges: u64,
    /// Header fields of many routes have a cause of their own.
    family: Option<usize>,
    /// Whether nearly all pages of the route were rewritten.
    pub(super) is_rewritten: bool,
}

impl Causes {
    /// Every difference that nothing excuses, with its signatures. A status that differs takes what comes with it.
    pub(super) fn members<'g>(&self, known: &Known<'g>) -> Vec<Member<'g>> {
        let mut members: Vec<Member<'g>> = Vec::new();
        let mut by_key: HashMap<(usize, Option<Shift>), usize> = HashMap::new();
        let units = known.groups.units();
        let mut signatures: Vec<_> = self.ids.iter().collect();
        signatures.sort_unstable_by_key(|(_, row)| **row);
        for (signature, row) in signatures {
            let mut found: Vec<(usize, Standing)> = Vec::with_capacity(signature.atoms.len());
            for atom in &signature.atoms {
                let Some(unit) = units.get(atom.index()).copied().flatten() else {
                    continue;
                };
                // A replay without an answer is no difference between two answers, so nothing excuses it.
                let standing = if unit.is_failure {
                    Standing::Regression
                } else {
                    known.standings.of(*atom, signature.after_write)
                };
                if !standing.is_excused() {
                    found.push((member(unit, &mut members, &mut by_key), standing));
                }
            }
            attribute(&mut members, &found, *row);
        }
        members.retain(|member| !member.rows.is_empty());
        members
    }

    /// The members of each route that occur in the same exchanges, or nearly.
    pub(super) fn findings(&self, members: &[Member<'_>]) -> Vec<Finding> {
        let families = families(members);
        let mut same: HashMap<(RouteId, &[usize], Option<usize>), usize> = HashMap::new();
        let mut findings: Vec<Finding> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let next = findings.len();
            let family = families.get(at).copied().flatten().map(|family| family.id);
            let key = (member.unit.route_id, &*member.rows, family);
            let known = *same.entry(key).or_insert(next);
            if known == next {
                findings.push(Finding {
                    route: member.unit.route_id,
                    members: vec![at],
                    rows: member.rows.clone(),
                    exchanges: self.exchanges(&member.rows),
                    family,
                    is_rewritten: false,
                });
            } else if let Some(finding) = findings.get_mut(known) {
                finding.members.push(at);
            }
        }
        let mut by_route: HashMap<RouteId, Vec<Finding>> = HashMap::new();
        for finding in findings {
            by_route.entry(finding.route).or_default().push(finding);
        }
        let shown = self.shown(members);
        let mut merged: Vec<Finding> = by_route
            .into_iter()
            .flat_map(|(route, findings)| {
                let shown = shown.get(&route).copied().unwrap_or_default();
                self.rewritten(self.merged(findings), members, shown)
            })
            .collect();
        for finding in &mut merged {
            self.lead(finding, members, &families);
        }
        merged
    }

    /// Merges findings of a route that have most of their exchanges in common.
    fn merged(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        findings.sort_by(|a, b| {
            b.exchanges
                .cmp(&a.exchanges)
                .then_with(|| a.members.cmp(&b.members))
        });
        let mut merged: Vec<Finding> = Vec::new();
        for finding in findings {
            let like = merged.iter_mut().take(COMPARED).find(|known| {
                // Sorted, so the rest is cheap to exclude.
                let (few, many) = (finding.exchanges, known.exchanges);
                finding.family == known.family && is_most(few, many) && {
                    let both = self.exchanges(&both(&known.rows, &finding.rows));
                    is_most(both, few.saturating_add(many).saturating_sub(both))
                }
            });
            match like {
                Some(known) => {
                    known.members.extend(finding.members);
                    known.rows.extend(finding.rows);
                    known.rows.sort_unstable();
                    known.rows.dedup();
                    known.exchanges = self.exchanges(&known.rows);
                }
                None => merged.push(finding),
            }
        }
        merged
    }

    /// The exchanges of each route whose content was compared: no other status hid it.
    fn shown(&self, members: &[Member<'_>]) -> HashMap<RouteId, u64> {
        let masked = masked(members);
        let matched = self.matched.iter().enumerate();
        let matched = matched.filter_map(|(at, row)| Some((RouteId::of(at)?, row)));
        let differed = self.ids.iter().filter(|(_, at)| !masked.contains(*at));
        let differed =
            differed.filter_map(|(signature, at)| Some((signature.route, self.differed.get(*at)?)));
        let mut shown: HashMap<RouteId, u64> = HashMap::new();
        for (route, row) in matched.chain(differed) {
            let sum = shown.entry(route).or_default();
            *sum = sum.saturating_add(row.all);
        }
        shown
    }

    /// Merges what differs in the pages of one route if nearly all of its pages were rewritten: in each page something
    /// else of it shows.
    fn rewritten(&self, findings: Vec<Finding>, members: &[Member<'_>], shown: u64) -> Vec<Finding> {
        let is_page = |finding: &Finding| {
            let mut of = finding.members.iter().filter_map(|at| members.get(*at));
            of.any(|member| member.unit.place.starts_with('/'))
        };
        let is_rewritten = |finding: &Finding| {
            is_page(finding) && finding.members.len() >= REWRITTEN && is_most(finding.exchanges, shown)
        };
        let (mut pages, others): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(is_page);
        let Some(at) = pages.iter().position(is_rewritten) else {
            pages.extend(others);
            return pages;
        };
        let mut whole = pages.swap_remove(at);
        for part in pages {
            whole.members.extend(part.members);
            whole.rows.extend(part.rows);
        }
        whole.rows.sort_unstable();
        whole.rows.dedup();
        whole.exchanges = self.exchanges(&whole.rows);
        whole.is_rewritten = true;
        core::iter::once(whole).chain(others).collect()
    }

    /// Puts the member that says most first; of a family the one that the others are found with.
    fn lead(&self, finding: &mut Finding, members: &[Member<'_>], families: &[Option<Family>]) {
        finding.members.sort_by_cached_key(|at| {
            let family = families.get(*at).copied().flatten();
            members.get(*at).map(|member| {
                let place = member.unit.place;
                (
                    Harm::of(member.unit.category).rank(),
                    core::cmp::Reverse(family.map(|family| family.routes)),
                    core::cmp::Reverse(self.exchanges(&member.rows)),
                    place.len(),
                    place,
                )
            })
        });
    }

    /// The exchanges of some signatures.
    pub(super) fn exchanges(&self, rows: &[usize]) -> u64 {
        rows.iter()
            .filter_map(|row| self.differed.get(*row))
            .fold(0, |sum, row| sum.saturating_add(row.all))
    }
}

/// Signatures whose status, or whose missing answer, hides what else would differ.
pub(super) fn masked(members: &[Member<'_>]) -> HashSet<usize> {
    let hides = |member: &&Member<'_>| member.unit.is_failure || member.unit.category == "status";
    let hiding = members.iter().filter(hides);
    hiding.flat_map(|member| &member.rows).copied().collect()
}

/// Header fields that differ on the same routes.
#[derive(Clone, Copy, Debug)]
struct Family {
    id: usize,
    /// The routes of this field.
    routes: usize,
}

/// The family of each member. Header fields that differ on many routes, and on no others than a field that differs on
/// more, are one family, whatever else differs there: they come from what all routes have in common, and the rest does
/// not.
fn families(members: &[Member<'_>]) -> Vec<Option<Family>> {
    let keys: Vec<_> = members
        .iter()
        .map(|Member { unit, .. }| {
            let shift = unit.shift;
            (unit.category == "header").then_some((unit.place, shift.production, shift.shadow))
        })
        .collect();
    let mut routes: HashMap<_, HashSet<RouteId>> = HashMap::new();
    for (key, member) in keys.iter().zip(members) {
        if let Some(key) = key {
            routes.entry(*key).or_default().insert(member.unit.route_id);
        }
    }
    let mut wide: Vec<_> = routes
        .into_iter()
        .filter(|(_, routes)| routes.len() >= MANY)
        .collect();
    wide.sort_by(|(a, of_a), (b, of_b)| of_b.len().cmp(&of_a.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<HashSet<RouteId>> = Vec::new();
    let mut family: HashMap<_, Family> = HashMap::new();
    for (key, routes) in wide {
        let of = routes.len();
        let covers = |known: &HashSet<RouteId>| {
            let both = known.intersection(&routes).count();
            is_most(both as u64, of as u64)
        };
        let id = kept.iter().take(COMPARED).position(covers).unwrap_or(kept.len());
        if id == kept.len() {
            kept.push(routes);
        }
        family.insert(key, Family { id, routes: of });
    }
    keys.iter()
        .map(|key| family.get(key.as_ref()?).copied())
        .collect()
}

/// Whether a part is at least four fifths of the whole.
fn is_most(part: u64, whole: u64) -> bool {
    part.saturating_mul(5) >= whole.saturating_mul(4)
}

/// The member for a difference. Statuses are distinguished by both values, anything else by its place.
fn member<'g>(
    unit: Unit<'g>,
    members: &mut Vec<Member<'g>>,
    by_key: &mut HashMap<(usize, Option<Shift>), usize>,
) -> usize {
    let shift = (unit.category == "status").then_some(unit.shift);
    let next = members.len();
    let at = *by_key.entry((unit.at, shift)).or_insert(next);
    if at == next {
        members.push(Member {
            unit,
            standing: Standing::Undecided,
            rows: Vec::new(),
            with: HashSet::new(),
        });
    }
    at
}

/// Adds a signature to its members: to those about the status, if there are any.
fn attribute(members: &mut [Member<'_>], found: &[(usize, Standing)], row: usize) {
    let is_status = |at: usize| {
        members
            .get(at)
            .is_some_and(|member| member.unit.category == "status")
    };
    let (first, with): (Vec<_>, Vec<_>) = found.iter().partition(|(at, _)| is_status(*at));
    let (leads, with) = if first.is_empty() {
        (with, first)
    } else {
        (first, with)
    };
    let with: Vec<usize> = with
        .iter()
        .filter_map(|(at, _)| members.get(*at))
        .map(|member| member.unit.at)
        .collect();
    for (at, standing) in leads {
        let Some(member) = members.get_mut(at) else {
            continue;
        };
        member.standing = member.standing.min(standing);
        if member.rows.last() != Some(&row) {
            member.rows.push(row);
        }
        for group in &with {
            if member.with.len() < WITH {
                member.with.insert(*group);
            }
        }
    }
}

/// The numbers that two ascending lists have in common.
fn both(a: &[usize], b: &[usize]) -> Vec<usize> {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter()
        .filter(|row| many.binary_search(row).is_ok())
        .copied()
        .collect()
}
