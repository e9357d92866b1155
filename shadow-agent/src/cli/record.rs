//! `shadow record`: writes captured segments to pcapng files, and does nothing else.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    Exit, Failure, config, output,
    run::{Progress, RunArgs},
};
use shadow_proto::units::{Rate, Size, Span};

use crate::{
    capture::Source as _,
    config::{Config, LogLevel, LogStyle, place::Target},
    record::Redact,
    runtime::{Capturing, recording},
};

const EXAMPLES: &str = "\
Examples:
  shadow record --interface lo --port 8080 -o traffic.pcapng --duration 60s
  shadow record --interface eth0 --port 80 -o /data/traffic.pcapng --max-size 256MiB --files 20 --every 10m --zstd
  shadow record --config shadow.yaml -o traffic.pcapng --redact none

The file is NAME.part until it is whole, and has mode 0600. Unless told otherwise bodies, query values and most header
values are masked, with their lengths kept; a recording that is to be compared with later needs --redact none.";

/// How often the end condition is checked.
const TICK: Duration = Duration::from_millis(100);

/// Arguments of `shadow record`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RecordArgs {
    /// The pcapng file to write; with several, -0001 and so on go before its extension
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Configuration file; of it only capture, record, redact and agent are read
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Interface to capture on, by name or glob; repeatable
    #[arg(long, short, value_name = "NAME")]
    interface: Vec<String>,
    /// Server port, on any address; repeatable
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,
    /// Server endpoint; repeatable
    #[arg(long, short, value_name = "ADDR:PORT")]
    target: Vec<Target>,
    /// Share of connections that are recorded, such as 5% [default: 100%]
    #[arg(long, value_name = "RATE")]
    sample: Option<Rate>,
    /// End by itself after this long
    #[arg(long, value_name = "TIME")]
    duration: Option<Span>,
    /// Bytes of one file, before compression [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    max_size: Option<Size>,
    /// Files that are kept; with one, recording ends when it is full [default: 1]
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// Begin a new file after this long; needs --files
    #[arg(long, value_name = "TIME")]
    every: Option<Span>,
    /// Compress with zstd; tshark 4.0 asks for `zstd -d` first
    #[arg(long)]
    zstd: bool,
    /// Data that is masked [default: all]
    #[arg(long, value_enum)]
    redact: Option<Redact>,
    /// Least severe log line [default: info]
    #[arg(long, value_enum, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// Log lines for people, or one JSON object a line [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogStyle>,
}

/// Records until a signal, until `--duration` is over, or until the files are full.
pub fn run(args: RecordArgs) -> anyhow::Result<ExitCode> {
    let config = configured(args)?;
    let progress = Progress::new();
    progress.log(&config.agent);
    let mut capturing = Capturing::start(&config)?;
    let Some((recorder, mut tap)) = recording::start(&config.record, &config.redact, capturing.stats())?
    else {
        return Err(Failure::new(Exit::Usage, "no file to record to; give one with -o FILE.pcapng").into());
    };
    let counters = recorder.counters();
    if let Err(failure) = capturing.attach(&config) {
        // Remove the partial file, so that the next attempt is not refused because of it.
        recorder.discard();
        return Err(failure.into());
    }
    progress.release_log();
    let stop = super::signals()?;
    let end = config.agent.duration.map(|span| Instant::now() + span.0);
    let mut shown = Instant::now();
    let failed = loop {
        let polled = capturing.source().poll(TICK, &mut |segment| tap.take(segment));
        let now = Instant::now();
        tap.tick(now);
        if let Err(error) = polled {
            break Some(error.to_string());
        }
        if now >= shown {
            progress.message(recording::told(&counters));
            shown = now + Duration::from_secs(1);
        }
        if counters.now().ended || end.is_some_and(|end| now >= end) || stop.try_recv().is_ok() {
            break None;
        }
    };
    capturing.end();
    // Segments still in the ring were captured too.
    if failed.is_none() {
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            let polled = capturing
                .source()
                .poll(Duration::ZERO, &mut |segment| tap.take(segment));
            if !matches!(polled, Ok(crate::capture::Polled::Segments(_))) {
                break;
            }
        }
    }
    drop(tap);
    drop(recorder);
    progress.clear();
    output::print(&format!("{}\n", recording::told(&counters)))?;
    if let Some(why) = failed {
        return Err(Failure::new(Exit::Unavailable, format!("the capture ended by itself: {why}")).into());
    }
    match counters.failure() {
        Some(why) => {
            let what = format!("the recording ended early: {why}; what was written before is kept");
            Err(Failure::new(Exit::CannotCreate, what).into())
        }
        None => Ok(Exit::Done.into()),
    }
}

fn configured(args: RecordArgs) -> Result<Config, Failure> {
    let RecordArgs {
        output,
        config: file,
        interface,
        port,
        target,
        sample,
        duration,
        max_size,
        files,
        every,
        zstd,
        redact,
        log_level,
        log_format,
    } = args;
    if output.as_deref() == Some(Path::new("-")) {
        let what = "a recording is not written to standard output; name a file with -o, and read it while it grows with \
                    `shadow inspect --follow FILE`";
        return Err(Failure::new(Exit::Usage, what));
    }
    let mut config = match &file {
        Some(file) => config::load(file)?,
        None => Config::default(),
    };
    let flags = RunArgs {
        interface,
        port,
        target,
        sample,
        duration,
        log_level,
        log_format,
        record: output,
        observe: true,
        ..RunArgs::default()
    };
    flags.apply(&mut config);
    let record = &mut config.record;
    record.max_size = max_size.unwrap_or(record.max_size);
    record.files = files.unwrap_or(record.files);
    record.every = every.or(record.every);
    record.compress |= zstd;
    record.redact = redact.unwrap_or(record.redact);
    config::check(&config)?;
    Ok(config)
}
