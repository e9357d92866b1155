//! Access logs of servers and proxies.
//!
//! Owns: reading lines in the format that was given or detected, and making an exchange of each. A log holds the
//! request line, the status, and often a length, a duration and a redirect: these are compared
//! ([`Comparator::logged_production`](shadow_core::compare::Comparator::logged_production)), and only requests with a
//! safe method can be sent. Bounds: [`MAX_LINE`](lines) bytes a line, [`BATCH`] lines of one second, which are spread
//! over it. Drops: nothing; lines that cannot be read are counted with the number of the first ones.

mod combined;
mod exchange;
mod format;
mod json;
mod line;
mod lines;
mod pattern;
mod proxies;
#[cfg(test)]
mod tests;

use std::{io::Read, sync::Arc};

use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{FeedState, Reader, har, when};
use crate::{capture::SourceError, pipeline::CaptureCounters};
pub use format::{LogFormat, RegexFormat};
use line::Line;
use lines::Lines;

/// Lines that are read before they are passed on.
const BATCH: usize = 1_024;
const SECOND: u64 = 1_000_000_000;
const SKIPPED: &str = "lines are not replayed for this reason";

/// How logs are read.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// The format of every file; `None` to detect it.
    pub format: Option<LogFormat>,
    /// The host of requests whose line names none.
    pub host: Option<String>,
}

/// One log.
pub(super) struct AccessLog {
    name: String,
    format: LogFormat,
    lines: Lines,
    state: Arc<FeedState>,
    /// The text of a line.
    text: Vec<u8>,
    /// The time of the line before.
    latest: Timestamp,
    /// The first line of the next batch.
    ahead: Option<(u64, Option<Line>)>,
    given: u64,
    ended: bool,
}

impl std::fmt::Debug for AccessLog {
    /// Omits the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessLog({}, {} lines)", self.name, self.lines.number)
    }
}

impl AccessLog {
    pub(super) fn new(
        name: String,
        format: LogFormat,
        reader: Box<dyn Read + Send>,
        state: &Arc<FeedState>,
    ) -> Self {
        state.notes.file(&name, &format!("access log, {format}"));
        if format.counts_heads() {
            state.notes.warn(format!(
                "{name}: the lengths in this format include the head of an answer; they are not compared"
            ));
        }
        Self {
            name,
            format,
            lines: Lines::new(reader),
            state: Arc::clone(state),
            text: Vec::new(),
            latest: Timestamp::default(),
            ahead: None,
            given: 0,
            ended: false,
        }
    }

    /// Whether lengths may include the framing of chunks.
    pub(super) fn counts_chunks(&self) -> bool {
        self.format.counts_chunks()
    }

    /// The next line that is not blank: its number, and its content if it can be read.
    fn line(&mut self) -> Option<(u64, Option<Line>)> {
        loop {
            match self.lines.next(&mut self.text) {
                Ok(Some(_)) if self.text.trim_ascii().is_empty() => {}
                Ok(Some(is_whole)) => {
                    self.state.notes.records(&self.name, 1);
                    let line = if is_whole {
                        self.format.parse(self.text.trim_ascii())
                    } else {
                        None
                    };
                    return Some((self.lines.number, line));
                }
                Ok(None) => return None,
                Err(error) => {
                    // A file that is cut off because the run was ended is not damaged.
                    if !self.state.is_ending() {
                        let what = "files are damaged; what comes before the damage is used";
                        let place = || format!("{}: after line {}: {error}", self.name, self.lines.number);
                        self.state.notes.add("damaged", 1, what, place);
                    }
                    return None;
                }
            }
        }
    }

    /// Lines up to the next second, if the log has whole seconds only.
    fn batch(&mut self) -> Vec<(u64, Option<Line>)> {
        let mut batch = Vec::new();
        let mut second = None;
        while batch.len() < BATCH {
            let Some(next) = self.ahead.take().or_else(|| self.line()) else {
                self.ended = true;
                break;
            };
            let at = next.1.as_ref().and_then(|line| line.at);
            let is_coarse = at.is_some_and(|at| at.as_nanos().is_multiple_of(SECOND));
            if at.is_some() && second.is_some_and(|second| at != second) {
                self.ahead = Some(next);
                break;
            }
            if at.is_some() {
                second = Some(at);
            }
            batch.push(next);
            if at.is_some() && !is_coarse {
                break;
            }
        }
        batch
    }

    /// Notes on a line, and its exchange, if there was one. `part` of a second is added to a time in whole seconds.
    fn made(&mut self, number: u64, line: Option<Line>, part: u64) -> Option<Exchange> {
        let index = self.given;
        let place = || format!("{}: line {number}", self.name);
        let Some(line) = line else {
            let what = "lines are not understood";
            self.state.notes.add("bad_record", 1, what, place);
            self.given += 1;
            return Some(har::broken(index, self.latest));
        };
        if line.request.is_none() && line.status.is_some_and(|status| (400..500).contains(&status)) {
            let what =
                "lines are about requests that the server could not read either, such as those of port scans";
            self.state.notes.add("not_http", 1, what, place);
            return None;
        }
        if let Some(at) = line.at {
            self.latest = at;
        } else {
            let what = "lines have no time that can be read; that of the line before is taken";
            self.state.notes.add("no_time", 1, what, place);
        }
        let coarse = self.latest.as_nanos().is_multiple_of(SECOND) && self.latest != Timestamp::default();
        let at = Timestamp::from_nanos(
            self.latest
                .as_nanos()
                .saturating_add(if coarse { part } else { 0 }),
        );
        let host = self.state.logs.host.as_deref().map(str::as_bytes);
        let exchange = exchange::exchange(line, index, at, host);
        if let Some(reason) = exchange.incomplete {
            self.state.notes.add(reason.as_str(), 1, SKIPPED, place);
        }
        self.given += 1;
        Some(exchange)
    }
}

impl Reader for AccessLog {
    fn read(&mut self, sink: &mut dyn FnMut(Box<Exchange>)) -> Result<Option<Timestamp>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let batch = self.batch();
        let count = batch.len().max(1) as u64;
        for (place, (number, line)) in batch.into_iter().enumerate() {
            let part = place as u64 * SECOND / count;
            if let Some(exchange) = self.made(number, line, part) {
                sink(Box::new(exchange));
            }
        }
        Ok(Some(self.latest))
    }

    fn count(&self, into: &mut CaptureCounters) {
        into.exchanges += self.given;
    }
}
