//! One shadow target in the pipeline.
//!
//! Owns: everything that belongs to one target alone, so that one that is slow, full, refused or gone does not affect
//! the others: its own gate, queue, switch, workers and ledger. Exchanges are shared, so a lane holds no copy; each
//! lane counts the bytes as if they were all its own, so the bound holds whichever lane releases them last.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
};

use arc_swap::ArcSwapOption;
use shadow_core::{
    compare::{Comparator, RuleUsage},
    evidence::{
        GateConfig, Ledger, LedgerSnapshot, RouteWindow, Source,
        report::{Origin, Reach, ReplayNote, Report, ReportInputs, Scope},
    },
    gate::SkipPolicy,
    values::KnownValues,
};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    causal::{Causal, ValueSettings},
    lane_limits::LaneLimits,
    notes::LaneNotes,
    queue::Queue,
    samples::Samples,
    settings::{LaneRules, Role},
    shared_ledger::SharedLedger,
    snapshot::LaneSnapshot,
    switch::{Armed, Switch},
};
use crate::{
    replay::{Change, LiveSettings, Notes, ReplaySettings},
    unfinished::Unfinished,
};

/// Pairs of values that a report lists.
const SHOWN: usize = 50;

/// The state of one lane that is shared by the capture thread, the replays and all readers.
#[derive(Debug)]
pub struct Lane {
    name: String,
    role: Role,
    reach: Reach,
    pub(super) books: SharedLedger,
    pub(super) samples: Option<Samples>,
    pub(super) unfinished: Arc<Unfinished>,
    /// Learned values; none where nothing is learned.
    pub(super) causal: Option<Arc<Causal>>,
    comparator: Option<Arc<Comparator>>,
    pub(super) queue: Queue,
    pub(super) switch: Switch,
    pub(super) brakes: Arc<LaneLimits>,
    pub(super) notes: LaneNotes,
    live: LiveSettings,
    /// States of the ledger that were given out.
    states: AtomicU64,
    /// Replacements of the rules it was started with; none until they are changed.
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
            books: SharedLedger::new(ledger),
            samples: None,
            unfinished: Arc::default(),
            causal: None,
            comparator: None,
            queue: Queue::new(settings.queue, settings.queue_bytes),
            switch: Switch::new(None),
            brakes: Arc::new(LaneLimits::new(&settings)),
            notes: LaneNotes::default(),
            live: settings.into(),
            states: AtomicU64::new(0),
            rules: ArcSwapOption::empty(),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// The same, with a destination for cases.
    pub(super) fn sampled(self, samples: Option<Samples>) -> Self {
        Self { samples, ..self }
    }

    /// The same, recording the exchanges it works on.
    pub(super) fn noting(self, unfinished: Arc<Unfinished>) -> Self {
        Self { unfinished, ..self }
    }

    /// The same, learning values.
    pub(super) fn learning(self, values: Option<ValueSettings>) -> Self {
        Self {
            causal: values.map(Causal::new),
            ..self
        }
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

    /// The same, with the rules of its comparison, to report their effect.
    pub(super) fn comparing(self, comparator: Arc<Comparator>) -> Self {
        Self {
            comparator: Some(comparator),
            ..self
        }
    }

    /// Counts additional notes about an answer.
    pub(super) fn read(&self, notes: &Notes) {
        self.notes.read(notes);
        for (is_so, note) in [
            (notes.reconnected, ReplayNote::Reconnected),
            (notes.unprocessed, ReplayNote::Unprocessed),
        ] {
            if is_so {
                self.notes.add(note);
                self.brakes.extra();
            }
        }
    }

    /// An exchange was not queued: values that it introduces have no partners.
    pub(super) fn not_replayed(&self, exchange: &Arc<Exchange>) {
        if let Some(causal) = &self.causal {
            causal.note(exchange);
        }
    }

    /// Exchanges that waited for others and may be sent.
    pub(super) fn freed(&self) -> usize {
        self.causal.as_ref().map_or(0, |causal| causal.free())
    }

    /// Forgets which values correspond. Whether it learns them at all.
    pub fn forget_values(&self) -> bool {
        let causal = self.causal.as_ref();
        causal.map(|causal| causal.values().clear()).is_some()
    }

    fn known_values(&self) -> Option<KnownValues> {
        let causal = self.causal.as_ref()?;
        let redactor = self.with_ledger(|ledger| ledger.redactor().clone());
        Some(causal.values().shown(&redactor, SHOWN))
    }

    /// Results of each route since the last call.
    pub fn take_window(&self, now: Timestamp) -> Vec<RouteWindow> {
        self.books.take_window(now)
    }

    /// Stops replays to this target: those in flight are cancelled, the rest is skipped as `paused`.
    pub fn pause(&self) {
        self.switch.pause();
    }

    /// Revokes [`Lane::pause`].
    pub fn unpause(&self) {
        self.switch.unpause();
    }

    /// The breaker's changes since the last call.
    pub fn take_breaker_changes(&self) -> Vec<Change> {
        self.brakes.take_changes()
    }

    /// The target's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its role in the comparison.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Reads the ledger. Keep it short: the lane waits meanwhile.
    pub fn with_ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        self.books.with(look)
    }

    /// Sends and compares by other rules from the next exchange on. Ignored by a lane that only observes. Answers that
    /// were compared by other rules say nothing about what is verified by these.
    pub fn set_rules(&self, rules: LaneRules) {
        let former = self.comparator();
        let same = former.is_some_and(|former| former.is_as(&rules.comparator));
        self.rules.store(Some(Arc::new(rules)));
        if !same {
            self.books.rules_changed();
        }
    }

    /// Records the current state of the ledger.
    pub fn mark(&self) -> LedgerSnapshot {
        self.books.mark()
    }

    /// The comparison in force; none in a lane that only observes.
    fn comparator(&self) -> Option<Arc<Comparator>> {
        match &*self.rules.load() {
            Some(rules) => Some(Arc::clone(&rules.comparator)),
            None => self.comparator.clone(),
        }
    }

    /// The current replay settings; shared with the connections to the target.
    pub(super) fn live(&self) -> &LiveSettings {
        &self.live
    }

    /// Replays under other settings from the next exchange on. A replay that waits for its turn or its answer keeps its
    /// settings.
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

    /// The report on this target.
    pub fn report(&self, inputs: ReportInputs) -> Report {
        let sample = inputs.sample;
        let report = self.notes.report(self.books.report(inputs));
        Report {
            target: self.name.clone(),
            scope: Scope::new(self.reach, sample),
            rules: self.rules(),
            values: self.known_values(),
            fields: match &self.comparator {
                Some(comparator) => report.fields.clone().not_compared(comparator.rules()),
                None => report.fields.clone(),
            },
            ..report
        }
    }

    /// The counts that the report is made of. `later` is the time at which the clock of the exchanges began, in
    /// nanoseconds since 1970.
    pub fn source(
        &self,
        (node, run): (&str, &str),
        place: usize,
        inputs: ReportInputs,
        later: u64,
    ) -> Source {
        let rules = self.comparator().map(|comparator| comparator.rules().clone());
        let (settings, state) = self.with_ledger(|ledger| {
            let settings = ledger.settings(rules.unwrap_or_default());
            (settings, ledger.state(later))
        });
        Source {
            origin: Origin {
                node: node.to_owned(),
                run: run.to_owned(),
                target: self.name.clone(),
            },
            sequence: self.states.fetch_add(1, Relaxed),
            place,
            settings,
            started_ms: inputs.started_ms,
            ended_ms: inputs.now_ms,
            kernel: inputs.kernel,
            engine: inputs.engine,
            notes: self.notes.report(Report::default()).funnel.notes,
            scope: Scope::new(self.reach, inputs.sample),
            rules: self.rules(),
            state,
        }
    }

    fn rules(&self) -> Vec<RuleUsage> {
        let comparator = self.comparator();
        comparator
            .map(|comparator| comparator.usage())
            .unwrap_or_default()
    }

    /// The same without groups and most figures of routes, which are the expensive part of it.
    pub fn overview(&self, inputs: ReportInputs) -> Report {
        Report {
            target: self.name.clone(),
            scope: Scope::new(self.reach, inputs.sample),
            ..self
                .notes
                .report(self.with_ledger(|ledger| ledger.overview(inputs)))
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
