//! Automatic actions of the running agent: it watches breakers, its budget and the trip rules.
//!
//! Owns: active trips and when they end. Paused targets and kills are in the state folder, so a restart changes nothing
//! about them. Bias: a clock that was set back, or a file that cannot be read, never ends a trip early.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use shadow_common::stat::Stat;
use shadow_core::evidence::{Ledger, VerdictMark, report::KernelCounters};

use crate::{
    budget::{Budget, Cause, Probe},
    capture::ring::RingCounters,
    clock::now_ms,
    config::{
        Config,
        trips::{self, Resume, TargetTrip, Trips},
    },
    pipeline::{Lane, Pipeline},
    state::{Killed, StateDir, StateError},
    trips::{
        Log, Trip,
        rules::{self, Window},
    },
};

/// How often the budget and the rules are checked.
const LOOK: Duration = Duration::from_secs(1);

/// How long until a failed resume is tried again.
const AGAIN: Duration = Duration::from_mins(1);

/// An action for the running agent.
#[derive(Debug)]
pub(super) enum Action {
    /// Report an action that was taken.
    Report(Trip),
    /// Lower or raise the share of the sample that the budget allows, then report it.
    SetShare(f64, Trip),
    /// Stop all mirroring, then report it.
    Kill(Killed, Trip),
    /// The time of a kill by a rule is over: mirror again, and report the result with [`Watchdog::resumed`].
    Resume,
}

/// The counters that a check needs.
#[derive(Debug)]
pub(super) struct Readings<'a> {
    pub(super) kernel: &'a KernelCounters,
    pub(super) ring: &'a RingCounters,
}

/// Watches over the running agent.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// The trips so far.
    pub(super) log: Log,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: Trips,
    looked: Instant,
    budget: Budget,
    probe: Probe,
    ring: Window,
    /// For each lane: errors and regressions.
    lanes: Vec<(Window, Window<VerdictMark>)>,
    /// Targets that are paused, by name.
    paused: BTreeMap<String, Paused>,
    /// When a kill by a rule ends by itself.
    killed_until: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Paused {
    trip: Trip,
    until: Option<Instant>,
}

/// A finding of a rule.
struct Found {
    rule: &'static str,
    target: Option<String>,
    why: String,
    then: trips::Action,
    resume: Resume,
}

impl Watchdog {
    /// With the trips of the previous agent.
    pub(super) fn load(config: &Config, state: &StateDir) -> Result<Self, StateError> {
        let now = Instant::now();
        let left = |trip: &Trip| trip.until_ms.map(|until| now + left(trip.at_ms, until));
        let paused = state.paused()?.into_iter().map(|(name, trip)| {
            let until = left(&trip);
            (name, Paused { trip, until })
        });
        let killed = state.killed()?.filter(|killed| killed.rule.is_some());
        let rules = &config.trips;
        Ok(Self {
            log: Log::default(),
            inner: Mutex::new(Inner {
                looked: now,
                budget: Budget::new(config.budget),
                probe: Probe::new(),
                ring: ring_window(rules),
                lanes: (0..=config.also.len()).map(|_| lane_windows(rules)).collect(),
                paused: paused.collect(),
                killed_until: killed
                    .and_then(|killed| Some(now + self::left(killed.at_ms, killed.resume_at_ms?))),
                rules: rules.clone(),
            }),
        })
    }

    /// The reason why a target is paused.
    pub(super) fn paused(&self, name: &str) -> Option<Trip> {
        self.inner().paused.get(name).map(|paused| paused.trip.clone())
    }

    /// Watches by another budget and other rules from now on. Active trips keep their duration.
    pub(super) fn set(&self, config: &Config) {
        let mut inner = self.inner();
        inner.budget.set(config.budget);
        if inner.rules != config.trips {
            inner.ring = ring_window(&config.trips);
            inner.lanes.fill_with(|| lane_windows(&config.trips));
            inner.rules = config.trips.clone();
        }
    }

    /// The part of the sample that the budget allows.
    pub(super) fn share(&self) -> f64 {
        self.inner().budget.share()
    }

    /// Checks everything; called a few times a second. `read` is called at most once a second.
    pub(super) fn tick<'r>(
        &self,
        pipeline: &Pipeline,
        state: &StateDir,
        read: impl FnOnce() -> Readings<'r>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for lane in pipeline.lanes() {
            for change in lane.take_breaker_changes() {
                let trip = Trip::now("breaker", Some(lane.name()), change.to_string());
                actions.push(Action::Report(trip));
            }
        }
        let now = Instant::now();
        let mut inner = self.inner();
        if now.saturating_duration_since(inner.looked) < LOOK {
            return actions;
        }
        inner.looked = now;
        let Readings { kernel, ring } = read();
        let (lost, copied) = (kernel.get(Stat::RingFull), kernel.get(Stat::Emitted));
        actions.extend(inner.budget((lost, copied), ring, now));
        for found in inner.found(pipeline, (lost, copied), now) {
            actions.push(inner.trip(found, pipeline, state, now));
        }
        for name in inner.over(now) {
            actions.push(inner.unpause(&name, pipeline, state));
        }
        if inner.killed_until.is_some_and(|until| now >= until) {
            actions.push(Action::Resume);
        }
        actions
    }

    /// Records the result of [`Action::Resume`]; a failed resume is tried again later.
    pub(super) fn resumed(&self, succeeded: bool) {
        self.inner().killed_until = (!succeeded).then(|| Instant::now() + AGAIN);
    }

    /// A person resumed everything.
    pub(super) fn resume(&self, pipeline: &Pipeline, state: &StateDir) -> Result<(), StateError> {
        let mut inner = self.inner();
        inner.killed_until = None;
        inner.clear();
        let paused = std::mem::take(&mut inner.paused);
        state.save_paused(&BTreeMap::new())?;
        for lane in pipeline.lanes().filter(|lane| paused.contains_key(lane.name())) {
            lane.unpause();
        }
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn budget(&mut self, (lost, copied): (u64, u64), ring: &RingCounters, now: Instant) -> Option<Action> {
        #[expect(clippy::cast_precision_loss, reason = "a share of at most a gibibyte")]
        let waiting = ring.take_most() as f64 / ring.size().max(1) as f64;
        let reading = self.probe.read((lost, copied), waiting)?;
        let step = self.budget.observe(&reading, now)?;
        let share = format!("{:.1} % of the sample", step.share * 100.0);
        let mut why = match step.cause {
            None => format!("raised to {share}: there is room again"),
            Some(cause) => format!("lowered to {share}: {cause} is over the budget"),
        };
        if step.cause == Some(Cause::Cores) {
            why = format!("{why} ({:.2} cores)", reading.cores);
        }
        if step.cause == Some(Cause::RingUsed) {
            why = format!("{why} ({:.0} %)", reading.waiting * 100.0);
        }
        Some(Action::SetShare(step.share, Trip::now("budget", None, why)))
    }

    /// Starts a trip: a pause takes effect here.
    fn trip(&mut self, found: Found, pipeline: &Pipeline, state: &StateDir, now: Instant) -> Action {
        let Found {
            rule,
            target,
            why,
            then,
            resume,
        } = found;
        let until = resume.after().map(|after| now + after);
        let mut trip = Trip::now(rule, target.as_deref(), why);
        trip.until_ms = resume.after().map(|after| {
            let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            trip.at_ms.saturating_add(after)
        });
        let action = match (then, target) {
            (trips::Action::Pause, Some(name)) => {
                for lane in pipeline.lanes().filter(|lane| lane.name() == name) {
                    lane.pause();
                }
                let paused = Paused {
                    trip: trip.clone(),
                    until,
                };
                self.paused.insert(name, paused);
                self.save(state);
                Action::Report(trip)
            }
            (trips::Action::Kill, _) | (trips::Action::Pause, None) => {
                self.killed_until = until;
                let killed = Killed {
                    who: "the agent".to_owned(),
                    why: trip.reason.clone(),
                    at_ms: trip.at_ms,
                    rule: Some(rule.to_owned()),
                    resume_at_ms: trip.until_ms,
                };
                Action::Kill(killed, trip)
            }
        };
        self.clear();
        action
    }

    fn unpause(&mut self, name: &str, pipeline: &Pipeline, state: &StateDir) -> Action {
        self.paused.remove(name);
        self.save(state);
        for lane in pipeline.lanes().filter(|lane| lane.name() == name) {
            lane.unpause();
        }
        Action::Report(Trip::now("resume", Some(name), "replayed to again"))
    }

    /// The current findings of the rules.
    fn found(&mut self, pipeline: &Pipeline, (lost, copied): (u64, u64), now: Instant) -> Vec<Found> {
        let mut found = Vec::new();
        for (lane, windows) in pipeline.lanes().zip(&mut self.lanes) {
            if !self.paused.contains_key(lane.name()) {
                found.extend(of_lane(&self.rules, lane, windows, now));
            }
        }
        if let Some(trip) = &self.rules.ring_loss
            && let Some(why) = rules::ring_loss(&mut self.ring, &trip.limit(), lost, copied, now)
        {
            found.push(kill("ring_loss", why, trip.resume));
        }
        if let Some(trip) = &self.rules.budget
            && self.killed_until.is_none()
            && let Some(spent) = self.budget.spent(now)
            && spent >= trip.within.0
        {
            let why = format!("over the budget for {spent:.0?} with the lowest sample");
            found.push(kill("budget", why, trip.resume));
            self.budget.forgive();
        }
        found
    }

    /// Targets whose pause is over.
    fn over(&self, now: Instant) -> Vec<String> {
        let over = |paused: &Paused| paused.until.is_some_and(|until| now >= until);
        let over = self.paused.iter().filter(|(_, paused)| over(paused));
        over.map(|(name, _)| name.clone()).collect()
    }

    /// Events counted before a trip must not trip again.
    fn clear(&mut self) {
        self.ring.clear();
        for (errors, mismatches) in &mut self.lanes {
            errors.clear();
            mismatches.clear();
        }
    }

    fn save(&self, state: &StateDir) {
        let trips = self.paused.iter();
        let trips = trips.map(|(name, paused)| (name.clone(), paused.trip.clone()));
        if let Err(error) = state.save_paused(&trips.collect()) {
            tracing::warn!(%error, "a restart would forget which targets are paused");
        }
    }
}

fn ring_window(rules: &Trips) -> Window {
    Window::new(rules.ring_loss.as_ref().map_or(LOOK, |trip| trip.within.0))
}

fn lane_windows(rules: &Trips) -> (Window, Window<VerdictMark>) {
    let within = |trip: &Option<TargetTrip>| trip.as_ref().map_or(LOOK, |trip| trip.within.0);
    (
        Window::new(within(&rules.shadow_errors)),
        Window::new(within(&rules.mismatches)),
    )
}

fn of_lane(
    trips: &Trips,
    lane: &Lane,
    (errors, mismatches): &mut (Window, Window<VerdictMark>),
    now: Instant,
) -> Option<Found> {
    let errors = trips.shadow_errors.as_ref().and_then(|trip| {
        let counts = lane.with_ledger(Ledger::counts);
        let why = rules::shadow_errors(errors, &trip.limit(), &counts, now)?;
        Some(("shadow_errors", why, trip))
    });
    let mismatches = trips.mismatches.as_ref().and_then(|trip| {
        let why = lane.with_ledger(|ledger| rules::mismatches(mismatches, &trip.limit(), ledger, now))?;
        Some(("mismatches", why, trip))
    });
    errors.or(mismatches).map(|(rule, why, trip)| Found {
        rule,
        target: Some(lane.name().to_owned()),
        why,
        then: trip.then,
        resume: trip.resume,
    })
}

fn kill(rule: &'static str, why: String, resume: Resume) -> Found {
    Found {
        rule,
        target: None,
        why,
        then: trips::Action::Kill,
        resume,
    }
}

/// The rest of a span that began before this process. Never more than the whole, however the clock was set.
fn left(at_ms: u64, until_ms: u64) -> Duration {
    let whole = until_ms.saturating_sub(at_ms);
    Duration::from_millis(until_ms.saturating_sub(now_ms()).min(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_never_makes_a_trip_longer_than_it_was() {
        let now = now_ms();
        let close = |left: Duration, seconds: u64| {
            let want = Duration::from_secs(seconds);
            assert!(left <= want && left + Duration::from_secs(5) > want, "{left:?}");
        };
        close(left(now - 10_000, now + 20_000), 20);
        close(left(now + 3_600_000, now + 3_660_000), 60);
        assert_eq!(left(now - 20_000, now - 10_000), Duration::ZERO);
    }
}
