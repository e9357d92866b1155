//! A ledger in a form that can be stored, and a ledger from several of these.
//!
//! Everything that a verdict follows from is in it: counts, latencies, groups, sets of differences, repeats, what was
//! verified, planted faults, coverage over time. Features of causes and trends are not.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    evidence::{
        coverage::Windows,
        group::{AtomId, StoredGroups},
        joint::{StoredLog, Times},
        ledger::{Ledger, LedgerLimits},
        power::StoredPower,
        protocols::Protocols,
        report,
        route::RouteId,
        sets::StoredSets,
        tally::{StoredTally, Tally},
        unread::UnreadTraffic,
        verified::StoredVerified,
    },
    gate::{Skip, SkipPolicy},
};
use shadow_proto::exchange::Incomplete;

/// The counts of one ledger at one moment.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct State {
    exchanges: u64,
    unread: UnreadTraffic,
    /// By reason: decisions, and incomplete exchanges.
    skipped: BTreeMap<String, u64>,
    incomplete: BTreeMap<String, u64>,
    total: StoredTally,
    /// By id, with their names.
    routes: Vec<(String, StoredTally)>,
    groups: StoredGroups,
    sets: StoredSets,
    errors: StoredLog,
    verified: StoredVerified,
    power: StoredPower,
    writes: report::Writes,
    background: report::Background,
    clock: Option<(u64, u64)>,
    #[serde(default)]
    coverage: Windows,
    #[serde(default)]
    protocols: Protocols,
    #[serde(default)]
    fields: report::Fields,
}

/// Counts whose times are known only together with those of the other states.
#[derive(Debug, Default)]
struct Timed {
    sets: Times,
    errors: Times,
}

impl State {
    /// Exchanges with a match or a mismatch.
    pub(super) fn compared(&self) -> u64 {
        self.total.compared()
    }

    /// All exchanges.
    pub(super) fn exchanges(&self) -> u64 {
        self.exchanges
    }
}

impl Ledger {
    /// The present counts. `later` is added to all times: the time at which the clock of the exchanges began, in
    /// nanoseconds since 1970, so that several nodes have the same clock.
    pub fn state(&self, later: u64) -> State {
        let seconds = later / 1_000_000_000;
        let mut skipped = BTreeMap::new();
        let mut incomplete = BTreeMap::new();
        for (skip, count) in &self.skips {
            match skip {
                Skip::Policy(reason) => skipped.insert(reason.as_str().to_owned(), *count),
                Skip::Incomplete(reason) => incomplete.insert(reason.as_str().to_owned(), *count),
            };
        }
        let routes = self.routes.names().iter().enumerate().map(|(id, name)| {
            let tally = self.by_route.get(id).map(Tally::stored);
            // A route that became part of another one has its name.
            let now = RouteId::of(id).map_or(name.as_str(), |route| self.routes.name(route));
            (now.to_owned(), tally.unwrap_or_default())
        });
        State {
            exchanges: self.exchanges,
            unread: self.total.unread,
            skipped,
            incomplete,
            total: self.total.stored(),
            routes: routes.collect(),
            groups: self.groups.stored(self.leaves_before(), later),
            sets: self.sets.stored(seconds),
            errors: self.errors.stored(seconds),
            verified: self.verified_stored(),
            power: self.power_stored(),
            writes: self.writes.figures(),
            background: self.background,
            clock: self
                .clock
                .map(|(first, last)| (first.saturating_add(seconds), last.saturating_add(seconds))),
            coverage: self.coverage.clone().later(seconds),
            protocols: self.protocols,
            fields: self.field_names.all(),
        }
    }

    /// Adds the counts of other ledgers to those of an empty one. An error is the index of one that is damaged.
    pub(super) fn add_states(&mut self, states: &[&State]) -> Result<(), usize> {
        let mut data: Vec<_> = states
            .iter()
            .flat_map(|state| state.groups.data())
            .copied()
            .collect();
        data.sort_unstable();
        data.dedup();
        let planted = states.iter().map(|state| state.power.planted());
        let planted = planted.fold(0, u64::saturating_add);
        let mut timed = Timed::default();
        for (at, state) in states.iter().enumerate() {
            let folded = (state.groups.data() != data).then(|| self.folded(state, &data));
            let state = match &folded {
                Some(folded) => folded.as_ref().ok_or(at)?,
                None => *state,
            };
            self.add_state(state, planted, &mut timed).ok_or(at)?;
        }
        self.in_order(timed);
        let coverage: Vec<&Windows> = states.iter().map(|state| &state.coverage).collect();
        self.coverage = Windows::together(&coverage);
        Ok(())
    }

    /// The same state, after it became known that these objects and lists are data.
    fn folded(&self, state: &State, data: &[[u8; 6]]) -> Option<State> {
        let mut one = self.empty();
        let mut timed = Timed::default();
        one.add_state(state, state.power.planted(), &mut timed)?;
        one.in_order(timed);
        one.groups.fold_by(data);
        Some(one.state(0))
    }

    /// An empty ledger with the same settings.
    fn empty(&self) -> Self {
        Self::new(LedgerLimits::default(), self.gates.clone(), self.redactor.clone())
            .reversed(self.reversed)
            .expecting_pairs(self.expects_pairs)
    }

    fn in_order(&mut self, mut timed: Timed) {
        timed.sets.sort();
        timed.errors.sort();
        self.sets.add_times(&timed.sets);
        if let Some(exact) = timed.errors.bursts().get(&0) {
            self.total.errors = self.total.errors.joined(exact);
        }
        self.errors = timed.errors.log();
    }

    fn add_state(&mut self, state: &State, planted: u64, timed: &mut Timed) -> Option<()> {
        self.exchanges = self.exchanges.saturating_add(state.exchanges);
        self.total.unread = self.total.unread.plus(&state.unread);
        self.add_skips(state)?;
        self.total.add_stored(&state.total)?;
        let mut routes: Vec<(RouteId, String)> = Vec::with_capacity(state.routes.len());
        for (name, tally) in &state.routes {
            let id = self.routes.named(name);
            self.route(id).add_stored(tally)?;
            routes.push((id, name.clone()));
        }
        let route = |id: usize| routes.get(id).map(|(id, _)| *id);
        let (ids, leaves): (_, HashMap<AtomId, u64>) = self.groups.add_stored(&state.groups, &routes)?;
        let sets = self
            .sets
            .add_stored(&state.sets, |id| route(id as usize), |atom| ids.atom(atom))?;
        timed.sets.add(&state.sets.log, |set| {
            let set = sets.get(set as usize).copied();
            set.and_then(|set| u32::try_from(set).ok()).unwrap_or(u32::MAX)
        });
        timed.errors.add(&state.errors, |_| 0);
        if !state.errors.is_complete() {
            self.total.errors = self.total.errors.joined(&state.total.errors());
        }
        self.add_verified(&state.verified, route, &leaves)?;
        self.add_power(&state.power, planted, |id| route(id as usize))?;
        self.writes.add(state.writes);
        self.background = self.background.plus(state.background);
        self.protocols.add(&state.protocols);
        self.field_names.add_stored(&state.fields);
        self.clock = match (self.clock, state.clock) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (known, other) => known.or(other),
        };
        Some(())
    }

    fn add_skips(&mut self, state: &State) -> Option<()> {
        let policies = state.skipped.iter().map(|(name, count)| {
            let reason = SkipPolicy::ALL.iter().find(|reason| reason.as_str() == name);
            Some((Skip::Policy(*reason?), *count))
        });
        let incomplete = state.incomplete.iter().map(|(name, count)| {
            let reason = Incomplete::ALL.iter().find(|reason| reason.as_str() == name);
            Some((Skip::Incomplete(*reason?), *count))
        });
        for skip in policies.chain(incomplete) {
            let (skip, more) = skip?;
            let sum = self.skips.entry(skip).or_default();
            *sum = sum.saturating_add(more);
        }
        Some(())
    }
}

impl report::Background {
    /// The pairs of both.
    fn plus(self, other: Self) -> Self {
        let pairs = |a: report::Pairs, b: report::Pairs| report::Pairs {
            compared: a.compared.saturating_add(b.compared),
            differed: a.differed.saturating_add(b.differed),
        };
        Self {
            twice: pairs(self.twice, other.twice),
            recurring: pairs(self.recurring, other.recurring),
            control: pairs(self.control, other.control),
            overflow: self.overflow.saturating_add(other.overflow),
            sets_overflow: self.sets_overflow.saturating_add(other.sets_overflow),
            production_again: self.production_again.saturating_add(other.production_again),
            shadow_again: self.shadow_again.saturating_add(other.shadow_again),
            expected: self.expected || other.expected,
        }
    }
}
