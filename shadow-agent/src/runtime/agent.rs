//! The running agent: its parts, and what it does a few times a second.
//!
//! The kernel program's map is authoritative for the kill switch and the sample: both can be changed bypassing the
//! agent, so they are read from there and never cached here.

use std::{
    cell::OnceCell,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use shadow_common::stat::Stat;
use shadow_core::evidence::{
    Evidence, Ledger,
    report::{KernelCounters, Origin, Report, ReportInputs},
};

use super::{
    history::HistoryWriter,
    inside::Inside,
    meter::Meter,
    predecessor::Handover,
    reload::Reloader,
    watchdog::{Action, Readings, Watchdog},
};
use crate::{
    capture::{
        control::Control,
        heartbeat,
        links::{LinkEvent, Links},
        ring::RingCounters,
        stats::StatsReader,
    },
    clock::now_ms,
    control::sampling::Sampling,
    pipeline::{Ended, Pipeline, Snapshot},
    replay::credentials::Held,
    rollout::Driver,
    state::StateDir,
    trips::Trip,
};

/// Values that do not change while the agent runs.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The address of each lane's target; none when observing.
    pub(super) shadows: Vec<Option<String>>,
    /// Its authority, for the Host field.
    pub(super) authorities: Vec<Option<String>>,
    /// Salt of all hashes in this run.
    pub(super) salt: [u8; 32],
    pub(super) targets: Vec<String>,
    pub(super) ring_bytes: u64,
    pub(super) started_ms: u64,
    pub(super) started: Instant,
}

/// The running agent.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) facts: Facts,
    pub(super) control: Control,
    pub(super) sampling: Sampling<Control>,
    pub(super) stats: StatsReader,
    pub(super) ring: Arc<RingCounters>,
    /// Taken when the agent ends.
    pub(super) links: Mutex<Option<Links>>,
    /// Also taken then.
    pub(super) inside: Mutex<Option<Inside>>,
    /// Read-locked for queries, write-locked to stop.
    pub(super) pipeline: RwLock<Pipeline>,
    pub(super) keeper: HistoryWriter,
    pub(super) watchdog: Watchdog,
    pub(super) tokens: Mutex<Vec<Arc<Held>>>,
    pub(super) state: StateDir,
    /// Held while mirroring is stopped or resumed, so that neither undoes half of the other.
    pub(super) switching: Mutex<()>,
    pub(super) handover: Handover,
    pub(super) rollout: Driver,
    pub(super) reloader: Reloader,
    pub(super) report_failures: AtomicU64,
    /// The last report could not be saved.
    pub(super) failing: AtomicBool,
    /// Information about a previous agent that ended abruptly.
    pub(super) ended: Option<String>,
    pub(super) rates: Mutex<Meter>,
}

impl Running {
    /// Makes the pipeline follow the kill switch in the map, and the meter follow the counters. Called a few times a
    /// second.
    pub(super) fn tick(&self) {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        self.watch(&pipeline);
        let snapshot = pipeline.snapshot();
        let replayed = pipeline
            .lanes()
            .map(|lane| lane.with_ledger(Ledger::counts).replayed)
            .sum();
        match self.control.is_armed() {
            Ok(armed) if armed == snapshot.killed => {
                if armed {
                    tracing::info!("mirroring continues");
                    self.keeper.tell("resume", "kill switch", "bypassing the agent");
                    pipeline.resume();
                } else {
                    tracing::warn!("mirroring was stopped by the kill switch");
                    self.keeper.tell("kill", "kill switch", "bypassing the agent");
                    pipeline.kill();
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the kill switch cannot be read"),
        }
        drop(pipeline);
        let mut meter = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if !meter.is_due(now) {
            return;
        }
        let kernel = self.kernel();
        let counts = [
            kernel.get(Stat::Seen),
            kernel.get(Stat::Emitted),
            snapshot.capture.exchanges,
            replayed,
        ];
        meter.update(now, counts);
    }

    /// Runs the watchdog, and carries out its actions.
    fn watch(&self, pipeline: &Pipeline) {
        let kernel = OnceCell::new();
        let read = || Readings {
            kernel: kernel.get_or_init(|| self.kernel()),
            ring: &self.ring,
        };
        for action in self.watchdog.tick(pipeline, &self.state, read) {
            match action {
                Action::Report(trip) => self.report_trip(trip),
                Action::SetShare(share, mut trip) => {
                    if let Err(error) = self.sampling.bear(share) {
                        trip.reason = format!("{}; it cannot be set: {error}", trip.reason);
                    }
                    self.report_trip(trip);
                }
                Action::Kill(killed, trip) => {
                    self.kill_by_trip(pipeline, &killed);
                    self.keeper.tell("kill", &trip.rule, &trip.reason);
                    self.report_trip(trip);
                }
                Action::Resume => {
                    let resumed = self.resume_after_trip();
                    self.watchdog.resumed(resumed.is_ok());
                    let outcome = match resumed {
                        Ok(true) => {
                            self.keeper.tell("resume", "the agent", "the rule's time is over");
                            "mirroring continues".to_owned()
                        }
                        Ok(false) => {
                            "the rule's time is over, but mirroring was stopped by others, too".to_owned()
                        }
                        Err(error) => format!("still stopped: {error}"),
                    };
                    self.report_trip(Trip::now("resume", None, outcome));
                }
            }
        }
    }

    fn report_trip(&self, trip: Trip) {
        let target = trip.target.as_deref().unwrap_or("all targets");
        self.keeper
            .tell("trip", &trip.rule, &format!("{target}: {}", trip.reason));
        self.watchdog.log.keep(trip);
    }

    /// The reason why the capture ended by itself, if it did.
    pub(super) fn failed(&self) -> Option<String> {
        match self.snapshot().ended? {
            Ended::Failed(why) => Some(why),
            Ended::Source => Some("the source has ended".to_owned()),
            Ended::Stopped => None,
        }
    }

    /// Saves the report. A failure is counted, and logged once per run of failures; it never ends the agent.
    pub(super) fn save(&self) {
        let report = self.report_now();
        let is_kept = self.keeper.keep(
            &self.pipeline.read().unwrap_or_else(PoisonError::into_inner),
            &report,
            self.copied(),
        );
        if !self.handover.has_state() {
            // The files are the predecessor's.
            return;
        }
        if is_kept {
            self.save_evidence();
        }
        match self.state.save_report(&report) {
            Ok(()) => self.failing.store(false, Relaxed),
            Err(error) => {
                self.report_failures.fetch_add(1, Relaxed);
                if !self.failing.swap(true, Relaxed) {
                    tracing::warn!(%error, "the report is not kept; the agent continues");
                }
            }
        }
    }

    /// Saves the counts that the report is made of, for `shadow report --merge`.
    fn save_evidence(&self) {
        let evidence = self.evidence_now();
        let saved = if self.handover.has_state() {
            self.state.save_evidence(&evidence)
        } else {
            self.state.save_ended_evidence(&evidence)
        };
        if let Err(error) = saved {
            tracing::warn!(%error, "the evidence is not kept; the agent continues");
        }
    }

    pub(super) fn evidence_now(&self) -> Evidence {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        let inputs = self.inputs(&pipeline.snapshot());
        let (node, run) = self.node_and_run();
        // The clock of the exchanges begins when the node starts.
        let now = inputs.now_ms.saturating_mul(1_000_000);
        let later = now.saturating_sub(heartbeat::now().as_nanos());
        pipeline.evidence((&node, &run), inputs, later)
    }

    /// The name of this node, and that of this run on it.
    fn node_and_run(&self) -> (String, String) {
        let node = rustix::system::uname();
        let run = format!("{}-{}", self.facts.started_ms, std::process::id());
        (node.nodename().to_string_lossy().into_owned(), run)
    }

    /// Writes everything left into the journal; returns the last report.
    pub(super) fn finish(&self) -> Report {
        self.save_evidence();
        let report = self.report_now();
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        self.keeper.end(&pipeline, &report, self.copied());
        report
    }

    pub(super) fn report_now(&self) -> Report {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = pipeline.snapshot();
        let mut report = pipeline.report(self.inputs(&snapshot));
        let (node, run) = self.node_and_run();
        let Report {
            target, origin, also, ..
        } = &mut report;
        let others = also.iter_mut().map(|other| (&other.target, &mut other.origin));
        for (target, origin) in std::iter::once((&*target, origin)).chain(others) {
            *origin = Origin {
                node: node.clone(),
                run: run.clone(),
                target: target.clone(),
            };
        }
        report
    }

    pub(super) fn inputs(&self, snapshot: &Snapshot) -> ReportInputs {
        ReportInputs {
            started_ms: self.facts.started_ms,
            now_ms: now_ms(),
            kernel: self.kernel(),
            engine: snapshot.capture.engine.clone(),
            // The current value: it may have changed during the run.
            sample: Some(self.copied()),
            ..ReportInputs::default()
        }
    }

    /// The share of connections that is copied.
    fn copied(&self) -> f64 {
        self.control.sample().map_or(1.0, rounded)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        pipeline.snapshot()
    }

    pub(super) fn kernel(&self) -> KernelCounters {
        self.stats.read().unwrap_or_else(|error| {
            tracing::warn!(%error, "the kernel program's counters cannot be read");
            KernelCounters::ZERO
        })
    }

    /// Never blocks: while the pipeline is being stopped it needs no orders, and the control thread must receive the
    /// next one.
    pub(super) fn with_pipeline(&self, order: fn(&Pipeline)) {
        if let Ok(pipeline) = self.pipeline.try_read() {
            order(&pipeline);
        }
    }

    pub(super) fn warnings(&self, kernel: &KernelCounters, snapshot: &Snapshot) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(Ended::Failed(why)) = &snapshot.ended {
            warnings.push(format!("the capture failed: {why}"));
        }
        let full = kernel.get(Stat::RingFull);
        if full > 0 {
            warnings.push(format!(
                "{full} packets were lost because the ring was full: raise --ring-size or lower the sample"
            ));
        }
        if self.ring.undecodable() > 0 {
            warnings.push(
                "the kernel program is of another version than the agent: restart the agent".to_owned(),
            );
        }
        if self.failing.load(Relaxed) {
            warnings.push(format!(
                "the report cannot be written to {}: free space there",
                self.state.path().display()
            ));
        }
        warnings.extend(self.handover.text(self.left()));
        warnings.extend(self.ended.clone());
        warnings.extend(self.keeper.state().and_then(|journal| journal.failing));
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.extend(tokens.iter().filter_map(|token| token.warning()));
        drop(tokens);
        warnings.extend(self.rollout.warning());
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        for event in links.iter().flat_map(Links::events) {
            match event {
                LinkEvent::Failed { error } => warnings.push(error.to_string()),
                LinkEvent::Blind { reason } => {
                    warnings.push(format!("new interfaces are not noticed: {reason}"));
                }
                LinkEvent::Overtaken { .. } | LinkEvent::Attached { .. } | LinkEvent::Gone { .. } => {}
            }
        }
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.extend(inside.as_ref().and_then(Inside::warning));
        drop(inside);
        for link in links.iter().flat_map(Links::attached) {
            let by = link.front.names();
            if !by.is_empty() {
                warnings.push(format!(
                    "on {} others run before the capture and may hide packets from it: {}",
                    link.interface.name,
                    by.join(", ")
                ));
            }
        }
        warnings
    }

    /// Ends the commands of credentials.
    pub(super) fn end_commands(&self) {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().for_each(|token| token.end());
    }
}

/// The map stores a fraction of 2^32; people gave a percentage.
pub(super) fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}
