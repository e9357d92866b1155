//! One line that says how it goes, on a terminal; nothing of it in a pipe. Log lines go above it.

use std::{
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use super::agent::Running;
use crate::{config::LogLevel, control::Agent as _, report::status};

/// The status line.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Hidden unless standard error is a terminal.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Sends the log to standard error. A second call changes nothing.
    pub(super) fn log(&self, level: LogLevel) {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level.filter())
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .with_writer(self.clone())
            .finish();
        drop(tracing::subscriber::set_global_default(subscriber));
    }

    /// Draws the line anew.
    pub(super) fn show(&self, agent: &Running) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_message(status::line(&agent.status()));
        self.bar.enable_steady_tick(Duration::from_millis(250));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl<'a> MakeWriter<'a> for Progress {
    type Writer = Above;

    fn make_writer(&'a self) -> Above {
        Above {
            bar: self.bar.clone(),
        }
    }
}

/// Writes above the status line.
#[derive(Debug)]
pub(super) struct Above {
    bar: ProgressBar,
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
