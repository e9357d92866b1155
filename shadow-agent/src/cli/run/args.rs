//! The flags of `shadow run`, which override the configuration file.

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use shadow_core::descriptors::Descriptors;
use shadow_proto::units::{Rate, Size, Span};

use crate::{
    capture::namespaces::Namespace,
    config::{
        Config, LogLevel, LogStyle,
        place::{ShadowUrl, Target},
        text::Words,
        writes::WriteMode,
    },
    record::Redact,
};

const EXAMPLES: &str = "\
Examples:
  shadow run --interface lo --port 8080 --shadow http://127.0.0.1:9090
  shadow run --interface 'veth*' --interface eth0 --target 10.0.0.1:8080 --shadow http://10.0.0.9:8080 --sample 5%
  shadow run --interface eth0 --port 80 --observe --duration 60s
  shadow run --config shadow.yaml --sample 1%

Flags override the file; a list given by flags replaces the file's list. `shadow config example` prints every key.
Ctrl-C ends the agent with its report; a second one ends it at once. Exit codes: shadow --help.";

/// Arguments of `shadow run`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Configuration file
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Interface to capture on, by name or glob; repeatable
    #[arg(long, short, value_name = "NAME", help_heading = "Capture")]
    pub interface: Vec<String>,
    /// Network namespace of a container to capture in: a path, a name of `ip netns`, or pid:N; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Capture")]
    pub namespace: Vec<Namespace>,
    /// Production port, on any address; repeatable
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Capture")]
    pub port: Vec<u16>,
    /// Production endpoint; repeatable
    #[arg(long, short, value_name = "ADDR:PORT", help_heading = "Capture")]
    pub target: Vec<Target>,
    /// Share of connections that are mirrored, such as 5% [default: 100%]
    #[arg(long, value_name = "RATE", help_heading = "Capture")]
    pub sample: Option<Rate>,
    /// Ring between kernel and agent, a power of two [default: 32MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Capture")]
    pub ring_size: Option<Size>,

    /// The shadow system, such as http://10.0.0.2:9090
    #[arg(long, short, value_name = "URL", help_heading = "Shadow system")]
    pub shadow: Option<ShadowUrl>,
    /// Count and describe exchanges only, send nothing
    #[arg(long, help_heading = "Shadow system")]
    pub observe: bool,
    /// Requests whose method is not safe [default: skip]
    #[arg(long, value_enum, help_heading = "Shadow system")]
    pub writes: Option<WriteMode>,
    /// Names and types of messages of gRPC: a set of descriptors, as protoc --include_imports --descriptor_set_out
    /// writes it
    #[arg(long, value_name = "FILE", help_heading = "Shadow system")]
    pub proto_descriptors: Option<Descriptors>,
    /// Longest wait for a whole shadow response [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Shadow system")]
    pub timeout: Option<Span>,
    /// Requests in flight to the shadow system [default: 64]
    #[arg(long, value_name = "N", help_heading = "Shadow system")]
    pub concurrency: Option<usize>,
    /// Exchanges that wait for a free place [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Shadow system")]
    pub queue: Option<usize>,
    /// Share of answered safe requests that are sent twice, to learn what is noise [default: 5%]
    #[arg(long, value_name = "RATE", help_heading = "Shadow system")]
    pub twice: Option<Rate>,
    /// Cores that the agent may use before it lowers its sample; 0 for no limit [default: 1]
    #[arg(long, value_name = "CORES", help_heading = "Agent")]
    pub cores: Option<f64>,
    /// Share of the node's CPU time that replays leave idle; 0% never gives way to production [default: 5%]
    #[arg(long, value_name = "RATE", help_heading = "Shadow system")]
    pub idle_cpu: Option<Rate>,

    /// Record what is captured to this pcapng file as well
    #[arg(long, value_name = "FILE", help_heading = "Agent")]
    pub record: Option<PathBuf>,
    /// Data that is masked in the recording; one that is to be replayed and compared needs none [default: all]
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Agent")]
    pub redact: Option<Redact>,
    /// Serve Prometheus metrics there, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Agent")]
    pub metrics: Option<SocketAddr>,
    /// Where the report and the kill state are kept [default: /var/lib/shadow]
    #[arg(long, value_name = "DIR", env = "SHADOW_STATE_DIR", help_heading = "Agent")]
    pub state_dir: Option<PathBuf>,
    /// Control socket [default: /run/shadow/shadow.sock]
    #[arg(long, value_name = "PATH", env = "SHADOW_SOCKET", help_heading = "Agent")]
    pub socket: Option<PathBuf>,
    /// Take over, without a gap, from the agent that runs with this state folder; it ends when its work is done
    #[arg(long, help_heading = "Agent")]
    pub take_over: bool,
    /// End by itself after this long, with the report
    #[arg(long, value_name = "TIME", help_heading = "Agent")]
    pub duration: Option<Span>,
    /// Least severe log line [default: info]
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Agent")]
    pub log_level: Option<LogLevel>,
    /// Log lines for people, or one JSON object a line [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Agent")]
    pub log_format: Option<LogStyle>,
    /// The test of this process, where `capture.kubernetes.tests` starts it; empty for none
    #[arg(long, hide = true)]
    pub test: Option<String>,
}

impl RunArgs {
    /// Applies the flags to a configuration.
    pub fn apply(self, config: &mut Config) {
        // Destructured, so that a flag without effect fails to compile.
        let Self {
            config: _,
            interface,
            namespace,
            port,
            target,
            sample,
            ring_size,
            shadow,
            observe,
            writes,
            proto_descriptors,
            timeout,
            concurrency,
            queue,
            twice,
            cores,
            idle_cpu,
            record,
            redact,
            metrics,
            state_dir,
            socket,
            take_over,
            duration,
            log_level,
            log_format,
            test: _,
        } = self;
        let ports = port.into_iter().map(|port| Target { addr: None, port });
        replace(&mut config.capture.interfaces, interface);
        replace(
            &mut config.capture.namespaces,
            namespace.into_iter().map(Words).collect(),
        );
        replace(&mut config.capture.targets, ports.chain(target).collect());
        set(&mut config.capture.sample, sample);
        set(&mut config.capture.ring_size, ring_size);
        shadow_system(config, shadow, observe);
        set(&mut config.shadow.writes.default, writes);
        config.compare.proto_descriptors = proto_descriptors.or(config.compare.proto_descriptors.take());
        set(&mut config.shadow.timeout, timeout);
        set(&mut config.shadow.concurrency, concurrency);
        set(&mut config.shadow.queue, queue);
        set(&mut config.noise.twice, twice);
        set(&mut config.budget.cores, cores);
        set(&mut config.budget.idle_cpu, idle_cpu);
        config.record.file = record.or(config.record.file.take());
        set(&mut config.record.redact, redact);
        config.agent.metrics = metrics.or(config.agent.metrics);
        set(&mut config.agent.state_dir, state_dir);
        set(&mut config.agent.socket, socket);
        config.agent.take_over |= take_over;
        config.agent.duration = duration.or(config.agent.duration);
        set(&mut config.agent.log_level, log_level);
        set(&mut config.agent.log_format, log_format);
    }
}

/// The flags that say where to, or nowhere.
fn shadow_system(config: &mut Config, shadow: Option<ShadowUrl>, observe: bool) {
    // Either flag turns off the other mode of the file. Both together are kept, and the checks refuse them.
    if shadow.is_some() && !observe {
        config.shadow.observe = false;
    }
    if observe {
        config.shadow.observe = true;
        config.shadow.url = None;
    }
    config.shadow.url = shadow.or(config.shadow.url.take());
}

/// A list given by flags replaces that of the file.
fn replace<T>(list: &mut Vec<T>, flags: Vec<T>) {
    if !flags.is_empty() {
        *list = flags;
    }
}

fn set<T>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}
