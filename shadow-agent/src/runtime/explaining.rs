//! The kernel program of `shadow explain`, beside an agent or without one.

use shadow_core::{
    gate::{Decision, Gate, Skip, SkipPolicy},
    redact::Redactor,
    rewrite::{RewritePolicy, rewrite},
};
use shadow_proto::{
    engine::{self, Engine},
    exchange::Exchange,
};

use super::{aim, preflight, rules, start, targets};
use crate::{
    capture::{
        attach::{Attacher, Role},
        control::{Control, Mute},
        links::Links,
        load::Program,
        netlink::Interface,
        packet_log::{FollowedEndpoint, PacketLog},
        ring::LiveSource,
    },
    config::{Config, extra_targets::ResolvedTarget},
    runtime::{Cause, RuntimeError},
};

/// A kernel program of its own that follows one flow, and everything that decides about its exchanges.
#[derive(Debug)]
pub(crate) struct Explaining {
    pub(crate) source: LiveSource,
    pub(crate) log: PacketLog,
    pub(crate) mute: Mute,
    pub(crate) engine: Engine,
    pub(crate) judges: Vec<Judge>,
    pub(crate) redactor: Redactor,
    control: Control,
    attacher: Option<Attacher>,
    links: Option<Links>,
}

/// The rules of one target.
#[derive(Debug)]
pub(crate) struct Judge {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Where replays are sent; `None` when observing.
    pub(crate) url: Option<String>,
    rules: Option<(Gate, RewritePolicy)>,
}

impl Explaining {
    /// Loads the program, with the targets of the configuration and this share of connections. Nothing is attached yet.
    pub(crate) fn start(
        config: &Config,
        asked: &FollowedEndpoint,
        sample: f64,
    ) -> Result<Self, RuntimeError> {
        preflight::privileges()?;
        let unavailable =
            |error: &dyn std::error::Error| RuntimeError::new(Cause::Unavailable, error.to_string());
        let key = targets::random()?;
        let wanted = start::wanted(config)?;
        let Program {
            mut attacher,
            control,
            mute,
            targets,
            stats: _,
            source,
        } = start::load(config, Role::Explain)?;
        aim::capture(config, &targets, &wanted)?;
        control.set_sample(sample).map_err(|error| unavailable(&error))?;
        let log = PacketLog::new(&mut attacher, asked).map_err(|error| unavailable(&error))?;
        let settings = engine::Settings {
            limits: config.limits.clone(),
            digest: false,
            fields: true,
        };
        Ok(Self {
            source,
            log,
            mute,
            engine: Engine::new(settings).join_views(),
            judges: Judge::all(wanted.into_iter().map(|(wanted, _)| wanted).collect())?,
            redactor: Redactor::new(key, &config.redact),
            control,
            attacher: Some(attacher),
            links: None,
        })
    }

    /// Attaches it to the interfaces, after an agent's program where there is one. Returns them.
    pub(crate) fn attach(&mut self, config: &Config) -> Result<Vec<Interface>, RuntimeError> {
        if let Some(attacher) = self.attacher.take() {
            self.links = Some(start::attach(config, attacher)?);
        }
        let attached = self.links.iter().flat_map(Links::attached);
        Ok(attached.map(|link| link.interface).collect())
    }

    /// Switches off and detaches; the data in the ring can still be read.
    pub(crate) fn end(&mut self) {
        if let Err(error) = self.control.disarm() {
            tracing::warn!(%error, "the kernel program cannot be switched off; it is detached now");
        }
        self.links = None;
    }
}

impl Judge {
    /// The rules of each target.
    pub(crate) fn all(wanted: Vec<ResolvedTarget>) -> Result<Vec<Self>, RuntimeError> {
        let markers = rules::markers(wanted.iter());
        let judge = |wanted: ResolvedTarget| {
            let url = wanted.shadow.url.as_ref().map(ToString::to_string);
            let descriptors = wanted.compare.proto_descriptors.as_ref();
            let gate = || {
                let gate = wanted.shadow.gate_without_tokens(&markers, descriptors);
                gate.map_err(|error| RuntimeError::new(Cause::Config, format!("{}.{error}", wanted.name)))
            };
            let rules = url.is_some().then(gate).transpose()?;
            Ok(Self {
                name: wanted.name,
                url,
                rules,
            })
        };
        wanted.into_iter().map(judge).collect()
    }

    /// The decision of the gate, and of the rewriting that follows it. Tokens are not read here, so a request whose
    /// credentials are replaced counts as one that can be sent.
    pub(crate) fn decide(&self, exchange: &Exchange) -> Decision {
        let Some((gate, policy)) = &self.rules else {
            let observed = Skip::Policy(SkipPolicy::Observed);
            return Decision::Skip(exchange.incomplete.map_or(observed, Skip::Incomplete));
        };
        match gate.decide(exchange) {
            Decision::Replay => match rewrite(exchange, policy) {
                Ok(_) | Err(SkipPolicy::NoCredentials) => Decision::Replay,
                Err(reason) => Decision::Skip(Skip::Policy(reason)),
            },
            skip @ Decision::Skip(_) => skip,
        }
    }
}
