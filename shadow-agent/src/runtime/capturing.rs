//! A capture without a pipeline.

use super::{preflight, start};
use crate::{
    capture::{
        attach::{Attacher, Role},
        control::Control,
        links::Links,
        load::Program,
        ring::LiveSource,
        stats::StatsReader,
    },
    config::Config,
    runtime::{Cause, RuntimeError},
};

/// A loaded kernel program and its source.
#[derive(Debug)]
pub(crate) struct Capturing {
    source: LiveSource,
    control: Control,
    stats: StatsReader,
    attacher: Option<Attacher>,
    links: Option<Links>,
}

impl Capturing {
    /// Loads the kernel program and sets its targets; nothing is attached yet.
    pub(crate) fn start(config: &Config) -> Result<Self, RuntimeError> {
        preflight::privileges()?;
        let Program {
            attacher,
            control,
            mute: _,
            targets,
            stats,
            source,
        } = start::load(config, Role::Mirror)?;
        targets
            .set(&config.capture.targets, &[])
            .and_then(|()| control.set_sample(config.capture.sample.fraction()))
            .map_err(|error| RuntimeError::new(Cause::Unavailable, error.to_string()))?;
        Ok(Self {
            source,
            control,
            stats,
            attacher: Some(attacher),
            links: None,
        })
    }

    /// Attaches it to the interfaces.
    pub(crate) fn attach(&mut self, config: &Config) -> Result<(), RuntimeError> {
        if let Some(attacher) = self.attacher.take() {
            self.links = Some(start::attach(config, attacher)?);
        }
        Ok(())
    }

    pub(crate) fn source(&mut self) -> &mut LiveSource {
        &mut self.source
    }

    pub(crate) fn stats(&self) -> &StatsReader {
        &self.stats
    }

    /// Switches off and detaches; the data in the ring can still be read.
    pub(crate) fn end(&mut self) {
        if let Err(error) = self.control.disarm() {
            tracing::warn!(%error, "the kernel program cannot be switched off; it is detached now");
        }
        self.links = None;
    }
}
