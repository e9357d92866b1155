//! The state machine: transitions caused by evidence, restarts and plan changes.

use crate::evidence::{IntervalEvidence, Reason, Ruling};
use shadow_proto::time::Timestamp;

use super::{
    plan::{OnFailure, Phase, Plan},
    state::{Cause, HISTORY, Moment, PhasePosition, Saved, Stage, Transition},
};

/// A rollout and its plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    /// Index of the present phase; always valid in the plan.
    pub(super) phase: usize,
    /// The sample that was set manually, never above the phase's.
    pub(super) by_hand: Option<f64>,
    failures: u32,
    /// When the present phase started to collect evidence.
    entered: Timestamp,
    saved: Saved,
}

/// A transition, and the action that the caller has to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The transition that was made.
    pub transition: Transition,
    /// Whether to stop all mirroring.
    pub kill: bool,
}

impl Step {
    /// Whether more is mirrored after it than before, even if only because something is resumed. Such a step must be
    /// saved before it is applied.
    pub fn raises(&self) -> bool {
        let Transition { from, to, .. } = &self.transition;
        match (from.sample, to.sample) {
            // The rollout no longer limits the sample: the manually set value applies.
            (_, None) => true,
            (None, Some(after)) => after > 0.0,
            (Some(before), Some(after)) => after > before,
        }
    }
}

impl Rollout {
    /// A rollout that has not started. The plan must be valid.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            stage: Stage::Idle,
            phase: 0,
            by_hand: None,
            failures: 0,
            entered: Timestamp::default(),
            saved: Saved::default(),
        }
    }

    /// Restores a saved rollout in the same phase, which starts over: the previous agent's counts are lost.
    ///
    /// If the plan no longer has that phase, or its sample is larger now, it pauses in the last phase whose sample is
    /// no larger than what was mirrored before.
    pub fn restore(plan: Plan, saved: Saved, now: Moment) -> Self {
        let mut restored = Self::new(plan);
        let (stage, name) = (saved.place.stage, saved.place.phase.clone());
        let former = saved.place.sample;
        restored.stage = stage;
        restored.failures = saved.failures;
        restored.by_hand = saved.by_hand.filter(|sample| (0.0..=1.0).contains(sample));
        restored.entered = now.at;
        restored.saved = saved;
        if matches!(stage, Stage::Idle | Stage::Aborted) {
            return restored;
        }
        let from = restored.saved.place.clone();
        restored.find(&name, former);
        let why = "the agent was started again; the phase starts over";
        restored.note(from, Cause::Restart, "", why.to_owned(), None, now);
        restored
    }

    /// Switches to another plan. This never raises the sample.
    pub fn replan(&mut self, plan: Plan, now: Moment) -> Option<Step> {
        if plan == self.plan {
            return None;
        }
        let from = self.place();
        self.plan = plan;
        if matches!(self.stage, Stage::Idle | Stage::Aborted) {
            self.phase = 0;
            return None;
        }
        self.find(&from.phase, from.sample);
        self.entered = now.at;
        let why = "the plan was changed; the phase starts over".to_owned();
        Some(self.note(from, Cause::Plan, "", why, None, now))
    }

    /// Selects the named phase if its sample is at most `former`; otherwise pauses where it is safe.
    fn find(&mut self, name: &str, former: Option<f64>) {
        let former = former.unwrap_or(0.0);
        let asks = |phase: &Phase| phase.sample <= former.max(self.by_hand.unwrap_or(0.0));
        if let Some(at) = self.plan.position(name)
            && (self.plan.phases.get(at).is_some_and(asks) || self.by_hand.is_some())
        {
            self.phase = at;
            return;
        }
        self.stage = Stage::Paused;
        if let Some(at) = self.plan.phases.iter().rposition(asks) {
            self.phase = at;
        } else {
            self.phase = 0;
            self.by_hand = Some(former);
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The current stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The present phase.
    pub fn phase(&self) -> Option<&Phase> {
        self.plan.phases.get(self.phase)
    }

    /// The phase after it.
    pub fn next(&self) -> Option<&Phase> {
        self.plan.phases.get(self.phase.saturating_add(1))
    }

    /// When the present phase began.
    pub fn entered(&self) -> Timestamp {
        self.entered
    }

    /// Maximum sample; `None` while the rollout does not limit it.
    pub fn sample(&self) -> Option<f64> {
        let phase = self.phase().map_or(0.0, |phase| phase.sample);
        match self.stage {
            Stage::Idle => None,
            Stage::Aborted => Some(0.0),
            Stage::Running | Stage::Paused | Stage::Held | Stage::Complete => {
                Some(self.by_hand.unwrap_or(phase).min(phase))
            }
        }
    }

    /// The current place.
    pub fn place(&self) -> PhasePosition {
        let phase = match self.stage {
            Stage::Idle => String::new(),
            _ => self.phase().map_or_else(String::new, |phase| phase.name.clone()),
        };
        PhasePosition {
            stage: self.stage,
            phase,
            sample: self.sample(),
        }
    }

    /// The state that outlives the agent.
    pub fn saved(&self) -> &Saved {
        &self.saved
    }

    /// Evaluates the evidence of the present phase and returns a step if it leads to one.
    pub fn tick(&mut self, now: Moment, evidence: &IntervalEvidence) -> Option<Step> {
        if self.stage != Stage::Running {
            return None;
        }
        let phase = self.phase()?;
        let judgement = &evidence.judgement;
        match judgement.ruling {
            Ruling::NoGo if evidence.shadow_errors.trials >= self.plan.fail_after => {
                let why = said(&judgement.reasons, Ruling::NoGo);
                Some(self.fail(&why, evidence, now))
            }
            Ruling::Go
                if evidence.compared >= phase.min_compared
                    && now.at.since(self.entered) >= phase.min_duration =>
            {
                let why = said(&judgement.reasons, Ruling::Go);
                Some(self.pass(why, evidence, now))
            }
            _ => None,
        }
    }

    fn pass(&mut self, why: String, evidence: &IntervalEvidence, now: Moment) -> Step {
        let from = self.place();
        if self.next().is_some() {
            self.phase = self.phase.saturating_add(1);
            self.entered = now.at;
        } else {
            self.stage = Stage::Complete;
        }
        self.note(from, Cause::Passed, "", why, Some(evidence.clone()), now)
    }

    fn fail(&mut self, why: &str, evidence: &IntervalEvidence, now: Moment) -> Step {
        let from = self.place();
        self.failures = self.failures.saturating_add(1);
        let mut kill = false;
        let what = match self.plan.on_failure {
            OnFailure::Hold => {
                self.stage = Stage::Held;
                "held"
            }
            OnFailure::Kill => {
                self.stage = Stage::Held;
                kill = true;
                "killed"
            }
            OnFailure::StepBack => match self.phase.checked_sub(1) {
                None => {
                    self.stage = Stage::Aborted;
                    "aborted, as there is no phase to step back to"
                }
                Some(back) => {
                    self.phase = back;
                    self.entered = now.at;
                    if self.failures >= self.plan.attempts {
                        self.stage = Stage::Held;
                        "stepped back and held, as it failed too often"
                    } else {
                        "stepped back"
                    }
                }
            },
        };
        let mut step = self.note(
            from,
            Cause::Failed,
            "",
            format!("{what}: {why}"),
            Some(evidence.clone()),
            now,
        );
        step.kill = kill;
        step
    }

    pub(super) fn run(
        &mut self,
        from: PhasePosition,
        who: &str,
        why: &str,
        evidence: Option<IntervalEvidence>,
        now: Moment,
    ) -> Step {
        self.stage = Stage::Running;
        self.by_hand = None;
        self.failures = 0;
        self.entered = now.at;
        self.note(from, Cause::Order, who, why.to_owned(), evidence, now)
    }

    pub(super) fn note(
        &mut self,
        from: PhasePosition,
        cause: Cause,
        who: &str,
        why: String,
        evidence: Option<IntervalEvidence>,
        now: Moment,
    ) -> Step {
        let transition = Transition {
            at_ms: now.wall_ms,
            from,
            to: self.place(),
            cause,
            who: who.to_owned(),
            why,
            evidence,
        };
        self.saved.place = transition.to.clone();
        self.saved.by_hand = self.by_hand;
        self.saved.failures = self.failures;
        self.saved.transitions = self.saved.transitions.saturating_add(1);
        if self.saved.history.len() >= HISTORY {
            self.saved.history.pop_front();
        }
        self.saved.history.push_back(transition.clone());
        Step {
            transition,
            kill: false,
        }
    }
}

/// The texts of all gates with this ruling.
fn said(reasons: &[Reason], ruling: Ruling) -> String {
    let texts: Vec<String> = reasons
        .iter()
        .filter(|reason| reason.ruling == ruling)
        .map(|reason| format!("{}: {}", reason.gate, reason.text))
        .collect();
    texts.join("; ")
}
