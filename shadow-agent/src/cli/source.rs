//! The report and the cases that a command is about: those of the running agent, or else what it kept.

use std::path::PathBuf;

use clap::Args;
use shadow_core::evidence::report::Report;

use super::{AgentLocation, Exit, Failure, ask};
use crate::{
    journal::{OpenError, Reader},
    state::StateDir,
};

/// Where cases and groups are read from.
#[derive(Args, Debug)]
pub struct Origin {
    /// The journal, when it is not in the state folder
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    place: AgentLocation,
}

impl Origin {
    /// Where the agent is.
    pub(super) fn place(&self) -> &AgentLocation {
        &self.place
    }
}

/// The report of the running agent, or else the kept one, or else the one in the journal.
pub(super) fn report(origin: &Origin) -> Result<Report, Failure> {
    if origin.journal.is_some() {
        return kept(&journal(origin)?);
    }
    ask::report(&origin.place).or_else(|unfound| {
        let journal = journal(origin).map_err(|_absent: Failure| unfound)?;
        kept(&journal)
    })
}

fn kept(journal: &Reader) -> Result<Report, Failure> {
    let report = journal.report().map_err(|error| unreadable(journal, &error))?;
    report.ok_or_else(|| {
        Failure::new(
            Exit::Unknown,
            format!("the journal {} holds no report", journal.path().display()),
        )
    })
}

/// Opens the journal for reading.
pub(super) fn journal(origin: &Origin) -> Result<Reader, Failure> {
    let path = match &origin.journal {
        Some(path) => path.clone(),
        None => StateDir::new(&origin.place.state_dir).journal_path(),
    };
    Reader::open(&path).map_err(|error| unopened(&error))
}

pub(super) fn unopened(error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::Absent(_) | OpenError::Io { .. } | OpenError::Database { .. } => Exit::NoInput,
        OpenError::Foreign { .. }
        | OpenError::Newer { .. }
        | OpenError::Older { .. }
        | OpenError::Damaged { .. } => Exit::Data,
    };
    Failure::new(exit, error.to_string())
}

pub(super) fn unreadable(journal: &Reader, error: &rusqlite::Error) -> Failure {
    Failure::new(
        Exit::Data,
        format!("the journal {} cannot be read: {error}", journal.path().display()),
    )
}
