//! Features that separate the requests of a cause from others, by information gain.
//!
//! Bias: a feature is shown only if it holds. At least 95 % of the cause's requests have it (or lack it), the interval
//! of the difference of both shares is above one half, and among so many features chance explains it in at most one of
//! a hundred reports. Others are only those that could have shown the difference: not an answer with another status
//! than production's, or none, which is a cause of its own.

use core::cmp::Ordering;

use hashbrown::{HashMap, HashSet};

use super::{
    Causes,
    change::Feature,
    cluster::{Member, masked},
    row::Row,
};
use crate::evidence::{
    numbers::float,
    report::{FeatureKind, Separates},
    route::RouteId,
    stats::{Proportion, newcombe, rounded, share},
    trend::{Slicer, Slices},
};

/// Features of one cause that are shown.
const SHOWN: usize = 3;

/// Beginnings of a path that are tried.
const PREFIXES: usize = 3;

/// Others on its routes from which on a cause is compared with them alone.
const OTHERS: u64 = 5;

/// The least share of a cause's requests that have a feature.
const SUPPORT: f64 = 0.95;

/// The least lower end of the interval of the difference of both shares.
const APART: f64 = 0.5;

/// Reports in which chance explains a feature, out of a hundred.
const CHANCE: f64 = 0.01;

/// Sums of features over all exchanges of a route, or of all routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    all: u64,
    /// By feature.
    counts: Vec<u64>,
    slices: Slices,
}

/// Sums of every route, and of all of them, without the masked signatures.
#[derive(Debug)]
pub(super) struct Totals {
    routes: HashMap<RouteId, Sums>,
    all: Sums,
    /// Signatures whose status, or whose missing answer, hides what else would differ.
    masked: HashSet<usize>,
}

/// A cause, with the exchanges that it is compared with.
struct Compared<'t> {
    cause: Sums,
    /// The masked part of it, which no total has.
    masked: Sums,
    totals: &'t Totals,
}

/// One feature in a cause and outside.
#[derive(Clone, Copy, Debug)]
struct Seen {
    with: (u64, u64),
    others: (u64, u64),
}

impl Sums {
    fn new(features: usize) -> Self {
        Self {
            counts: vec![0; features],
            ..Self::default()
        }
    }

    fn add(&mut self, row: &Row) {
        self.all = self.all.saturating_add(row.all);
        row.add_to(&mut self.counts);
        self.slices.add(&row.slices);
    }

    fn plus(&mut self, other: &Self) {
        self.all = self.all.saturating_add(other.all);
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum = sum.saturating_add(*count);
        }
        self.slices.add(&other.slices);
    }

    fn of(&self, feature: usize) -> u64 {
        self.counts.get(feature).copied().unwrap_or_default()
    }
}

impl Causes {
    /// The sums of every route.
    pub(super) fn totals(&self, members: &[Member<'_>]) -> Totals {
        let masked = masked(members);
        let features = self.features.all().len();
        let mut routes: HashMap<RouteId, Sums> = HashMap::new();
        let matched = self.matched.iter().enumerate().filter(|(_, row)| row.all > 0);
        let matched = matched.filter_map(|(at, row)| Some((RouteId::of(at)?, row)));
        let differed = self
            .ids
            .iter()
            .filter(|(_, at)| !masked.contains(*at))
            .filter_map(|(signature, at)| Some((signature.route, self.differed.get(*at)?)));
        for (route, row) in matched.chain(differed) {
            routes
                .entry(route)
                .or_insert_with(|| Sums::new(features))
                .add(row);
        }
        let mut all = Sums::new(features);
        for sums in routes.values() {
            all.plus(sums);
        }
        Totals { routes, all, masked }
    }

    /// The features that separate some signatures on some routes, the most telling first. One of a kind that the change
    /// states by itself says nothing more.
    pub(super) fn separate<'n>(
        &self,
        (rows, stated): (&[usize], Option<FeatureKind>),
        routes: &[(RouteId, &str)],
        totals: &Totals,
        (slicer, names): (&Slicer, &dyn Fn(RouteId) -> &'n str),
    ) -> Vec<Separates> {
        let features = self.features.all();
        let mut compared = Compared {
            cause: Sums::new(features.len()),
            masked: Sums::new(features.len()),
            totals,
        };
        for (at, row) in rows.iter().filter_map(|at| Some((at, self.differed.get(*at)?))) {
            compared.cause.add(row);
            if totals.masked.contains(at) {
                compared.masked.add(row);
            }
        }
        let cause = &compared.cause;
        let [mut near, mut whole] = [compared.masked.clone(), compared.masked.clone()];
        whole.plus(&totals.all);
        for (route, _) in routes {
            if let Some(sums) = totals.routes.get(route) {
                near.plus(sums);
            }
        }
        let everywhere = near.all.saturating_sub(cause.all) < OTHERS;
        if everywhere && routes.len() < 2 {
            // The route itself is what they have in common.
            return Vec::new();
        }
        let scope = if everywhere { &whole } else { &near };
        let seen =
            |feature: usize, scope: &Sums| Seen::new(cause, cause.of(feature), scope, scope.of(feature));
        let mut found: Vec<Separates> = features
            .iter()
            .enumerate()
            .filter(|(at, feature)| !self.features.is_lost(*at) && Some(feature.kind) != stated)
            .filter_map(|(at, feature)| {
                let near = seen(at, scope).separates(feature, features.len(), everywhere)?;
                // The same of all requests says more.
                let all = seen(at, &whole).separates(feature, features.len(), true);
                let all = all.filter(|all| all.is_as_clear_as(&near));
                Some(all.map_or_else(
                    || near.clone(),
                    |all| Separates {
                        gain: near.gain,
                        ..all
                    },
                ))
            })
            .collect();
        if everywhere {
            found.extend(of_routes(routes, (&compared, &whole), names, features.len()));
        }
        found.extend(in_time(cause, scope, slicer, everywhere));
        found.sort_by(|a, b| {
            b.gain
                .partial_cmp(&a.gain)
                .unwrap_or(Ordering::Equal)
                // A present feature says more than an absent one.
                .then_with(|| (a.low < 0.0).cmp(&(b.low < 0.0)))
                .then_with(|| a.kind.cmp(&b.kind))
                .then_with(|| a.name.cmp(&b.name))
        });
        let best = found.first().map_or(0.0, |first| first.gain);
        found.retain(|feature| feature.gain >= best * 0.9);
        found.truncate(SHOWN);
        found
    }
}

impl Seen {
    fn new(cause: &Sums, with: u64, scope: &Sums, all: u64) -> Self {
        Self {
            with: (with, cause.all),
            others: (all.saturating_sub(with), scope.all.saturating_sub(cause.all)),
        }
    }

    /// The feature, if it holds among so many. A feature that a cause lacks separates it as well.
    fn separates(self, feature: &Feature, features: usize, everywhere: bool) -> Option<Separates> {
        let Self { with, others } = self;
        let gain = gain(with, others);
        let exchanges = float(with.1.saturating_add(others.1));
        if gain * exchanges < (float(features as u64).max(1.0) / CHANCE).ln() {
            return None;
        }
        let (low, high) = newcombe(with, others)?;
        let support = share(with.0, with.1)?;
        let has = support >= SUPPORT && low >= APART;
        // That no build is named says no more than that there was no answer.
        let may_lack = feature.kind != FeatureKind::Build;
        let lacks = may_lack && support <= 1.0 - SUPPORT && high <= -APART;
        (has || lacks).then(|| Separates {
            kind: feature.kind,
            name: feature.name.clone(),
            says: feature.says(),
            with: Proportion::new(with.0, with.1),
            others: Proportion::new(others.0, others.1),
            everywhere,
            low: rounded(low),
            high: rounded(high),
            gain: rounded(gain / core::f64::consts::LN_2),
        })
    }
}

impl Separates {
    /// Whether the interval is as far from zero as that of another.
    fn is_as_clear_as(&self, other: &Self) -> bool {
        let clear = |one: &Self| if one.low > 0.0 { one.low } else { -one.high };
        self.low.signum() == other.low.signum() && clear(self) >= clear(other) - 0.01
    }
}

/// The information gained about the membership of a request by knowing the feature, in nats.
fn gain(a: (u64, u64), b: (u64, u64)) -> f64 {
    let without = |(with, all): (u64, u64)| all.saturating_sub(with);
    let all = float(a.1.saturating_add(b.1)).max(1.0);
    let part = |x: u64, y: u64| {
        let both = x.saturating_add(y);
        float(both) / all * entropy(x, both)
    };
    entropy(a.1, a.1.saturating_add(b.1)) - part(a.0, b.0) - part(without(a), without(b))
}

/// The entropy of a share.
fn entropy(part: u64, whole: u64) -> f64 {
    let p = share(part, whole).unwrap_or(0.0);
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}

/// The method and the beginning of the path that all routes of a cause have.
fn of_routes<'n>(
    routes: &[(RouteId, &str)],
    (compared, whole): (&Compared<'_>, &Sums),
    names: &dyn Fn(RouteId) -> &'n str,
    features: usize,
) -> Vec<Separates> {
    let Some((_, first)) = routes.first() else {
        return Vec::new();
    };
    let (method, path) = first.split_once(' ').unwrap_or((first, ""));
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at.saturating_add(1))
        .skip(1);
    let prefixes = ends
        .filter_map(|end| path.get(..end))
        .filter(|prefix| !prefix.contains('{'));
    let mut candidates = vec![(FeatureKind::Method, method)];
    candidates.extend(prefixes.take(PREFIXES).map(|prefix| (FeatureKind::Path, prefix)));
    let has = |kind: FeatureKind, name: &str, route: &str| {
        let (method, path) = route.split_once(' ').unwrap_or((route, ""));
        match kind {
            FeatureKind::Path => path.starts_with(name),
            _ => method == name,
        }
    };
    candidates
        .into_iter()
        .filter(|(kind, name)| routes.iter().all(|(_, route)| has(*kind, name, route)))
        .filter_map(|(kind, name)| {
            let routes = compared.totals.routes.iter();
            let with = routes.filter(|(route, _)| has(kind, name, names(**route)));
            let all = with.fold(compared.masked.all, |sum: u64, (_, sums)| {
                sum.saturating_add(sums.all)
            });
            let feature = Feature {
                kind,
                name: name.to_owned(),
            };
            Seen::new(&compared.cause, compared.cause.all, whole, all).separates(&feature, features, true)
        })
        .collect()
}

/// The span of time in which a cause was seen.
fn in_time(cause: &Sums, scope: &Sums, slicer: &Slicer, everywhere: bool) -> Option<Separates> {
    let used = slicer.used();
    let first = (0..used).find(|slice| cause.slices.sum(*slice..slice.saturating_add(1)) > 0)?;
    let last = (0..used)
        .rev()
        .find(|slice| cause.slices.sum(*slice..slice.saturating_add(1)) > 0)?;
    let range = first..last.saturating_add(1);
    let seen = Seen::new(
        cause,
        cause.slices.sum(range.clone()),
        scope,
        scope.slices.sum(range.clone()),
    );
    let [from, to] = [range.start, range.end].map(|slice| slicer.since_start(slice).as_secs());
    let feature = Feature {
        kind: FeatureKind::Time,
        name: if range.end >= used {
            format!("{from} s after the start or later")
        } else {
            format!("between {from} s and {to} s after the start")
        },
    };
    // All pairs of slices could have been the span.
    seen.separates(&feature, used.saturating_mul(used), everywhere)
}
