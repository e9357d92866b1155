//! From a configuration to a running agent, or to one error line with nothing left over.
//!
//! The order matters: checks that can refuse without side effects come first, then the kernel program and the
//! interfaces, while there is one thread and it has its privileges; threads come last, with few. An error drops
//! everything made so far, in reverse.

use std::{
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Instant,
};

use super::{
    agent::{Facts, Running},
    aim,
    confine::Confined,
    doors::{Doors, aside},
    error::{state_failure, unavailable},
    history::HistoryWriter,
    inside::{self, Inside},
    preflight, recording,
    reload::Reloader,
    successor::{Claim, is_killed},
    targets,
    watchdog::Watchdog,
};
use crate::{
    capture::{
        Source,
        attach::{Attacher, Role},
        control::{Control, Mute},
        fault::{self, Loss},
        heartbeat,
        links::{Links, LinksError, Pattern},
        load::{LoadError, LoadOptions, Program},
        ring::LiveSource,
        targets::Targets,
    },
    clock::{moment, now_ms},
    config::{Config, extra_targets::ResolvedTarget},
    control::{sampling::Sampling, server::Socket},
    guard,
    handover::Predecessor,
    pipeline::{Armed, Cut, Hooks, Ownership, Pipeline, PipelineSettings},
    record::Recorder,
    replay::{Target, credentials::Held},
    rollout::Driver,
    runtime::{Cause, RuntimeError},
    state::StateDir,
    unfinished::Unfinished,
};

/// A started agent.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) agent: Arc<Running>,
    pub(super) doors: Doors,
    /// The agent from which this one takes over.
    pub(super) predecessor: Option<Predecessor>,
    /// Ended after the pipeline.
    pub(super) recorder: Option<Recorder>,
}

/// Starts everything but the control thread.
///
/// Privileges are dropped meanwhile: see [`privs`](crate::privs) for the order.
pub(super) fn start(config: &Config, reloader: Reloader) -> Result<Started, RuntimeError> {
    let loss = checked()?;
    let mut wanted = wanted(config)?;
    let (state, mut claim) = Claim::on(config)?;
    let killed = is_killed(&state, &reloader, &claim)?;
    let doors = Doors::early(config, &state, &claim)?;
    let facts = facts(config, &wanted)?;
    let (loaded, guard_socket) = guarded(config, &claim)?;
    let Program {
        attacher,
        control,
        mute,
        targets,
        stats,
        mut source,
    } = loaded;
    aim::aim(config, &targets, &mut wanted)?;
    let (rollout, sampling) = sampling(config, &state, &control, killed)?;
    let ring = source.counters();
    let (mut links, mut inside) = everywhere(config, attacher, &mut source)?;
    let cut = claim.take(&state, &mut links)?;
    let doors = doors.open(config, &state, guard_socket.as_deref())?;
    let confined = Confined::before_threads(config, reloader.file())?;
    // Has a thread that writes.
    let keeper = HistoryWriter::open(config)?;
    let (source, mut recorder) = recording::tee(config, fault::forgetful(source, loss), &stats)?;
    keeper.begin(&wanted);
    let (mut settings, tokens) = targets::settings(config, &keeper, wanted, facts.salt)?;
    let (watchdog, ended) = continued(config, &state, &keeper, &claim, cut, &mut settings)?;
    let pipeline = mirror(source, mute, control.clone(), settings, killed)?;
    follow(config, &targets, &mut links, inside.as_mut())?;
    confined.after_attach()?;
    // From here on a command inherits the confinement.
    tokens.iter().for_each(Held::start);
    let (handover, predecessor) = claim.parted(&doors, guard_socket.as_deref());
    let agent = Running {
        facts,
        control,
        sampling,
        stats,
        ring,
        links: Mutex::new(Some(links)),
        inside: Mutex::new(inside),
        pipeline: RwLock::new(pipeline),
        rollout: rollout.telling(keeper.sink()),
        keeper,
        watchdog,
        tokens: Mutex::new(tokens),
        state,
        switching: Mutex::default(),
        reloader,
        handover,
        report_failures: AtomicU64::new(0),
        failing: AtomicBool::new(false),
        ended,
        rates: Mutex::default(),
    };
    Ok(Started {
        agent: Arc::new(agent),
        doors,
        predecessor,
        recorder: recorder.keep(),
    })
}

/// Sets the sample, by the rollout if one is running, and lets the kernel program copy, unless mirroring was killed:
/// segments copied before the capture thread reads wait in the ring.
fn sampling(
    config: &Config,
    state: &StateDir,
    control: &Control,
    killed: bool,
) -> Result<(Driver, Sampling<Control>), RuntimeError> {
    let rollout = Driver::load(config.rollout.plan(&config.gates), state.clone(), moment());
    if killed {
        control.disarm().map_err(|error| unavailable(&error))?;
    }
    let sample = rollout
        .sample()
        .unwrap_or_else(|| config.capture.sample.fraction());
    let sampling = Sampling::new(control.clone(), sample).map_err(|error| unavailable(&error))?;
    control
        .renew_heartbeat(heartbeat::now() + config.capture.heartbeat.0)
        .map_err(|error| unavailable(&error))?;
    Ok((rollout, sampling))
}

/// Opens the record of unfinished work; returns a message when a former agent left some.
fn unfinished(
    state: &StateDir,
    keeper: &HistoryWriter,
    claim: &Claim,
    settings: &mut PipelineSettings,
) -> Result<Option<String>, RuntimeError> {
    let unfinished = Arc::new(
        Unfinished::open(state, claim.record(), claim.is_held()).map_err(|error| state_failure(&error))?,
    );
    let ended = unfinished.ended().map(|working| keeper.ended(state, working));
    settings.unfinished = unfinished;
    Ok(ended)
}

/// The legacy of former agents: their exchanges, and what they were not to do any more.
fn continued(
    config: &Config,
    state: &StateDir,
    keeper: &HistoryWriter,
    claim: &Claim,
    cut: Cut,
    settings: &mut PipelineSettings,
) -> Result<(Watchdog, Option<String>), RuntimeError> {
    settings.ownership = Arc::new(Ownership::successor(cut));
    let watchdog = watchdog(config, state, settings)?;
    let ended = unfinished(state, keeper, claim, settings)?;
    Ok((watchdog, ended))
}

/// Targets that a rule had paused before a restart stay paused.
fn watchdog(
    config: &Config,
    state: &StateDir,
    settings: &mut PipelineSettings,
) -> Result<Watchdog, RuntimeError> {
    let watchdog = Watchdog::load(config, state).map_err(|error| state_failure(&error))?;
    for lane in &mut settings.lanes {
        lane.paused = watchdog.paused(&lane.name).is_some();
    }
    Ok(watchdog)
}

/// Refuses what can be refused before anything else is looked at.
fn checked() -> Result<Option<Loss>, RuntimeError> {
    preflight::privileges()?;
    Loss::from_env().map_err(|error| RuntimeError::new(Cause::Usage, error.to_string()))
}

/// Attaches to interfaces here, and in other network namespaces.
fn everywhere(
    config: &Config,
    mut attacher: Attacher,
    source: &mut LiveSource,
) -> Result<(Links, Option<Inside>), RuntimeError> {
    let inside = inside::attach(config, &mut attacher, source)?;
    Ok((attach(config, attacher)?, inside))
}

/// Follows interfaces and namespaces from now on.
fn follow(
    config: &Config,
    targets: &Targets,
    links: &mut Links,
    inside: Option<&mut Inside>,
) -> Result<(), RuntimeError> {
    links.watch().map_err(|error| links_failure(&error))?;
    inside.map_or(Ok(()), |inside| inside.watch(config, targets))
}

/// Loads the kernel program, and starts the process that holds what must not depend on this one. It has privileges that
/// are given up later.
fn guarded(config: &Config, claim: &Claim) -> Result<(Program, Option<Arc<Socket>>), RuntimeError> {
    let mut program = load(config, Role::Mirror)?;
    let map = program
        .control
        .descriptor()
        .map_err(|error| unavailable(&error))?;
    let group = preflight::guard_group(config)?;
    if !claim.is_held() {
        program.attacher.succeeds();
    }
    let place = guard::socket_of(&config.agent.socket);
    let place = if claim.is_held() { place } else { aside(&place) };
    match guard::start(map, &place, group) {
        Ok((guard, socket)) => {
            program.attacher.guarded(guard);
            Ok((program, Some(socket)))
        }
        Err(error) => {
            tracing::warn!(
                %error,
                "no guard process: a hung agent is killed only by root, and a second agent may go unnoticed"
            );
            Ok((program, None))
        }
    }
}

/// Starts the threads of the pipeline, stopped when the kill switch is on.
fn mirror(
    source: Box<dyn Source>,
    mute: Mute,
    control: Control,
    settings: PipelineSettings,
    killed: bool,
) -> Result<Pipeline, RuntimeError> {
    let pipeline = Pipeline::start(source, hooks(mute, control), settings)
        .map_err(|error| RuntimeError::new(Cause::Unavailable, with_source(&error)))?;
    if killed {
        tracing::warn!("the kill switch was on before this start; `shadow resume` mirrors again");
        pipeline.kill();
    }
    Ok(pipeline)
}

/// Every target with its address; without one when observing.
pub(super) fn wanted(config: &Config) -> Result<Vec<(ResolvedTarget, Option<Target>)>, RuntimeError> {
    let wanted = config
        .wanted()
        .map_err(|error| RuntimeError::new(Cause::Config, error.to_string()))?;
    wanted
        .into_iter()
        .map(|wanted| {
            let target = match &wanted.shadow.url {
                Some(url) => Some(preflight::shadow(
                    url,
                    &wanted.shadow.tls,
                    &config.capture.targets,
                    config.is_of_tenant(),
                )?),
                None => None,
            };
            Ok((wanted, target))
        })
        .collect()
}

fn facts(config: &Config, wanted: &[(ResolvedTarget, Option<Target>)]) -> Result<Facts, RuntimeError> {
    let targets = || wanted.iter().map(|(_, target)| target.as_ref());
    Ok(Facts {
        shadows: targets().map(|target| target.map(ToString::to_string)).collect(),
        authorities: targets()
            .map(|target| target.map(|target| target.authority().to_owned()))
            .collect(),
        salt: targets::random()?,
        targets: config.capture.targets.iter().map(ToString::to_string).collect(),
        ring_bytes: config.capture.ring_size.as_u64(),
        started_ms: now_ms(),
        started: Instant::now(),
    })
}

pub(super) fn load(config: &Config, role: Role) -> Result<Program, RuntimeError> {
    let options = LoadOptions {
        // The checks keep it under 1 GiB.
        ring_bytes: u32::try_from(config.capture.ring_size.as_u64()).unwrap_or(u32::MAX),
        role,
        mark: config.capture.mark.0.value,
        mark_mask: config.capture.mark.0.mask,
        requests: config.capture.requests,
        heartbeat: config.capture.heartbeat.0,
        ..LoadOptions::default()
    };
    Program::load(&options).map_err(|error| {
        let exit = match error {
            LoadError::NotPermitted { .. } => Cause::NoPermission,
            LoadError::RingSize { .. } => Cause::Config,
            LoadError::Object(_) => Cause::Internal,
            LoadError::TooOld { .. }
            | LoadError::Map { .. }
            | LoadError::Verifier { .. }
            | LoadError::Control(_) => Cause::Unavailable,
        };
        RuntimeError::new(exit, error.to_string())
    })
}

fn hooks(mute: Mute, control: Control) -> Hooks {
    Hooks {
        // An unreadable switch counts as off.
        armed: Some(Armed::new(move || control.is_armed().unwrap_or(false))),
        // The source renews it with every poll.
        heartbeat: Box::new(|| ()),
        mute: Box::new(move |flow, _why| {
            if let Err(error) = mute.mute(&flow) {
                tracing::debug!(%error, "a connection cannot be muted");
            }
        }),
        now: Some(Arc::new(heartbeat::now)),
    }
}

/// Everything after the capture, without a journal.
pub(crate) fn offline(config: &Config) -> Result<PipelineSettings, RuntimeError> {
    let (settings, tokens) = targets::settings(
        config,
        &HistoryWriter::open(config)?,
        wanted(config)?,
        targets::random()?,
    )?;
    tokens.iter().for_each(Held::start);
    Ok(settings)
}

pub(super) fn attach(config: &Config, attacher: Attacher) -> Result<Links, RuntimeError> {
    let patterns: Result<Vec<Pattern>, LinksError> = config
        .capture
        .interfaces
        .iter()
        .map(|name| Pattern::new(name))
        .collect();
    patterns
        .and_then(|patterns| Links::attach(attacher, patterns))
        .map_err(|error| links_failure(&error))
}

fn links_failure(error: &LinksError) -> RuntimeError {
    let exit = match error {
        LinksError::Pattern { .. } => Cause::Config,
        LinksError::Missing { .. } | LinksError::Attach(_) | LinksError::Watch(_) => Cause::Unavailable,
    };
    RuntimeError::new(exit, error.to_string())
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
