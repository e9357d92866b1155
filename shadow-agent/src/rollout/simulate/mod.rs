//! A plan applied to a recorded journal: when each phase would have been entered, held, stepped back or killed.
//!
//! Owns: the recorded time, which replaces the clock, and the evidence, which is added up from the journal's windows;
//! the real [`Rollout`] decides on both. Pure: a [`Recording`] in, a [`Simulated`] out. Bias: data that the journal
//! lacks is reported in notes and never taken for evidence. Counts are reduced to the sample of a phase and never
//! multiplied, and a median is known only to the width of its bucket.

mod notes;
mod page;
#[cfg(test)]
mod tests;
mod weights;

use serde::{Deserialize, Serialize};
use shadow_core::{
    evidence::{IntervalCounts, IntervalEvidence},
    rollout::{Moment, Plan, Rollout, Stage, Step, Transition},
};
use shadow_proto::time::Timestamp;

use self::weights::Weights;
use super::RolloutStatus;
use crate::journal::{Event, Gated, Window};

pub use page::page;

/// The version of [`Simulated`] in JSON. It changes when a reader of the previous version would misread this one.
pub const FORMAT: u32 = 1;

/// The user of orders that no user gave.
const NOBODY: &str = "simulation";

/// A journal's data on the targets that a rollout considers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Their names.
    pub targets: Vec<String>,
    /// Production is the new system, and these are the old one.
    pub reversed: bool,
    /// Windows of their routes and of all routes together, in any order.
    pub windows: Vec<Window>,
    /// Starts, kills and resumes of the agent, oldest first.
    pub events: Vec<Event>,
}

/// The simulated rollout.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Simulated {
    /// [`FORMAT`].
    pub format: u32,
    /// The journal.
    pub journal: String,
    /// The start of its first window, in milliseconds since 1970-01-01T00:00:00Z.
    pub from_ms: u64,
    /// The end of its last window.
    pub to_ms: u64,
    /// The shadow systems whose evidence was used.
    pub targets: Vec<String>,
    /// Windows that were used.
    pub windows: u64,
    /// Windows that were skipped: an older version wrote them without the counts that the gates need.
    pub passed_over: u64,
    /// The lowest share of connections that was recorded.
    pub sample_low: f64,
    /// The highest share of connections that was recorded.
    pub sample_high: f64,
    /// Every transition, oldest first, with its evidence.
    pub timeline: Vec<Transition>,
    /// The state of the rollout at the end.
    pub end: RolloutStatus,
    /// The limits of the recording.
    pub notes: Vec<String>,
}

/// An event at a recorded time.
enum Happened {
    /// Windows ended; each has the index of its target.
    Windows(Vec<(usize, Window, Gated)>),
    /// The agent was started again.
    Restart,
    /// Mirroring was stopped.
    Kill,
    /// A user resumed mirroring.
    Resume(String),
}

/// Simulates a plan from the first window on. `None` if no window has the needed counts.
pub fn simulate(plan: &Plan, recording: Recording, journal: &str) -> Option<Simulated> {
    let Recording {
        targets,
        reversed,
        windows,
        events,
    } = recording;
    let all = windows
        .iter()
        .filter(|window| targets.contains(&window.target) && window.route.is_empty())
        .count();
    let (happened, from_ms) = in_order(&targets, windows, events)?;
    let windows = happened.iter().map(|(_, what)| match what {
        Happened::Windows(ended) => ended.as_slice(),
        Happened::Restart | Happened::Kill | Happened::Resume(_) => &[],
    });
    let looked_at: Vec<Gated> = windows
        .flatten()
        .filter(|(_, window, _)| window.route.is_empty())
        .map(|(_, _, gated)| *gated)
        .collect();
    let samples = || looked_at.iter().map(|gated| gated.sample);
    let mut simulated = Simulated {
        format: FORMAT,
        journal: journal.to_owned(),
        from_ms,
        to_ms: happened.last().map_or(from_ms, |(at, _)| *at),
        windows: looked_at.len() as u64,
        passed_over: (all - looked_at.len()) as u64,
        sample_low: samples().fold(1.0, f64::min),
        sample_high: samples().fold(0.0, f64::max),
        ..Simulated::default()
    };
    let mut run = Run::start(plan, targets.len(), reversed, from_ms);
    for (at_ms, what) in happened {
        if run.is_over() {
            break;
        }
        run.happened(at_ms, what);
    }
    run.end(&mut simulated, plan);
    simulated.targets = targets;
    Some(simulated)
}

/// The events in order of time, from the beginning of the first window on.
fn in_order(
    targets: &[String],
    windows: Vec<Window>,
    events: Vec<Event>,
) -> Option<(Vec<(u64, Happened)>, u64)> {
    let mut ended: Vec<(u64, usize, Window, Gated)> = windows
        .into_iter()
        .filter_map(|window| {
            let target = targets.iter().position(|name| *name == window.target)?;
            let gated = window.gated?;
            Some((window.at_ms.saturating_add(window.span_ms), target, window, gated))
        })
        .collect();
    ended.sort_by_key(|(at_ms, target, ..)| (*at_ms, *target));
    let from_ms = ended.iter().map(|(_, _, window, _)| window.at_ms).min()?;
    let mut happened: Vec<(u64, Happened)> = Vec::new();
    for (at_ms, target, window, gated) in ended {
        match happened.last_mut() {
            // All targets' windows end together.
            Some((last, Happened::Windows(windows))) if *last == at_ms => {
                windows.push((target, window, gated));
            }
            _ => happened.push((at_ms, Happened::Windows(vec![(target, window, gated)]))),
        }
    }
    let events = events.into_iter().filter(|event| event.at_ms >= from_ms);
    happened.extend(events.filter_map(|event| {
        let what = match event.kind.as_str() {
            "start" => Happened::Restart,
            "kill" => Happened::Kill,
            "resume" => Happened::Resume(event.who),
            _ => return None,
        };
        Some((event.at_ms, what))
    }));
    // A stable sort: counts up to a moment come before the events at that moment.
    happened.sort_by_key(|(at_ms, _)| *at_ms);
    Some((happened, from_ms))
}

/// A rollout in recorded time.
struct Run {
    rollout: Rollout,
    /// The evidence of the present phase, for each target.
    counted: Vec<Weights>,
    reversed: bool,
    from_ms: u64,
    now_ms: u64,
    /// It was stopped by a kill, and continues when mirroring resumes.
    killed: bool,
    timeline: Vec<Transition>,
    asked: SampleChange,
}

/// How the samples of phases compare with those that were recorded.
#[derive(Clone, Copy, Debug, Default)]
struct SampleChange {
    /// At least one was higher.
    more: bool,
    /// One was lower: counts were reduced.
    less: bool,
}

impl Run {
    fn start(plan: &Plan, targets: usize, reversed: bool, from_ms: u64) -> Self {
        let mut run = Self {
            rollout: Rollout::new(plan.clone()),
            counted: vec![Weights::default(); targets],
            reversed,
            from_ms,
            now_ms: from_ms,
            killed: false,
            timeline: Vec::new(),
            asked: SampleChange::default(),
        };
        // Refused only for a running rollout, and this one is new.
        let step = run.rollout.start(NOBODY, run.moment(from_ms)).ok().flatten();
        run.take(step);
        run
    }

    /// Whether a user must act, or the rollout is finished.
    fn is_over(&self) -> bool {
        !matches!(self.rollout.stage(), Stage::Running | Stage::Paused)
    }

    fn happened(&mut self, at_ms: u64, what: Happened) {
        let now = self.moment(at_ms);
        match what {
            Happened::Windows(ended) => {
                self.time_alone(&ended);
                for (target, window, gated) in &ended {
                    self.count(*target, window, gated);
                }
                self.tick(now);
            }
            Happened::Restart => {
                let former = self.rollout.saved().clone();
                self.rollout = Rollout::restore(self.rollout.plan().clone(), former, now);
                let step = self.rollout.saved().history.back().cloned();
                self.forget();
                self.timeline.extend(step);
            }
            Happened::Kill => {
                let step = self.rollout.killed(now);
                self.killed |= step.is_some();
                self.take(step);
            }
            Happened::Resume(who) if self.killed => {
                self.killed = false;
                // A paused rollout does not refuse this.
                let step = self.rollout.resume(&who, now).ok().flatten();
                self.take(step);
            }
            Happened::Resume(_) => {}
        }
        self.now_ms = self.now_ms.max(at_ms);
    }

    /// Steps that became due between windows: nothing was counted, but time passed.
    fn time_alone(&mut self, ended: &[(usize, Window, Gated)]) {
        let Some(phase) = self.rollout.phase() else { return };
        let due = self.rollout.entered() + phase.min_duration;
        let due_ms = self.from_ms.saturating_add(due.as_nanos() / 1_000_000);
        let begin_ms = ended.iter().map(|(_, window, _)| window.at_ms).min();
        if self.now_ms < due_ms && begin_ms.is_some_and(|begin_ms| due_ms <= begin_ms) {
            self.tick(self.moment(due_ms));
        }
    }

    fn count(&mut self, target: usize, window: &Window, gated: &Gated) {
        let wanted = self.rollout.sample().unwrap_or(1.0);
        // The share of the recorded exchanges that would have been mirrored; at most all.
        let share = if gated.sample > wanted {
            wanted / gated.sample
        } else {
            1.0
        };
        self.asked.less |= share < 1.0;
        self.asked.more |= gated.sample < wanted;
        if let Some(counted) = self.counted.get_mut(target) {
            counted.add(window, gated, share);
        }
    }

    fn tick(&mut self, now: Moment) {
        let since = self.since();
        let step = self.rollout.tick(now, &since);
        self.take(step);
    }

    /// The evidence of the present phase: of several shadow systems, the one with the least.
    fn since(&self) -> IntervalEvidence {
        let gates = self.rollout.phase().map(|phase| phase.gates.clone());
        let gates = gates.unwrap_or_default();
        let found = self.counted.iter().map(|counted| {
            let sums = IntervalCounts {
                reversed: self.reversed,
                ..counted.sums()
            };
            let evidence = IntervalEvidence::of(&sums, &gates);
            IntervalEvidence {
                judgement: evidence.judgement.excused(&gates, &counted.too_excused(&gates)),
                ..evidence
            }
        });
        IntervalEvidence::weakest(found).unwrap_or_default()
    }

    /// Keeps a step. A phase that it begins starts without evidence.
    fn take(&mut self, step: Option<Step>) {
        let Some(Step { transition, kill: _ }) = step else {
            return;
        };
        if self.rollout.stage() == Stage::Running || transition.from.phase != transition.to.phase {
            self.forget();
        }
        self.timeline.push(transition);
    }

    fn forget(&mut self) {
        self.counted.fill(Weights::default());
    }

    fn moment(&self, at_ms: u64) -> Moment {
        let since = at_ms.saturating_sub(self.from_ms);
        Moment {
            at: Timestamp::from_nanos(since.saturating_mul(1_000_000)),
            wall_ms: at_ms,
        }
    }

    fn end(self, simulated: &mut Simulated, plan: &Plan) {
        simulated.notes = notes::notes(&self, simulated, plan);
        let now = self.moment(simulated.to_ms);
        let end = RolloutStatus::new(&self.rollout, self.since(), None, now);
        simulated.timeline = self.timeline;
        simulated.end = RolloutStatus {
            // The timeline has all of it.
            history: Vec::new(),
            ..end
        };
    }
}
