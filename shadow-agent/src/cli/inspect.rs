//! `shadow inspect`: the exchanges in a capture file.

use std::{
    env,
    io::{self, BufWriter, ErrorKind, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use globset::{GlobBuilder, GlobMatcher};

use super::exit::{Exit, Failure};
use crate::{
    capture::pcap::{OpenError, PcapFile},
    inspect::{Filter, Format, StatusRange, inspect},
};

/// What to read and how to show it.
#[derive(clap::Args, Debug)]
pub struct InspectArgs {
    /// A pcap or pcapng file, gzip-compressed or not; `-` reads standard input.
    file: PathBuf,

    /// One JSON object per exchange and line, and a last one with every counter. Bytes of start lines and header
    /// fields are written as ISO-8859-1.
    #[arg(long)]
    json: bool,

    /// Show only requests with this method (repeat for several).
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,

    /// Show only responses with this status, like 404 or 5xx (repeat for several).
    #[arg(long, value_name = "STATUS")]
    status: Vec<StatusRange>,

    /// Show only requests whose path (the target up to `?`) matches a glob, like '/api/**'; `*` stops at `/`.
    #[arg(long, value_name = "GLOB")]
    path: Option<String>,
}

/// Reads the file. Damage is told on standard error and fails the command only when nothing could be read.
pub fn run(args: InspectArgs) -> anyhow::Result<ExitCode> {
    let InspectArgs {
        file: path,
        json,
        method: methods,
        status: statuses,
        path: glob,
    } = args;
    let filter = Filter {
        methods,
        statuses,
        path: glob.as_deref().map(matcher).transpose()?,
    };
    let mut file = PcapFile::open(&path).map_err(|error| refusal(&path, &error))?;
    let out = io::stdout();
    let format = if json {
        Format::Json
    } else {
        Format::Table {
            colour: out.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    };
    let live = path == Path::new("-");
    let mut out = BufWriter::with_capacity(64 << 10, out.lock());
    let summary = match inspect(&mut file, format, &filter, live, &mut out) {
        Ok(summary) => summary,
        // The reader (`| head`) has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Done.into()),
        Err(error) => return Err(error).context("writing to standard output"),
    };
    let Some(damage) = &summary.damage else {
        return Ok(Exit::Done.into());
    };
    let (path, packets) = (path.display(), summary.frames.packets);
    if packets == 0 {
        return Err(Failure::new(Exit::Data, format!("{path}: {damage}; no packet could be read")).into());
    }
    eprintln!("shadow: {path}: {damage}; the {packets} packets before it were used");
    Ok(Exit::Done.into())
}

fn matcher(glob: &str) -> Result<GlobMatcher, Failure> {
    let built = GlobBuilder::new(glob).literal_separator(true).build();
    built
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Failure::new(Exit::Usage, format!("--path: {error}")))
}

fn refusal(path: &Path, error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::Io(_) => Exit::NoInput,
        OpenError::Empty | OpenError::NotACapture(_) | OpenError::Damaged(_) => Exit::Data,
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}
