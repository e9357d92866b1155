//! Gives up privileges, and logs which.

use std::path::Path;

use crate::{
    config::Config,
    privs::{self, ConfineError, Confinement, Needs},
    runtime::{Cause, RuntimeError},
};

/// An agent that is being confined; empty when the configuration does not want it.
#[derive(Debug)]
pub(super) struct Confined(Option<(Needs, Confinement)>);

impl Confined {
    /// The steps that need a single thread.
    pub(super) fn before_threads(config: &Config, file: Option<&Path>) -> Result<Self, RuntimeError> {
        if !config.agent.confine {
            return Ok(Self(None));
        }
        let needs = Needs::of(config, file);
        let confinement = privs::before_threads(&needs).map_err(|error| refused(&error))?;
        Ok(Self(Some((needs, confinement))))
    }

    /// The step that applies to every thread.
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
