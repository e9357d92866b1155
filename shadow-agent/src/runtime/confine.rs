//! Privileges go, and the log says which.

use std::path::Path;

use crate::{
    config::Config,
    privs::{self, ConfineError, Confinement, Needs},
    runtime::{Cause, RuntimeError},
};

/// An agent on its way to fewer privileges; nothing when the configuration does not want it.
#[derive(Debug)]
pub(super) struct Confined(Option<(Needs, Confinement)>);

impl Confined {
    /// What has to be done while there is one thread.
    pub(super) fn before_threads(config: &Config, file: Option<&Path>) -> Result<Self, RuntimeError> {
        if !config.agent.confine {
            return Ok(Self(None));
        }
        let needs = Needs::of(config, file);
        let confinement = privs::before_threads(&needs).map_err(|error| refused(&error))?;
        Ok(Self(Some((needs, confinement))))
    }

    /// What reaches every thread.
    pub(super) fn after_attach(self) -> Result<(), RuntimeError> {
        let Some((needs, mut confinement)) = self.0 else {
            return Ok(());
        };
        privs::after_attach(&needs, &mut confinement).map_err(|error| refused(&error))?;
        tracing::info!(holds = confinement.holds.join("; "), "confined");
        for missing in &confinement.missing {
            tracing::warn!(missing, "not confined as far as it could be");
        }
        Ok(())
    }
}

fn refused(error: &ConfineError) -> RuntimeError {
    RuntimeError::new(Cause::Unavailable, error.to_string())
}
