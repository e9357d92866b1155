//! The section `agent`: the agent itself, and who may control it.

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use shadow_proto::units::Span;

/// The agent itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// The address of the Prometheus metrics.
    pub metrics: Option<SocketAddr>,
    /// The folder of the report and the kill state.
    pub state_dir: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// The group that may use the socket, besides root and the agent's own user.
    pub group: Option<String>,
    /// Mirroring is killed while this file exists.
    pub kill_file: Option<PathBuf>,
    /// The agent ends after this time.
    pub duration: Option<Span>,
    /// Least severe log line that is written.
    pub log_level: LogLevel,
    /// The form of log lines.
    pub log_format: LogStyle,
    /// Drop every privilege that is not needed once the interfaces are attached.
    pub confine: bool,
    /// Take over from the agent that has the state folder, without a gap, instead of being refused.
    pub take_over: bool,
    /// How long an agent that hands over may take to finish the exchanges that it has begun.
    pub drain: Span,
    /// The behaviour of an agent once another one has taken over and everything is finished.
    pub after_handover: AfterHandover,
}

/// The behaviour of an agent once another one has taken over.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AfterHandover {
    /// It ends.
    #[default]
    End,
    /// It does nothing until it is ended, for a supervisor that would start it again.
    Wait,
}

/// Least severe log line that is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only faults that stop the agent.
    Error,
    /// Also faults that degrade it.
    Warn,
    /// Also its actions.
    #[default]
    Info,
    /// Also details of its actions.
    Debug,
    /// Everything.
    Trace,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogStyle {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            metrics: None,
            state_dir: PathBuf::from("/var/lib/shadow"),
            socket: PathBuf::from(crate::control::DEFAULT_SOCKET),
            group: None,
            kill_file: Some(PathBuf::from(crate::control::DEFAULT_KILL_FILE)),
            duration: None,
            log_level: LogLevel::Info,
            log_format: LogStyle::Text,
            confine: true,
            take_over: false,
            drain: Span(core::time::Duration::from_secs(10)),
            after_handover: AfterHandover::End,
        }
    }
}

impl Agent {
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let problem = |at: &str, what: &str, fix: &str| Problem {
            at: at.to_owned(),
            what: what.to_owned(),
            fix: fix.to_owned(),
        };
        let endless = self.duration.is_some_and(|span| span.0.is_zero()).then(|| {
            problem(
                "agent.duration (--duration)",
                "is zero, so the agent would end before it has seen anything",
                "give a time such as 60s, or leave it out to run until Ctrl-C",
            )
        });
        let relative = self
            .kill_file
            .as_ref()
            .is_some_and(|path| !path.is_absolute())
            .then(|| {
                problem(
                    "agent.kill_file",
                    "is no absolute path, so where it is would depend on where the agent was started",
                    "give for example /run/shadow/kill, or null for none",
                )
            });
        endless.into_iter().chain(relative)
    }
}

impl LogLevel {
    /// The log filter of this level.
    pub const fn filter(self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}
