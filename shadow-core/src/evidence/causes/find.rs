//! The causes for a report: findings joined, separated, and ordered by harm.

use super::{
    Causes,
    cluster::{Finding, Member},
    join::{Change, Joined, joined, stated},
    known::Known,
    separate::Totals,
    words::words,
};
use crate::evidence::{
    report::{self, Cause, CauseRoute, FeatureKind, Harm, Separates, Standing},
    route::RouteId,
    stats::Proportion,
};

/// Causes for which separating features are looked for.
const SEPARATED: usize = 60;

/// Findings of a cause that are looked at one by one.
const ONE_BY_ONE: usize = 64;

/// Parts that a cause is split into, those of several routes aside.
const PARTS: usize = 3;

/// Causes in a report.
const SHOWN: usize = 50;

/// Groups that a cause lists.
const LISTED: usize = 200;

/// A cause before it is shown.
struct Open<'g> {
    change: Change<'g>,
    findings: Vec<Finding>,
    standing: Standing,
    exchanges: u64,
    features: Vec<Separates>,
    /// Whether its features separate it from others with the same change.
    is_split: bool,
}

impl Causes {
    /// The causes of all differences that nothing excuses, the most harmful first, and the number of further ones.
    pub(crate) fn find(&self, known: &Known<'_>) -> (Vec<Cause>, u64) {
        let members = self.members(known);
        let mut open: Vec<Open<'_>> = joined(self.findings(&members), &members)
            .into_iter()
            .map(|joined| self.open(joined, &members))
            .collect();
        open.sort_by(by_harm);
        let rest = open.split_off(open.len().min(SEPARATED));
        let totals = self.totals(&members);
        let mut separated: Vec<Open<'_>> = open
            .into_iter()
            .flat_map(|open| self.split(open, &members, known, &totals))
            .collect();
        separated.sort_by(by_harm);
        let all = separated.len().saturating_add(rest.len());
        let shown: Vec<Cause> = separated
            .iter()
            .chain(&rest)
            .take(SHOWN)
            .map(|open| self.cause(open, &members, known))
            .collect();
        let more = all.saturating_sub(shown.len()) as u64;
        (shown, more)
    }

    fn open<'g>(&self, joined: Joined<'g>, members: &[Member<'g>]) -> Open<'g> {
        let rows = rows(&joined.findings);
        let all = joined.findings.iter().flat_map(|finding| &finding.members);
        let standings = all
            .filter_map(|at| members.get(*at))
            .map(|member| member.standing);
        Open {
            change: joined.change,
            standing: standings.min().unwrap_or(Standing::Undecided),
            exchanges: self.exchanges(&rows),
            findings: joined.findings,
            features: Vec::new(),
            is_split: false,
        }
    }

    /// Finds what separates a cause. If nothing separates all of it, parts that something separates become causes of
    /// their own: the same change may have two causes.
    fn split<'g>(
        &self,
        mut open: Open<'g>,
        members: &[Member<'g>],
        known: &Known<'_>,
        totals: &Totals,
    ) -> Vec<Open<'g>> {
        open.features = self.features((&open.change, &open.findings), known, totals);
        if !open.features.is_empty() || open.findings.len() < 2 {
            return vec![open];
        }
        let mut parts: Vec<(Separates, Vec<Finding>)> = Vec::new();
        let mut rest: Vec<Finding> = Vec::new();
        for (at, finding) in open.findings.iter().enumerate() {
            let best = if at < ONE_BY_ONE {
                let one = core::slice::from_ref(finding);
                let features = self.features((&open.change, one), known, totals);
                features
                    .into_iter()
                    .find(|feature| feature.kind != FeatureKind::Time)
            } else {
                None
            };
            let Some(best) = best else {
                rest.push(finding.clone());
                continue;
            };
            let is_same = |(part, _): &&mut (Separates, _)| {
                part.kind == best.kind && part.name == best.name && (part.low > 0.0) == (best.low > 0.0)
            };
            match parts.iter_mut().find(is_same) {
                Some((_, findings)) => findings.push(finding.clone()),
                None => parts.push((best, vec![finding.clone()])),
            }
        }
        if parts.len() > PARTS {
            // With so many, what is special about a single route is chance.
            let single = parts.extract_if(.., |(_, findings)| findings.len() == 1);
            rest.extend(single.flat_map(|(_, findings)| findings));
        }
        if parts.is_empty() {
            return vec![open];
        }
        let (change, left) = (open.change, !rest.is_empty());
        let findings = parts.into_iter().map(|(_, findings)| findings);
        findings
            .chain(left.then_some(rest))
            .map(|findings| {
                let exchanges = 0;
                let part = self.open(
                    Joined {
                        change,
                        findings,
                        exchanges,
                    },
                    members,
                );
                let features = self.features((&part.change, &part.findings), known, totals);
                Open {
                    is_split: true,
                    features,
                    ..part
                }
            })
            .collect()
    }

    fn features(
        &self,
        (change, findings): (&Change<'_>, &[Finding]),
        known: &Known<'_>,
        totals: &Totals,
    ) -> Vec<Separates> {
        let mut routes: Vec<(RouteId, &str)> = findings
            .iter()
            .map(|finding| (finding.route, (known.routes)(finding.route).0))
            .collect();
        routes.sort_unstable_by_key(|(route, _)| route.index());
        routes.dedup();
        let names = |route: RouteId| (known.routes)(route).0;
        let rows = (&*rows(findings), stated(change));
        self.separate(rows, &routes, totals, (known.slicer, &names))
    }

    fn cause(&self, open: &Open<'_>, members: &[Member<'_>], known: &Known<'_>) -> Cause {
        let mut all: Vec<&Member<'_>> = Vec::new();
        let mut routes: Vec<CauseRoute> = Vec::new();
        let mut exchanges = 0;
        for finding in &open.findings {
            let counted = self.counted(finding, members, known);
            exchanges = counted.saturating_add(exchanges);
            all.extend(finding.members.iter().filter_map(|at| members.get(*at)));
            let (route, of) = (known.routes)(finding.route);
            match routes.iter_mut().find(|known| known.route == route) {
                Some(known) => known.exchanges = known.exchanges.saturating_add(counted).min(of),
                None => routes.push(CauseRoute {
                    route: route.to_owned(),
                    exchanges: counted.min(of),
                    of,
                }),
            }
        }
        // Findings of one route may have exchanges in common.
        let exchanges = if self.forgotten == 0 {
            open.exchanges
        } else {
            exchanges
        };
        let of = routes
            .iter()
            .fold(0, |sum: u64, route| sum.saturating_add(route.of));
        let lead = all.first();
        let ids = |at: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            let mut ids: Vec<String> = Vec::new();
            for at in at {
                let id = known.groups.id(at);
                if ids.len() < LISTED && !ids.contains(&id) {
                    ids.push(id);
                }
            }
            ids
        };
        let groups = ids(&mut all.iter().map(|member| member.unit.at));
        let mut with: Vec<usize> = all.iter().flat_map(|member| &member.with).copied().collect();
        with.sort_unstable();
        with.dedup();
        Cause {
            id: id(open),
            harm: Harm::of(open.change.0),
            change: words(&all),
            standing: open.standing,
            exchanges: exchanges.min(of),
            rate: Proportion::new(exchanges.min(of), of),
            routes,
            with_it: ids(&mut with.into_iter()),
            groups,
            features: open.features.clone(),
            sample: lead.and_then(|lead| known.groups.sample(lead.unit.at, lead.unit.shift)),
        }
    }
}

impl Causes {
    /// The exchanges of a finding. Where signatures were forgotten, those that its group counted.
    fn counted(&self, finding: &Finding, members: &[Member<'_>], known: &Known<'_>) -> u64 {
        let lead = finding.members.first().and_then(|at| members.get(*at));
        let Some(lead) = lead.filter(|_| self.forgotten > 0) else {
            return finding.exchanges;
        };
        let shift = (lead.unit.category == "status").then_some(lead.unit.shift);
        let counted = known.groups.counted(lead.unit.at, shift, known.standings);
        counted.max(finding.exchanges)
    }
}

/// The signatures of some findings, ascending.
fn rows(findings: &[Finding]) -> Vec<usize> {
    let mut rows: Vec<usize> = findings
        .iter()
        .flat_map(|finding| &finding.rows)
        .copied()
        .collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn by_harm(a: &Open<'_>, b: &Open<'_>) -> core::cmp::Ordering {
    let rank = |open: &Open<'_>| (open.standing, Harm::of(open.change.0).rank());
    rank(a)
        .cmp(&rank(b))
        .then_with(|| b.exchanges.cmp(&a.exchanges))
        .then_with(|| a.change.cmp(&b.change))
}

/// The same for the same change in every run.
fn id(open: &Open<'_>) -> String {
    let (category, place, production, shadow) = open.change;
    let feature = open.features.first().filter(|_| open.is_split);
    let feature = feature.map_or_else(String::new, |feature| {
        format!("{:?} {}", feature.kind, feature.name)
    });
    let (production, shadow) = (production.to_string(), shadow.to_string());
    let mut hasher = blake3::Hasher::new();
    for part in [category, place, &production, &shadow, &feature] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let hex = hasher.finalize().to_hex();
    format!("{}{}", report::CAUSE, hex.get(..6).unwrap_or_default())
}
