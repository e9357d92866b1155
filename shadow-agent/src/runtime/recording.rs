//! From the section `record` to a recorder.

use std::sync::Arc;

use rustix::net::{AddressFamily, SocketType, netdevice::index_to_name, socket};
use shadow_common::stat::Stat;
use shadow_core::redact::{RedactConfig, Redactor};

use crate::{
    capture::{Source, stats::StatsReader},
    config::{Config, record::Record},
    record::{Counters, Interfaces, Losses, RecordError, Recorded, Recorder, Recording, Settings, Tap},
    runtime::{Cause, RuntimeError},
};

/// Starts a recorder if one is configured.
pub(crate) fn start(
    record: &Record,
    redact: &RedactConfig,
    stats: &StatsReader,
) -> Result<Option<(Recorder, Tap)>, RuntimeError> {
    let Some(file) = &record.file else {
        return Ok(None);
    };
    let settings = Settings {
        file: file.clone(),
        max_size: record.max_size.as_u64(),
        files: record.files,
        every: record.every.map(|span| span.0),
        zstd: record.compress,
        buffer: record.buffer.as_usize(),
        redact: record.redact,
        // It only checks names: its key is not used.
        redactor: Redactor::new([0; 32], redact),
        interfaces: Arc::new(System),
        losses: Arc::new(Kernel(stats.clone())),
    };
    Recorder::start(settings).map(Some).map_err(|error| {
        let exit = match error {
            RecordError::Exists(_)
            | RecordError::Set(_)
            | RecordError::Create { .. }
            | RecordError::Remove { .. } => Cause::CannotCreate,
            RecordError::Thread(_) => Cause::Unavailable,
        };
        RuntimeError::new(exit, format!("record: {error}"))
    })
}

/// A recorder of an agent that has not started yet: its file is removed unless the agent starts.
#[derive(Debug)]
pub(super) struct Begun(Option<Recorder>);

impl Begun {
    /// The agent has started.
    pub(super) fn keep(&mut self) -> Option<Recorder> {
        self.0.take()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(recorder) = self.0.take() {
            recorder.discard();
        }
    }
}

/// Tees the source into a recorder when one is configured.
pub(super) fn tee(
    config: &Config,
    source: Box<dyn Source>,
    stats: &StatsReader,
) -> Result<(Box<dyn Source>, Begun), RuntimeError> {
    let Some((recorder, tap)) = start(&config.record, &config.redact, stats)? else {
        return Ok((source, Begun(None)));
    };
    Ok((Box::new(Recorded::new(source, tap)), Begun(Some(recorder))))
}

/// One line about what was recorded.
pub(crate) fn summary(counters: &Counters) -> String {
    let Recording {
        segments,
        bytes: _,
        written,
        file_bytes,
        files,
        removed,
        dropped,
        unplaced,
        ended,
    } = counters.now();
    let size = bytesize::ByteSize(file_bytes);
    let several = if files == 1 { "" } else { "s" };
    let mut parts = vec![format!(
        "recorded {written} of {segments} segments, {size} in {files} file{several}"
    )];
    if removed > 0 {
        parts.push(format!("of these the oldest {removed} removed for later ones"));
    }
    if dropped > 0 {
        parts.push(format!("{dropped} dropped"));
    }
    if unplaced > 0 {
        parts.push(format!(
            "{unplaced} without some or all of their bytes because it was not known whether these are secret"
        ));
    }
    match counters.failure() {
        Some(why) => parts.push(format!("ended early: {why}")),
        None if ended => parts.push("ended because the file has its full size".to_owned()),
        None => (),
    }
    parts.join(", ")
}

/// The names that the kernel knows.
#[derive(Debug)]
struct System;

impl Interfaces for System {
    fn name(&self, index: u32) -> Option<String> {
        let any = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
        index_to_name(any, index).ok()
    }
}

#[derive(Debug)]
struct Kernel(StatsReader);

impl Losses for Kernel {
    fn lost(&self) -> u64 {
        self.0.read().map_or(0, |stats| stats.get(Stat::RingFull))
    }
}
