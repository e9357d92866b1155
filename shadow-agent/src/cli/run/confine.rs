//! Privileges go, and the log says which.

use std::path::Path;

use crate::{
    cli::{Exit, Failure},
    config::Config,
    privs::{self, ConfineError, Confinement, Needs},
};

/// An agent on its way to fewer privileges.
#[derive(Debug)]
pub(super) struct Confined {
    needs: Needs,
    confinement: Confinement,
}

impl Confined {
    /// What has to be done while there is one thread.
    pub(super) fn before_threads(config: &Config, file: Option<&Path>) -> Result<Self, Failure> {
        let needs = Needs::of(config, file);
        let confinement = privs::before_threads(&needs).map_err(|error| refused(&error))?;
        Ok(Self { needs, confinement })
    }

    /// What reaches every thread.
    pub(super) fn after_attach(&mut self) -> Result<(), Failure> {
        let Self { needs, confinement } = self;
        privs::after_attach(needs, confinement).map_err(|error| refused(&error))?;
        tracing::info!(holds = confinement.holds.join("; "), "confined");
        for missing in &confinement.missing {
            tracing::warn!(missing, "not confined as far as it could be");
        }
        Ok(())
    }
}

fn refused(error: &ConfineError) -> Failure {
    Failure::new(Exit::Unavailable, error.to_string())
}
