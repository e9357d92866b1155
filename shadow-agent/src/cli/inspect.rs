//! `shadow inspect`: shows the exchanges in a capture file.

use std::{
    env,
    io::{self, BufWriter, ErrorKind, IsTerminal as _, Stdout, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use globset::{GlobBuilder, GlobMatcher};

use super::{
    exit::{Exit, Failure},
    output::unwritable,
};
use crate::{
    capture::pcap::{OpenError, PcapFile},
    inspect::{Ends, Filter, Following, Format, Pace, Shown, StatusRange, Summary, inspect, why},
    shown::Screen,
};

/// Arguments of `shadow inspect`.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person types")]
pub struct InspectArgs {
    /// A pcap or pcapng file, gzip-compressed or not; `-` reads standard input.
    file: PathBuf,

    /// One JSON object per exchange and line, and a last one with every counter. Bytes of start lines and header
    /// fields are written as ISO-8859-1.
    #[arg(long)]
    json: bool,

    /// An HTTP Archive (HAR 1.2), without bodies.
    #[arg(long, conflicts_with = "json")]
    har: bool,

    /// Only the summary: how many exchanges, and what is missing.
    #[arg(long, conflicts_with_all = ["json", "har"])]
    summary: bool,

    /// Go on at the end of the file as it grows, and with the next file of a rotated set, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,

    /// Tell step by step what became of one connection: its segments, holes, and what the reader made of them. One end
    /// (10.0.0.1:40000) or both (10.0.0.1:40000-10.0.0.2:80).
    #[arg(long, value_name = "FLOW", conflicts_with_all = ["json", "har", "summary", "flow"])]
    why: Option<Ends>,

    /// Show only one connection, by one end or both.
    #[arg(long, value_name = "FLOW")]
    flow: Option<Ends>,

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

/// Reads the file. Damage is reported on standard error; the command fails only when nothing could be read.
pub fn run(args: InspectArgs) -> anyhow::Result<ExitCode> {
    let InspectArgs {
        file: path,
        json,
        har,
        summary,
        follow,
        why: told,
        flow,
        method: methods,
        status: statuses,
        path: glob,
    } = args;
    let filter = Filter {
        methods,
        statuses,
        path: glob.as_deref().map(matcher).transpose()?,
        flow,
    };
    let out = io::stdout();
    let format = match (json, har, summary) {
        (true, ..) => Format::Json,
        (_, true, _) => Format::Har,
        (.., true) => Format::Summary,
        _ => Format::Table {
            colour: out.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        },
    };
    let live = follow || path == Path::new("-");
    let inspected = if live {
        let mut out = Shown::new(BufWriter::with_capacity(64 << 10, out));
        let mut file = open_live(&path, follow, &out)?;
        show(&mut file, told.as_ref(), (format, &filter, Pace::Live), &mut out)
    } else {
        let mut file = open(&path)?;
        let mut out = BufWriter::with_capacity(64 << 10, out.lock());
        show(
            &mut file,
            told.as_ref(),
            (format, &filter, Pace::fast()),
            &mut out,
        )
    };
    let summary = match inspected {
        Ok(summary) => summary,
        // The reader (such as `| head`) has closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Done.into()),
        Err(error) => return Err(unwritable(&error).into()),
    };
    let Some(damage) = &summary.damage else {
        return Ok(Exit::Done.into());
    };
    let (path, packets) = (path.display(), summary.frames.packets);
    if packets == 0 {
        return Err(Failure::new(Exit::Data, format!("{path}: {damage}; no packet could be read")).into());
    }
    crate::shown::complain(&format!(
        "{path}: {damage}; the {packets} packets before it were used"
    ));
    Ok(Exit::Done.into())
}

/// Writes the contents of the file, or the trace of one connection.
fn show(
    file: &mut PcapFile,
    told: Option<&Ends>,
    (format, filter, pace): (Format, &Filter, Pace),
    out: &mut impl Write,
) -> io::Result<Summary> {
    let colours = matches!(format, Format::Table { colour: true });
    let mut out = Screen::new(out, colours);
    match told {
        Some(ends) => why(file, ends, &mut out),
        None => inspect(file, format, filter, pace, &mut out),
    }
}

fn open(path: &Path) -> Result<PcapFile, Failure> {
    is_file(path)?;
    PcapFile::open(path).map_err(|error| refusal(path, &error))
}

/// Opens a file that may still grow. What was found is shown before each wait for more.
fn open_live(path: &Path, follow: bool, shown: &Shown<BufWriter<Stdout>>) -> Result<PcapFile, Failure> {
    is_file(path)?;
    let opened = if follow && path != Path::new("-") {
        let reader =
            Following::open(path, super::signals()?).map_err(|error| refusal(path, &error.into()))?;
        PcapFile::from_reader(Box::new(shown.before(reader)))
    } else {
        PcapFile::from_reader(Box::new(shown.before(io::stdin())))
    };
    opened.map_err(|error| refusal(path, &error))
}

/// Rejects a folder early: opening one succeeds, and only reading it fails.
fn is_file(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        let what = format!("{}: it is a directory; name a file in it", path.display());
        return Err(Failure::new(Exit::NoInput, what));
    }
    Ok(())
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
