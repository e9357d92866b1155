//! `shadow explain`: why the traffic of an address is not seen, not whole or not replayed.

use std::{
    io::{self, BufWriter, ErrorKind, StdoutLock, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use clap::Args;
use shadow_proto::{
    engine::{Engine, Event},
    units::{Rate, Span},
};

use super::{Exit, Failure, config, output::unwritable, run::RunArgs};
use crate::{
    attach::enter_pod,
    capture::{
        Polled, Source as _, SourceError,
        attach::agent_on,
        control::ControlError,
        heartbeat,
        links::Pattern,
        netlink::{self, Interface},
    },
    clock::wall,
    config::{
        Capture, Config,
        place::{ShadowUrl, Target},
        writes::WriteMode,
    },
    explain::{BUSY, Beside, Flow, Line, Start, Story, busy, rates},
    runtime::Explaining,
    shown::Screen,
};

const EXAMPLES: &str = "\
Examples:
  sudo shadow explain --flow 10.0.0.7 --config shadow.yaml
  sudo shadow explain --flow 10.0.0.7:40112 --interface eth0 --port 8080 --for 30s
  sudo shadow explain --flow 10.0.0.7 --config shadow.yaml --json | jq 'select(.kind == \"exchange\")'
  sudo shadow explain --pod shop/web-0 --port 8080

The address is that of a client or of a server, as packets on the interface carry it. Each packet of it is shown with its
fate, then each exchange with the decision of every target. It runs beside the agent, which goes on undisturbed, with the
agent's present sample. Nothing is sent to a shadow system and nothing is stored; payload is never shown, and secrets in
targets are redacted. What depends on the state of the agent (queue, breaker, rates, rollout) is in `shadow status`.
--pod looks inside the network namespace of a pod of this node.";

/// The longest wait for packets.
const TICK: Duration = Duration::from_millis(50);

/// How long the rest of the ring may take at the end.
const DRAIN: Duration = Duration::from_millis(500);

/// Arguments of `shadow explain`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The address whose connections are explained, with or without a port [default: that of the pod]
    #[arg(long, value_name = "ADDR[:PORT]", required_unless_present = "pod")]
    flow: Option<Flow>,
    /// The pod on this node in whose network namespace to look
    #[arg(long, value_name = "NAMESPACE/NAME|UID")]
    pod: Option<String>,
    /// The agent's configuration file
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Interface, by name or glob; repeatable
    #[arg(long, short, value_name = "NAME")]
    interface: Vec<String>,
    /// Production port, on any address; repeatable
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,
    /// Production endpoint; repeatable
    #[arg(long, short, value_name = "ADDR:PORT")]
    target: Vec<Target>,
    /// Share of connections that is copied [default: that of the agent on the interface, or of the configuration]
    #[arg(long, value_name = "RATE")]
    sample: Option<Rate>,
    /// The shadow system whose rules decide; nothing is sent to it
    #[arg(long, short, value_name = "URL")]
    shadow: Option<ShadowUrl>,
    /// Requests whose method is not safe [default: skip]
    #[arg(long, value_enum)]
    writes: Option<WriteMode>,
    /// End by itself after this long
    #[arg(long = "for", value_name = "TIME")]
    time: Option<Span>,
    /// Also on an interface that is busy
    #[arg(long)]
    force: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Explains until a signal, or until `--for` is over.
pub fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let (json, force, sample, time) = (args.json, args.force, args.sample, args.time);
    let flow = inside(&args)?;
    let config = configured(args)?;
    if !force {
        refuse_busy(&config)?;
    }
    let agent = beside(&config)?;
    let of_agent = agent.as_ref().map(|agent| agent.sample);
    let sample = sample.map(Rate::fraction).or(of_agent);
    let sample = sample.unwrap_or_else(|| config.capture.sample.fraction());
    let mut explaining = Explaining::start(&config, &flow.asked(), sample)?;
    let stop = super::signals()?;
    let interfaces = explaining.attach(&config)?;
    let start = Start {
        flow: flow.to_string(),
        interfaces: interfaces.iter().map(|at| at.name.clone()).collect(),
        targets: config.capture.targets.iter().map(ToString::to_string).collect(),
        sample,
        agent,
    };
    let story = Story::new(
        (heartbeat::now(), wall()),
        interfaces.into_iter().map(|at| (at.index, at.name)).collect(),
        config.capture.targets.clone(),
        explaining.redactor.clone(),
        std::mem::take(&mut explaining.judges),
    );
    let mut output = Output {
        out: Screen::new(BufWriter::with_capacity(64 << 10, io::stdout().lock()), false),
        json,
    };
    let until = time.map(|span| Instant::now() + span.0);
    let written = output
        .lines([Line::Start(start)])
        .and_then(|()| follow(&mut explaining, story, &mut output, until, &stop));
    explaining.end();
    match written {
        Ok(None) => Ok(Exit::Done.into()),
        Ok(Some(why)) => {
            Err(Failure::new(Exit::Unavailable, format!("the capture ended by itself: {why}")).into())
        }
        // The reader (such as `| head`) has closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Done.into()),
        Err(error) => Err(unwritable(&error).into()),
    }
}

/// Shows everything until the end; returns why the capture ended by itself.
fn follow(
    explaining: &mut Explaining,
    mut story: Story,
    output: &mut Output<'_>,
    until: Option<Instant>,
    stop: &Receiver<()>,
) -> io::Result<Option<SourceError>> {
    let failed = loop {
        match round(explaining, &mut story, output, TICK)? {
            Ok(_) => {}
            Err(error) => break Some(error),
        }
        if until.is_some_and(|until| Instant::now() >= until) || stop.try_recv().is_ok() {
            break None;
        }
    };
    explaining.end();
    let drained = Instant::now() + DRAIN;
    while failed.is_none() && Instant::now() < drained {
        let Ok(Polled::Segments(_)) = round(explaining, &mut story, output, Duration::ZERO)? else {
            break;
        };
    }
    explaining.engine.finish();
    let events = drain(&mut explaining.engine);
    output.lines(events.iter().map(|event| story.event(event)))?;
    let not_logged = explaining.log.left_out().unwrap_or_else(|error| {
        crate::shown::complain(&error.to_string());
        0
    });
    output.lines([story.end(not_logged)])?;
    Ok(failed)
}

/// Reads what has come, and shows packets before what they completed.
fn round(
    explaining: &mut Explaining,
    story: &mut Story,
    output: &mut Output<'_>,
    wait: Duration,
) -> io::Result<Result<Polled, SourceError>> {
    let Explaining {
        source,
        engine,
        log,
        mute,
        ..
    } = explaining;
    let mut events = Vec::new();
    let polled = source.poll(wait, &mut |segment| {
        engine.push(segment);
        events.extend(drain(engine));
    });
    let now = heartbeat::now();
    if engine.poll_timeout().is_some_and(|due| due <= now) {
        engine.handle_timeout(now);
        events.extend(drain(engine));
    }
    let mut packets = log.take();
    packets.sort_by_key(|packet| packet.at);
    output.lines(packets.iter().map(|packet| story.packet(packet)))?;
    for event in &events {
        if let Event::Abandoned(flow, why) = event
            && !why.hides_exchanges()
            && let Err(error) = mute.mute(flow)
        {
            crate::shown::complain(&error.to_string());
        }
    }
    output.lines(events.iter().map(|event| story.event(event)))?;
    Ok(polled)
}

fn drain(engine: &mut Engine) -> Vec<Event> {
    std::iter::from_fn(|| engine.poll()).collect()
}

struct Output<'o> {
    out: Screen<BufWriter<StdoutLock<'o>>>,
    json: bool,
}

impl Output<'_> {
    /// Writes lines, and shows them at once.
    fn lines(&mut self, lines: impl IntoIterator<Item = Line>) -> io::Result<()> {
        let Self { out, json } = self;
        for line in lines {
            if *json {
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            } else {
                writeln!(out, "{line}")?;
            }
        }
        out.flush()
    }
}

/// Enters the pod, if there is one; returns the flow.
fn inside(args: &ExplainArgs) -> Result<Flow, Failure> {
    if let Some(pod) = &args.pod {
        let failed = |error| Failure::new(Exit::Unavailable, format!("pod {pod}: {error}"));
        enter_pod(pod).map_err(failed)?;
    }
    match args.flow {
        Some(flow) => Ok(flow),
        None => Flow::own().map_err(|error| {
            let what = format!("the pod has no route that tells its address ({error}); name it with --flow");
            Failure::new(Exit::Unavailable, what)
        }),
    }
}

fn configured(args: ExplainArgs) -> Result<Config, Failure> {
    let ExplainArgs {
        flow: _,
        pod,
        config: file,
        mut interface,
        port,
        target,
        sample,
        shadow,
        writes,
        time: _,
        force: _,
        json: _,
    } = args;
    let mut config = match &file {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    if pod.is_some() {
        // Those of the node are not there, and neither are the namespaces.
        let inside = std::mem::take(&mut config.capture.namespace_interfaces);
        if interface.is_empty() {
            interface = inside;
        }
        config.capture = Capture {
            interfaces: Vec::new(),
            namespaces: Vec::new(),
            kubernetes: None,
            ..config.capture
        };
    }
    let observe = shadow.is_none() && config.shadow.url.is_none();
    let flags = RunArgs {
        interface,
        port,
        target,
        sample,
        shadow,
        observe,
        writes,
        ..RunArgs::default()
    };
    flags.apply(&mut config);
    config::check(&config)?;
    Ok(config)
}

fn patterns(config: &Config) -> Result<Vec<Pattern>, Failure> {
    let names = config.capture.interfaces.iter();
    let patterns: Result<_, _> = names.map(|name| Pattern::new(name)).collect();
    patterns.map_err(|error| Failure::new(Exit::Config, error.to_string()))
}

/// The program looks at each packet of the interface, whatever flow is asked for.
fn refuse_busy(config: &Config) -> Result<(), Failure> {
    let rates = rates().map_err(|error| {
        let what = format!("cannot tell how busy the interfaces are: {error}; --force continues without it");
        Failure::new(Exit::Unavailable, what)
    })?;
    match busy(&rates, &patterns(config)?) {
        None => Ok(()),
        Some((name, rate)) => Err(Failure::new(
            Exit::Unavailable,
            format!(
                "{name} passes {rate} packets a second, and this costs time for each of them; over {BUSY} it needs --force"
            ),
        )),
    }
}

/// The agent on one of the interfaces.
fn beside(config: &Config) -> Result<Option<Beside>, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(Exit::Unavailable, error.to_string());
    let patterns = patterns(config)?;
    let mut interfaces = netlink::interfaces().map_err(|error| failed(&error))?;
    let wanted = |at: &Interface| patterns.iter().any(|pattern| pattern.matches(&at.name));
    interfaces.retain(wanted);
    let Some(agent) = interfaces.iter().find_map(agent_on) else {
        return Ok(None);
    };
    let control = &agent.control;
    let beside = || -> Result<Beside, ControlError> {
        Ok(Beside {
            pid: agent.pid,
            sample: control.sample()?,
            armed: control.is_armed()?,
            alive: control.deadline()? > heartbeat::now(),
        })
    };
    beside().map(Some).map_err(|error| failed(&error))
}
