//! Questions that the running agent answers.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use shadow_core::evidence::report::Report;

use super::{AgentLocation, Exit, Failure};
use crate::{
    control::{
        client::{self, ClientError},
        proto::{Answer, Order},
        status::Status,
    },
    shown::complain,
    state::{StateDir, StateError},
};

/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The status of the running agent.
pub(super) fn status(place: &AgentLocation) -> Result<Status, ClientError> {
    match client::ask(&place.socket, Order::Status, PATIENCE)? {
        Answer::Status(status) => Ok(*status),
        _ => Err(ClientError::Foreign {
            path: place.socket.clone(),
            why: "it is no status".to_owned(),
        }),
    }
}

/// Why an agent did not give its report.
enum Unanswered {
    /// None is running.
    Ended(String),
    /// One is running, or may be.
    Unexpected(String),
}

impl Unanswered {
    fn why(&self) -> &str {
        match self {
            Self::Ended(why) | Self::Unexpected(why) => why,
        }
    }
}

/// The report of the running agent, or else the one that the last agent kept.
pub(super) fn report(place: &AgentLocation) -> Result<Report, Failure> {
    let unanswered = match client::ask(&place.socket, Order::Report, PATIENCE) {
        Ok(Answer::Report(report)) => return Ok(*report),
        Ok(_) => Unanswered::Unexpected("the agent answered with no report".to_owned()),
        Err(error @ ClientError::Absent(_)) => Unanswered::Ended(error.to_string()),
        Err(error) => Unanswered::Unexpected(error.to_string()),
    };
    let state = StateDir::new(&place.state_dir);
    let kept: Result<Option<Report>, StateError> = state.report();
    match kept {
        Ok(Some(report)) => {
            let kept = format!("this is the report kept in {}", state.report_path().display());
            match unanswered {
                Unanswered::Unexpected(why) => complain(&format!("{why}; {kept}")),
                // After the end of an agent there is nothing to warn of: a script gets what it asks for.
                Unanswered::Ended(_) if io::stderr().is_terminal() => complain(&kept),
                Unanswered::Ended(_) => {}
            }
            Ok(report)
        }
        Ok(None) => Err(unknown(format!(
            "there is no report: {}; and none is kept in {}",
            unanswered.why(),
            state.report_path().display()
        ))),
        Err(error) => Err(unknown(format!(
            "there is no report: {}; and {error}",
            unanswered.why()
        ))),
    }
}

fn unknown(what: String) -> Failure {
    Failure::new(Exit::Unknown, what)
}

/// The failure of a command that needs a running agent.
pub(super) fn failure(error: &ClientError) -> Failure {
    let exit = match error {
        ClientError::Denied(_) => Exit::NoPermission,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, error.to_string())
}
