//! Detects the format of a file by its first bytes.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use serde::Deserialize;
use shadow_proto::{engine::Settings, exchange::Exchange};

use super::{
    FeedState, Reader,
    capture::Captures,
    gor::{self, Gor},
    har::Har,
    log::{AccessLog, LogFormat},
};
use crate::{
    capture::{
        SourceError,
        pcap::{OpenError, Packing, PcapFile},
    },
    export::bundle::Bundle,
    record::MASKED,
};

/// A JSON document that does not begin like a HAR file is held as a whole until its format is known.
const MAX_JSON: u64 = 256 << 20;
/// How often waiting for standard input checks whether the run is to end.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// Enough for the first lines of any format.
const START: usize = 4096;
const MIXED: &str = "an access log is compared by status, length and time alone, and cannot be replayed together with \
                     other files; replay it in a run of its own";

/// Reasons why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// An error of the operating system.
    #[error("{path}: cannot read: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// An unknown format, or a damaged file.
    #[error("{path}: {what}", path = path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
}

/// The opened files and their properties, known before the replay.
#[derive(Debug, Default)]
pub struct Opened {
    /// One reader for all captures, and one for each other file.
    pub(crate) readers: Vec<Box<dyn Reader>>,
    /// Whether every file is a bundle.
    pub bundles_only: bool,
    /// Whether every file is an access log.
    pub logs_only: bool,
    /// Whether the lengths in an access log may include the framing of chunks.
    pub counts_chunks: bool,
    /// The first recording of which nothing but lengths is left.
    pub masked: Option<String>,
    /// The rules of the first bundle that has any.
    pub rules: Option<serde_json::Value>,
}

impl Opened {
    /// Passes all exchanges to `sink`, one file after the other, until it returns that it has enough.
    pub fn read_all(self, sink: &mut dyn FnMut(Box<Exchange>) -> bool) -> Result<(), SourceError> {
        for mut reader in self.readers {
            let mut more = true;
            while more && reader.read(&mut |exchange| more &= sink(exchange))?.is_some() {}
        }
        Ok(())
    }
}

enum Kind {
    /// And whether its content is masked.
    Capture(PcapFile, bool),
    Gor(Box<dyn Read + Send>),
    Log(AccessLog),
    Other(Box<dyn Reader>),
    Bundle(PcapFile, serde_json::Value),
}

/// The size of a file in bytes; none for standard input.
pub fn size(path: &Path) -> Option<u64> {
    if path == Path::new("-") {
        return None;
    }
    fs::metadata(path).ok().map(|about| about.len())
}

/// Opens every file.
pub fn open(files: &[PathBuf], settings: &Settings, state: &Arc<FeedState>) -> Result<Opened, OpenFailure> {
    let mut found = Vec::with_capacity(files.len());
    for path in files {
        let raw: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(Stdin::new(state).map_err(|source| OpenFailure::Io {
                path: path.clone(),
                source,
            })?)
        } else {
            let path = path.clone();
            Box::new(File::open(&path).map_err(|source| OpenFailure::Io { path, source })?)
        };
        found.push((path.as_path(), kind(path, raw, settings, state)?));
    }
    gathered(found, settings, state)
}

/// As [`open`], for one file with any source of bytes; `name` is used only in errors.
pub fn open_reader(
    name: &Path,
    reader: Box<dyn Read + Send>,
    settings: &Settings,
    state: &Arc<FeedState>,
) -> Result<Opened, OpenFailure> {
    gathered(
        vec![(name, kind(name, reader, settings, state)?)],
        settings,
        state,
    )
}

fn gathered(
    found: Vec<(&Path, Kind)>,
    settings: &Settings,
    state: &Arc<FeedState>,
) -> Result<Opened, OpenFailure> {
    let mut opened = Opened {
        bundles_only: true,
        logs_only: true,
        ..Opened::default()
    };
    let (mut captures, mut gor, mut is_log) = (Vec::new(), Vec::new(), None);
    for (path, kind) in found {
        let name = path.display().to_string();
        opened.logs_only &= matches!(kind, Kind::Log(_));
        match kind {
            Kind::Capture(file, is_masked) => {
                opened.bundles_only = false;
                opened.masked = opened.masked.or_else(|| is_masked.then(|| name.clone()));
                captures.push((name, file));
            }
            Kind::Gor(reader) => {
                opened.bundles_only = false;
                gor.push((name, reader));
            }
            Kind::Log(log) => {
                opened.bundles_only = false;
                opened.counts_chunks |= log.counts_chunks();
                is_log = Some(path);
                opened.readers.push(Box::new(log));
            }
            Kind::Other(reader) => {
                opened.bundles_only = false;
                opened.readers.push(reader);
            }
            Kind::Bundle(file, rules) => {
                if !rules.is_null() && opened.rules.is_none() {
                    opened.rules = Some(rules);
                }
                captures.push((name, file));
            }
        }
    }
    if let Some(path) = is_log
        && !opened.logs_only
    {
        return Err(OpenFailure::Data {
            path: path.to_owned(),
            what: MIXED.to_owned(),
        });
    }
    if !gor.is_empty() {
        opened
            .readers
            .push(Box::new(Gor::new(gor, settings.clone(), state)));
    }
    if !captures.is_empty() {
        let readers = Captures::new(captures, settings.clone(), Arc::clone(state)).map_err(|error| {
            OpenFailure::Data {
                path: PathBuf::from("captures"),
                what: error.to_string(),
            }
        })?;
        opened.readers.push(Box::new(readers));
    }
    Ok(opened)
}

fn kind(
    path: &Path,
    raw: Box<dyn Read + Send>,
    settings: &Settings,
    state: &Arc<FeedState>,
) -> Result<Kind, OpenFailure> {
    let io = |source| OpenFailure::Io {
        path: path.to_owned(),
        source,
    };
    let data = |what: String| OpenFailure::Data {
        path: path.to_owned(),
        what,
    };
    let counted = Counted {
        reader: raw,
        state: Arc::clone(state),
    };
    let (mut start, mut reader) = beginning(Box::new(counted)).map_err(io)?;
    if let Some(packing) = start.first_chunk().and_then(|magic| Packing::of(*magic)) {
        (start, reader) = beginning(packing.unpack(reader)).map_err(io)?;
    }
    if start.is_empty() {
        return Err(data(OpenError::Empty.to_string()));
    }
    let log = |format: LogFormat, reader| {
        let name = path.display().to_string();
        Ok(Kind::Log(AccessLog::new(name, format, reader, state)))
    };
    if let Some(format) = &state.logs.format {
        return log(format.clone(), reader);
    }
    if gor::looks_like(&start) {
        return Ok(Kind::Gor(reader));
    }
    if let Some(format) = LogFormat::detect(&start) {
        return log(format, reader);
    }
    let mark = start
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(&start)
        .trim_ascii_start()
        .first();
    if mark == Some(&b'{') {
        if begins_as_har(&start) {
            let har = Har::new(path, reader, settings.limits.body, state).map_err(data)?;
            return Ok(Kind::Other(Box::new(har)));
        }
        let text = document(reader).map_err(io)?.ok_or_else(|| {
            data("a JSON document of more than 256 MiB that does not begin with `log` as HAR does".to_owned())
        })?;
        return json(path, text, settings, state).map_err(data);
    }
    match PcapFile::from_reader(reader) {
        Ok(file) => Ok(Kind::Capture(file, is_masked(&start))),
        Err(OpenError::NotACapture(hex)) => Err(data(format!(
            "neither a capture (pcap, pcapng), nor HAR, GoReplay's format, a bundle of `shadow diffs export`, or an \
             access log in a known format; --format names or describes one (it begins with {hex})"
        ))),
        Err(error) => Err(data(error.to_string())),
    }
}

/// Whether a capture begins with the comment of a recording whose content is masked.
fn is_masked(start: &[u8]) -> bool {
    let has = |text: &str| memchr::memmem::find(start, text.as_bytes()).is_some();
    has(MASKED) && has("Recorded by shadow ")
}

/// Whether the first member is the one that every archive has.
fn begins_as_har(start: &[u8]) -> bool {
    let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
    let inside = text.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    inside.trim_ascii_start().starts_with(b"\"log\"")
}

fn json(path: &Path, text: Vec<u8>, settings: &Settings, state: &Arc<FeedState>) -> Result<Kind, String> {
    #[derive(Deserialize)]
    struct Marks {
        format: Option<String>,
        log: Option<serde::de::IgnoredAny>,
    }
    let marks: Marks = serde_json::from_slice(&text).map_err(|error| format!("no JSON: {error}"))?;
    if marks.log.is_some() {
        let har = Har::new(path, Box::new(Cursor::new(text)), settings.limits.body, state)?;
        return Ok(Kind::Other(Box::new(har)));
    }
    if marks.format.is_none() {
        return Err("a JSON document that is neither HAR (no `log`) nor a bundle (no `format`)".to_owned());
    }
    let bundle = Bundle::read(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string())?;
    let capture = bundle.capture().map_err(|error| error.to_string())?;
    let file = PcapFile::from_reader(Box::new(Cursor::new(capture))).map_err(|error| error.to_string())?;
    Ok(Kind::Bundle(file, bundle.rules))
}

/// The first bytes, and a reader that yields them again.
fn beginning(mut reader: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut start = Vec::with_capacity(START);
    reader.by_ref().take(START as u64).read_to_end(&mut start)?;
    let again = Cursor::new(start.clone());
    Ok((start, Box::new(again.chain(reader))))
}

/// The whole text; `None` when it is too long.
fn document(reader: Box<dyn Read + Send>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(MAX_JSON + 1).read_to_end(&mut bytes)?;
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(.."\u{feff}".len());
    }
    Ok((bytes.len() as u64 <= MAX_JSON).then_some(bytes))
}

/// Standard input, until it ends or the run does: its writer may be silent for hours.
struct Stdin {
    input: File,
    state: Arc<FeedState>,
}

impl Stdin {
    fn new(state: &Arc<FeedState>) -> io::Result<Self> {
        Ok(Self {
            input: io::stdin().as_fd().try_clone_to_owned()?.into(),
            state: Arc::clone(state),
        })
    }
}

impl Read for Stdin {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.state.end.load(Relaxed) {
            let mut input = [PollFd::new(&self.input, PollFlags::IN)];
            match poll(&mut input, Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return self.input.read(out),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}

/// Counts the bytes that were read of the file.
struct Counted {
    reader: Box<dyn Read + Send>,
    state: Arc<FeedState>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.state.bytes.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

impl From<OpenFailure> for SourceError {
    fn from(failure: OpenFailure) -> Self {
        Self::File(failure.to_string())
    }
}
