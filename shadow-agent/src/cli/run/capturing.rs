//! A capture without a pipeline behind it.

use super::{preflight, start};
use crate::{
    capture::{
        attach::Attacher, control::Control, links::Links, load::Program, ring::LiveSource, stats::StatsReader,
    },
    cli::{Exit, Failure},
    config::Config,
};

/// A loaded kernel program and its source.
#[derive(Debug)]
pub(in crate::cli) struct Capturing {
    source: LiveSource,
    control: Control,
    stats: StatsReader,
    attacher: Option<Attacher>,
    links: Option<Links>,
}

impl Capturing {
    /// Loads the kernel program and tells it what to copy; nothing is attached yet.
    pub(in crate::cli) fn start(config: &Config) -> Result<Self, Failure> {
        preflight::privileges()?;
        let Program {
            attacher,
            control,
            mute: _,
            targets,
            stats,
            source,
        } = start::load(config)?;
        targets
            .set(&config.capture.targets, &[])
            .and_then(|()| control.set_sample(config.capture.sample.fraction()))
            .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
        Ok(Self {
            source,
            control,
            stats,
            attacher: Some(attacher),
            links: None,
        })
    }

    /// Attaches it to the interfaces.
    pub(in crate::cli) fn attach(&mut self, config: &Config) -> Result<(), Failure> {
        if let Some(attacher) = self.attacher.take() {
            self.links = Some(start::attach(config, attacher)?);
        }
        Ok(())
    }

    pub(in crate::cli) fn source(&mut self) -> &mut LiveSource {
        &mut self.source
    }

    pub(in crate::cli) fn stats(&self) -> &StatsReader {
        &self.stats
    }

    /// Switches off and detaches; what the ring holds can still be read.
    pub(in crate::cli) fn end(&mut self) {
        if let Err(error) = self.control.disarm() {
            tracing::warn!(%error, "the kernel program cannot be switched off; it is detached now");
        }
        self.links = None;
    }
}
