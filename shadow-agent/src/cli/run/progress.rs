//! A status line on a terminal, hidden in a pipe. Log lines appear above it.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, Registry, fmt::MakeWriter, layer::SubscriberExt as _, reload};

use crate::{
    config::{Agent, LogLevel, LogStyle},
    control::status::Status,
    report::status,
    runtime::Observer,
    shown::Screen,
};

/// The least severe log level that is written; can be changed at run time.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Level(reload::Handle<LevelFilter, Registry>);

impl Level {
    /// Sets another level.
    pub(super) fn set(&self, level: LogLevel) {
        // Fails only when the logger no longer exists.
        drop(self.0.reload(level.filter()));
    }
}

/// The status line and the log.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Progress {
    bar: ProgressBar,
    /// Log output held until the start succeeds, so that a refused start prints one line only.
    held: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Progress {
    /// A new status line, hidden unless standard error is a terminal.
    pub(in crate::cli) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            held: Arc::default(),
        }
    }

    /// Sends the log to standard error, from [`Progress::release_log`] on, or at once at the most verbose level. Does
    /// nothing when a logger is set already.
    pub(in crate::cli) fn log(&self, agent: &Agent) -> Level {
        if !matches!(agent.log_level, LogLevel::Debug | LogLevel::Trace) {
            *self.held() = Some(Vec::new());
        }
        let (filter, handle) = reload::Layer::new(agent.log_level.filter());
        let lines = tracing_subscriber::fmt::layer()
            .with_target(false)
            .with_writer(self.clone());
        let lines = match agent.log_format {
            LogStyle::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
            LogStyle::Json => lines.with_ansi(false).json().flatten_event(true).boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(filter).with(lines);
        drop(tracing::subscriber::set_global_default(subscriber));
        Level(handle)
    }

    /// Sends the log to standard error from now on.
    pub(in crate::cli) fn log_at_once(&self, agent: &Agent) {
        drop(self.log(agent));
        self.release_log();
    }

    /// Shows the log output that was held until the start succeeded.
    pub(in crate::cli) fn release_log(&self) {
        if let Some(held) = self.held().take() {
            // A log that cannot be written is no reason to end.
            drop(self.bar.suspend(|| io::stderr().write_all(&held)));
        }
    }

    /// Replaces the status line.
    pub(in crate::cli) fn message(&self, line: String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(line);
            self.bar.tick();
        }
    }

    /// Removes the status line.
    pub(in crate::cli) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn started(&self) {
        self.release_log();
    }

    fn show(&self, status: &dyn Fn() -> Status) {
        if !self.bar.is_hidden() {
            self.message(status::line(&status()));
        }
    }

    fn ended(&self) {
        self.clear();
    }
}

impl<'a> MakeWriter<'a> for Progress {
    type Writer = Screen<Above>;

    fn make_writer(&'a self) -> Self::Writer {
        Screen::new(Above(self.clone()), io::stderr().is_terminal())
    }
}

/// Writes above the status line.
#[derive(Debug)]
pub(in crate::cli) struct Above(Progress);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.held() {
            Some(held) => held.write(bytes),
            None => self.0.bar.suspend(|| io::stderr().write(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
