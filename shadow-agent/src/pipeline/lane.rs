//! One shadow target's way through the pipeline.
//!
//! Owns: everything that belongs to one target alone, so that one that is slow, full, refused or gone costs the
//! others nothing: its own gate, queue, switch, workers and ledger. Exchanges are shared, so a lane holds no copy of
//! its own; each lane accounts for the bytes as if they were all its own, so the bound holds whoever lets go last.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
};

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use shadow_core::{
    compare::{Comparator, RuleUsage},
    evidence::{
        GateConfig, Ledger, RouteWindow,
        report::{Reach, Report, ReportInputs, Scope},
    },
    gate::{Gate, SkipPolicy},
    rewrite::RewritePolicy,
};
use shadow_proto::time::Timestamp;

use super::{
    books::Books,
    brakes::Brakes,
    pairs::PairSettings,
    queue::Queue,
    samples::Samples,
    snapshot::LaneSnapshot,
    switch::{Armed, Switch},
};
use crate::replay::{Change, LiveSettings, ReplaySettings, Target};

/// What a target is compared for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The system that is to replace production.
    #[default]
    Shadow,
    /// A second deployment of production: where it differs from production, so may any system.
    Control,
}

impl Role {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Control => "control",
        }
    }
}

/// What one lane is made of.
#[derive(Debug)]
pub struct LaneSettings {
    /// The target's name in reports and metrics.
    pub name: String,
    /// What it is compared for.
    pub role: Role,
    /// Where everything of this lane is counted.
    pub ledger: Ledger,
    /// Where cases go; none are made without.
    pub samples: Option<Samples>,
    /// Whether the shadow is the old system.
    pub reversed: bool,
    /// Begins paused.
    pub paused: bool,
    /// Observe or replay.
    pub mode: Mode,
}

/// What is done with whole exchanges.
#[derive(Debug)]
pub enum Mode {
    /// Counted and described only.
    Observe,
    /// Replayed and compared.
    Replay(Box<Replay>),
}

/// Where and how to replay, and how to judge.
#[derive(Debug)]
pub struct Replay {
    /// The shadow system.
    pub target: Target,
    /// Bounds and waits.
    pub settings: ReplaySettings,
    /// `SO_MARK` for every socket, so that the capture never sees a replay as production traffic.
    pub mark: Option<u32>,
    /// What may be sent.
    pub gate: Gate,
    /// What is sent.
    pub rewrite: RewritePolicy,
    /// What counts as a difference.
    pub comparator: Comparator,
    /// How it is learnt what differs by itself.
    pub pairs: PairSettings,
}

/// What may be sent, what is sent, and what counts as a difference: what can be changed while a lane runs.
#[derive(Debug)]
pub struct LaneRules {
    /// What may be sent.
    pub gate: Gate,
    /// What is sent.
    pub rewrite: RewritePolicy,
    /// What counts as a difference.
    pub comparator: Arc<Comparator>,
}

/// What the capture thread, the replays and everybody who looks share of one lane.
#[derive(Debug)]
pub struct Lane {
    name: String,
    role: Role,
    reach: Reach,
    pub(super) books: Books,
    pub(super) samples: Option<Samples>,
    comparator: Option<Arc<Comparator>>,
    pub(super) queue: Queue,
    pub(super) switch: Switch,
    pub(super) brakes: Brakes,
    live: LiveSettings,
    /// Those that stand for the ones it was started with; none until they are changed.
    pub(super) rules: ArcSwapOption<LaneRules>,
    /// Replays that were begun and have no verdict yet.
    pub(super) in_flight: AtomicUsize,
}

impl Lane {
    /// A lane that only observes has no settings, and nothing ever waits in it.
    pub(super) fn new(name: String, role: Role, ledger: Ledger, settings: Option<ReplaySettings>) -> Self {
        let settings = settings.unwrap_or(ReplaySettings {
            queue: 1,
            queue_bytes: 0,
            ..ReplaySettings::default()
        });
        Self {
            name,
            role,
            reach: Reach::default(),
            books: Books::new(ledger),
            samples: None,
            comparator: None,
            queue: Queue::new(settings.queue, settings.queue_bytes),
            switch: Switch::new(None),
            brakes: Brakes::new(&settings),
            live: settings.into(),
            rules: ArcSwapOption::empty(),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// The same, with somewhere for cases to go.
    pub(super) fn sampled(self, samples: Option<Samples>) -> Self {
        Self { samples, ..self }
    }

    /// The same, under a switch in the kernel.
    pub(super) fn under(self, armed: Option<Armed>) -> Self {
        let switch = Switch::new(armed);
        Self { switch, ..self }
    }

    /// The same, for this part of the traffic.
    pub(super) fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// The same, with the rules that its answers are compared by, to tell what became of them.
    pub(super) fn comparing(self, comparator: Arc<Comparator>) -> Self {
        Self {
            comparator: Some(comparator),
            ..self
        }
    }

    /// What happened on each route since the last call.
    pub fn take_window(&self, now: Timestamp) -> Vec<RouteWindow> {
        self.books.take_window(now)
    }

    /// Replays nothing more to this target: what is in flight is cancelled, the rest is skipped as `paused`.
    pub fn pause(&self) {
        self.switch.pause();
    }

    /// Takes [`Lane::pause`] back.
    pub fn unpause(&self) {
        self.switch.unpause();
    }

    /// What the breaker did since the last call.
    pub fn take_breaker_changes(&self) -> Vec<Change> {
        self.brakes.take_changes()
    }

    /// The target's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is compared for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Looks into the ledger. Keep it short: the lane waits meanwhile.
    pub fn with_ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        self.books.with(look)
    }

    /// Sends and compares by other rules from the next exchange on. One that only observes has no use for them.
    pub fn set_rules(&self, rules: LaneRules) {
        self.rules.store(Some(Arc::new(rules)));
    }

    /// How it is replayed at present; shared with the connections to the target.
    pub(super) fn live(&self) -> &LiveSettings {
        &self.live
    }

    /// Replays under other settings from the next exchange on. One that waits for its turn or its answer keeps to
    /// those it began with.
    pub fn set_settings(&self, settings: ReplaySettings) {
        self.queue.set_bounds(settings.queue, settings.queue_bytes);
        self.brakes.set(&settings);
        self.live.set(settings);
        // There may be more places now.
        self.queue.flush();
    }

    /// Judges by other gates from now on.
    pub fn set_gates(&self, gates: GateConfig) {
        self.books.set_gates(gates);
    }

    /// What is known of this target.
    pub fn report(&self, inputs: ReportInputs) -> Report {
        Report {
            target: self.name.clone(),
            scope: Scope::new(self.reach, inputs.sample),
            rules: self.rules(),
            ..self.books.report(inputs)
        }
    }

    fn rules(&self) -> Vec<RuleUsage> {
        let comparator = self.comparator.as_deref();
        comparator.map(Comparator::usage).unwrap_or_default()
    }

    /// The same without routes and groups, which are the dear part of it.
    pub fn overview(&self, inputs: ReportInputs) -> Report {
        Report {
            target: self.name.clone(),
            scope: Scope::new(self.reach, inputs.sample),
            ..self.with_ledger(|ledger| ledger.overview(inputs))
        }
    }

    /// Numbers of one moment.
    pub fn snapshot(&self) -> LaneSnapshot {
        let (breaker, opened) = self.brakes.state();
        LaneSnapshot {
            name: self.name.clone(),
            breaker,
            breaker_opened: opened,
            second: self.brakes.second.load(Relaxed),
            retries: self.brakes.retries.load(Relaxed),
            role: self.role,
            queued: self.queue.len(),
            queue_room: self.queue.room(),
            queued_bytes: self.queue.bytes(),
            in_flight: self.in_flight.load(SeqCst),
            killed: self.switch.refusal() == Some(SkipPolicy::Killed),
        }
    }
}

/// Lanes in the order of the configuration; never empty.
pub(super) type Lanes = Arc<[Arc<Lane>]>;
