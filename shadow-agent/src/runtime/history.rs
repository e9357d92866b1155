//! Writes the running agent's journal.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use shadow_core::evidence::{Marks, RouteWindow, report::Report};

use crate::{
    capture::heartbeat,
    clock::now_ms,
    config::{Config, extra_targets::ResolvedTarget},
    journal::{Buckets, Entry, Event, Gated, Journal, Nowhere, OpenError, Sink, State, Window},
    pipeline::Pipeline,
    replay::Target,
    runtime::{Cause, RuntimeError},
    state::StateDir,
};

/// How long one window is.
const WINDOW: Duration = Duration::from_secs(10);

/// How often the whole report is saved: with all groups and samples it may be large.
const REPORT: Duration = Duration::from_mins(1);

/// The journal of a running agent, or none.
#[derive(Debug)]
pub(super) struct HistoryWriter {
    journal: Mutex<Option<Journal>>,
    sink: Arc<dyn Sink>,
    due: Mutex<Due>,
}

/// The times of the next writes.
#[derive(Debug)]
struct Due {
    window: Instant,
    report: Instant,
}

impl HistoryWriter {
    /// Opens the journal, unless it is disabled.
    pub(super) fn open(config: &Config) -> Result<Self, RuntimeError> {
        let journal = config.journal.enabled.then(|| {
            let path = config.journal.path(&StateDir::new(&config.agent.state_dir));
            Journal::open(&path, config.journal.retention())
        });
        let journal = journal.transpose().map_err(|error| {
            let exit = match error {
                OpenError::Io { .. } | OpenError::Database { .. } | OpenError::Absent(_) => {
                    Cause::CannotCreate
                }
                OpenError::Foreign { .. }
                | OpenError::Newer { .. }
                | OpenError::Older { .. }
                | OpenError::Damaged { .. } => Cause::Data,
            };
            RuntimeError::new(exit, error.to_string())
        })?;
        let sink: Arc<dyn Sink> = match &journal {
            Some(journal) => Arc::new(journal.sink()),
            None => Arc::new(Nowhere),
        };
        let now = Instant::now();
        Ok(Self {
            journal: Mutex::new(journal),
            sink,
            due: Mutex::new(Due {
                window: now + WINDOW,
                report: now + REPORT,
            }),
        })
    }

    /// The destination of entries.
    pub(super) fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink)
    }

    /// Records an action of a person.
    pub(super) fn tell(&self, kind: &str, who: &str, why: &str) {
        self.sink.offer(Entry::Event(Event {
            at_ms: now_ms(),
            kind: kind.to_owned(),
            who: who.to_owned(),
            why: why.to_owned(),
            evidence: Value::Null,
        }));
    }

    /// Records the start of the agent, and its rules.
    pub(super) fn begin(&self, wanted: &[(ResolvedTarget, Option<Target>)]) {
        let rules = |(wanted, _): &(ResolvedTarget, Option<Target>)| {
            let rules = serde_json::to_value(&wanted.compare).unwrap_or_default();
            (wanted.name.clone(), rules)
        };
        let rules: Map<String, Value> = wanted.iter().map(rules).collect();
        self.sink.offer(Entry::Event(Event {
            at_ms: now_ms(),
            kind: "start".to_owned(),
            who: "agent".to_owned(),
            why: format!("version {}", env!("CARGO_PKG_VERSION")),
            evidence: json!({"compare": rules}),
        }));
    }

    /// Saves the last report of an agent that ended abruptly while it worked on so many exchanges; returns a message.
    pub(super) fn ended(&self, state: &StateDir, working: usize) -> String {
        let report = state.report::<Report>().ok().flatten();
        let aside = state.set_aside().ok().flatten();
        let report_kept = match aside {
            Some(path) => format!("its last report is kept in {}", path.display()),
            None => "it left no report".to_owned(),
        };
        let working = match working {
            0 => String::new(),
            _ => format!(
                "; it was working on {working} exchanges, and such ones are skipped from now on (ended_agent)"
            ),
        };
        let text = format!("the former agent ended without a word: {report_kept}{working}");
        tracing::warn!("{text}");
        self.tell("ended", "agent", &text);
        if let Some(report) = report {
            self.sink.offer(Entry::Report(Box::new(report)));
        }
        text
    }

    /// The state of the journal.
    pub(super) fn state(&self) -> Option<State> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.as_ref().map(Journal::state)
    }

    /// Writes what is due; returns whether the report was. `sample` is the share of connections that is copied.
    pub(super) fn keep(&self, pipeline: &Pipeline, report: &Report, sample: f64) -> bool {
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= due.window {
            due.window = now + WINDOW;
            self.windows(pipeline, sample);
        }
        let is_due = now >= due.report;
        if is_due {
            due.report = now + REPORT;
            self.sink.offer(Entry::Report(Box::new(report.clone())));
        }
        is_due
    }

    /// Writes everything that is left, and closes the journal.
    pub(super) fn end(&self, pipeline: &Pipeline, report: &Report, sample: f64) {
        self.windows(pipeline, sample);
        self.tell("end", "agent", "");
        self.sink.offer(Entry::Report(Box::new(report.clone())));
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(journal);
    }

    fn windows(&self, pipeline: &Pipeline, sample: f64) {
        // Of all lanes at one moment, so that they can be compared.
        let (at, at_ms) = (heartbeat::now(), now_ms());
        for lane in pipeline.lanes() {
            let routes = lane.take_window(at);
            if !routes.is_empty() {
                let windows = windows(lane.name(), &routes, sample, at_ms);
                self.sink.offer(Entry::Windows(windows));
            }
        }
    }
}

/// One for each route, and one for all of them together.
fn windows(target: &str, routes: &[RouteWindow], sample: f64, now_ms: u64) -> Vec<Window> {
    let mut all = Window::default();
    let mut windows = Vec::with_capacity(routes.len() + 1);
    for route in routes {
        let window = window(target, route, sample, now_ms);
        all = Window {
            at_ms: window.at_ms,
            span_ms: window.span_ms,
            target: target.to_owned(),
            route: String::new(),
            matched: all.matched + window.matched,
            mismatched: all.mismatched + window.mismatched,
            noise: all.noise + window.noise,
            explained: all.explained + window.explained,
            skipped: all.skipped + window.skipped,
            errors: all.errors + window.errors,
            production: merged(all.production, &window.production),
            shadow: merged(all.shadow, &window.shadow),
            gated: window.gated.map(|more| {
                let sum = all.gated.unwrap_or_default();
                Gated {
                    sample: more.sample,
                    undecided: sum.undecided + more.undecided,
                    missed: sum.missed + more.missed,
                    failed: sum.failed + more.failed,
                    production_5xx: sum.production_5xx + more.production_5xx,
                    shadow_5xx: sum.shadow_5xx + more.shadow_5xx,
                }
            }),
        };
        windows.push(window);
    }
    windows.push(all);
    windows
}

fn window(target: &str, route: &RouteWindow, sample: f64, now_ms: u64) -> Window {
    let span_ms = route.to_ns.saturating_sub(route.from_ns) / 1_000_000;
    let buckets = |marks: &[Marks; 2]| Buckets::of(marks[0].iter());
    Window {
        at_ms: now_ms.saturating_sub(span_ms),
        span_ms,
        target: target.to_owned(),
        route: route.route.clone(),
        matched: route.matched,
        mismatched: route.mismatched,
        noise: route.noise,
        explained: route.after_skipped_write,
        skipped: route.skipped,
        errors: route.shadow_errors,
        production: buckets(&route.production),
        shadow: buckets(&route.shadow),
        gated: Some(Gated {
            sample,
            undecided: route.undecided,
            missed: route.missed,
            failed: route.failed,
            production_5xx: route.production_5xx,
            shadow_5xx: route.shadow_5xx,
        }),
    }
}

fn merged(mut sum: Buckets, more: &Buckets) -> Buckets {
    sum.merge(more);
    sum
}
