//! The arguments of `shadow replay`.

use std::path::PathBuf;

use clap::Args;
use shadow_core::{compare::LengthTolerance, descriptors::Descriptors};

use shadow_proto::units::Span;

use crate::{
    config::{LogLevel, LogStyle, place::ShadowUrl, writes::WriteMode},
    offline::{LogFormat, LogSettings, Selection, Speed, Target},
};

const EXAMPLES: &str = "\
Examples:
  shadow replay traffic.pcapng --shadow http://127.0.0.1:9090
  shadow replay day-*.pcapng.zst --shadow http://10.0.0.9:8080 --speed 10x --config shadow.yaml
  shadow replay both-sides.pcapng --shadow http://127.0.0.1:9090 --port 8080 --interface eth0
  shadow replay access.log access.log.1 access.log.2.gz --shadow http://127.0.0.1:9090 --host shop.example
  shadow replay requests.gor --shadow http://127.0.0.1:9090 --rate 500
  shadow replay archive.har --shadow http://127.0.0.1:9090 --speed max --loop 3
  tcpdump -w - port 80 | shadow replay - --shadow http://127.0.0.1:9090
  shadow replay bundle.json --shadow http://127.0.0.1:9090

Files are pcap, pcapng, HAR 1.2, GoReplay's format, access logs, or a bundle of `shadow diffs export --bundle`, plain or
compressed with gzip or zstd. Exit codes are those of `shadow report`: 0 GO, 1 NO-GO, 2 insufficient evidence; for bundles alone 0 when every
answer matches, 1 when one does not, 2 when nothing could be sent or the shadow system was not reached.";

/// Arguments of `shadow replay`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// Recorded traffic; several files are merged by time; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The shadow system, such as http://127.0.0.1:9090
    #[arg(long, short, value_name = "URL")]
    pub(super) shadow: Option<ShadowUrl>,
    /// Certificates of the authorities that an https shadow system may be signed by [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Configuration file: rules, selection, writes, gates and limits as live
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// As fast as it was recorded (1x), slower (0.5x), faster (10x), or as fast as the shadow system answers (max)
    #[arg(long, value_name = "FACTOR", default_value = "1x")]
    pub(super) speed: Speed,
    /// Replays a second, in place of the recorded gaps
    #[arg(long, value_name = "N", value_parser = rate, conflicts_with = "speed")]
    pub(super) rate: Option<f64>,
    /// Go through the files so many times
    #[arg(long = "loop", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) loops: u64,
    /// Keep the position in this file, and begin after what is done
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,
    /// Requests whose method is not safe [default: skip]
    #[arg(long, value_enum)]
    pub(super) writes: Option<WriteMode>,
    /// Names and types of messages of gRPC: a set of descriptors, as protoc --include_imports --descriptor_set_out
    /// writes it
    #[arg(long, value_name = "FILE")]
    pub(super) proto_descriptors: Option<Descriptors>,
    /// Longest wait for a whole shadow response [default: 5s]
    #[arg(long, value_name = "TIME")]
    pub(super) timeout: Option<Span>,
    /// Requests in flight to the shadow system [default: 64]
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<usize>,
    /// Send whole requests whose answer was not recorded, or not whole, too; theirs is not compared
    #[arg(long)]
    pub(super) send_unanswered: bool,
    /// Replay to the address that answered in the recording, too
    #[arg(long)]
    pub(super) same_server: bool,
    /// Of captures, only what this port of a server answered; may be given several times
    #[arg(long, value_name = "PORT")]
    pub(super) port: Vec<u16>,
    /// Of captures, only what this server answered, such as 10.0.0.1 or 10.0.0.1:8080; may be given several times
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(super) target: Vec<Target>,
    /// Of captures, only what was captured at this interface: its name in pcapng or PKTAP, its index in `tcpdump -i
    /// any`
    #[arg(long, value_name = "NAME")]
    pub(super) interface: Option<String>,
    /// The format of access logs: combined, json, caddy, envoy, traefik, alb, haproxy or regex:EXPRESSION [default:
    /// detected]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<LogFormat>,
    /// The host of requests whose line in an access log names none [default: that of the shadow system]
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// How much a length in an access log may differ: bytes, or a share such as 5%
    #[arg(long, value_name = "LENGTH", default_value = "0")]
    pub(super) tolerance: LengthTolerance,
    /// The report as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Also as one self-contained page; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Also as JUnit's XML, for a CI system: a test for each gate and route; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Least severe log line [default: info]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(super) log_level: Option<LogLevel>,
    /// Log lines for people, or one JSON object a line [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) log_format: Option<LogStyle>,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    number
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && (0.001..=1e7).contains(rate))
        .ok_or_else(|| format!("{text:?} is no rate; write for example 500, or 0.5 for one in two seconds"))
}

impl ReplayArgs {
    /// The hop of a capture that is replayed.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            ports: self.port.clone(),
            targets: self.target.clone(),
            interface: self.interface.clone(),
        }
    }

    /// How access logs are read.
    pub(super) fn logs(&self) -> LogSettings {
        LogSettings {
            format: self.format.clone(),
            host: self.host.clone(),
        }
    }
}
