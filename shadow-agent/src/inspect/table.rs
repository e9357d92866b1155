//! Aligned columns for terminals.
//!
//! Columns grow with the lines written so far: later lines are not known when the first is printed. The target is last,
//! as it can be of any length. Captured bytes that a terminal could take for a command are escaped.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
    time::{Duration, SystemTime},
};

use bytesize::ByteSize;
use shadow_proto::{
    exchange::{Exchange, Flow, Incomplete, Orphan, Request, Response, Timing},
    time::Timestamp,
};

use super::json::socket;
use crate::figures::micros;

#[derive(Debug)]
pub(super) struct Table {
    colour: bool,
    widths: [usize; COLUMNS],
}

const COLUMNS: usize = 9;
const NAMES: [&str; COLUMNS] = [
    "TIME",
    "CLIENT -> SERVER",
    "METHOD",
    "STATUS",
    "REQUEST",
    "RESPONSE",
    "FIRST",
    "LAST",
    "RESULT",
];
/// Sizes and times are right-aligned, which makes them easier to compare.
const RIGHT: [bool; COLUMNS] = [false, false, false, false, true, true, true, true, false];
const STATUS: usize = 3;
const RESULT: usize = 8;

impl Table {
    pub(super) fn new(colour: bool) -> Self {
        let mut widths = NAMES.map(str::len);
        // Wide enough for most files, so that columns seldom change.
        for (width, least) in widths.iter_mut().zip([24, 37, 6, 6, 9, 9, 9, 9, 8]) {
            *width = least.max(*width);
        }
        Self { colour, widths }
    }

    pub(super) fn head(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.row(&NAMES.map(Cow::Borrowed), "TARGET", [None; 2], out)
    }

    pub(super) fn exchange(&mut self, exchange: &Exchange, out: &mut impl Write) -> io::Result<()> {
        let Exchange {
            flow,
            index: _,
            place: _,
            request,
            response,
            timing,
            incomplete,
        } = exchange;
        self.line(flow, Some(request), response.as_ref(), timing, *incomplete, out)
    }

    pub(super) fn orphan(&mut self, orphan: &Orphan, out: &mut impl Write) -> io::Result<()> {
        let Orphan {
            flow,
            response,
            timing,
            incomplete,
        } = orphan;
        self.line(flow, None, Some(response), timing, Some(*incomplete), out)
    }

    fn line(
        &mut self,
        flow: &Flow,
        request: Option<&Request>,
        response: Option<&Response>,
        timing: &Timing,
        incomplete: Option<Incomplete>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let status = response.map(|response| response.status);
        let cells = [
            clock(timing.request_first.or(timing.response_first)),
            format!("{} -> {}", socket(flow.client), socket(flow.server)).into(),
            request.map_or(NONE, |request| printable(&request.method)),
            status.map_or(NONE, |status| status.to_string().into()),
            request.map_or(NONE, |request| size(request.body.len)),
            response.map_or(NONE, |response| size(response.body.len)),
            span(timing.request_last, timing.response_first),
            span(timing.request_last, timing.response_last),
            Cow::Borrowed(incomplete.map_or("complete", Incomplete::as_str)),
        ];
        let target = request.map_or(NONE, |request| printable(&request.target));
        let colours = [status.and_then(status_colour), incomplete.map(|_| DIM)];
        self.row(&cells, &target, colours, out)
    }

    /// Writes a row. The colours show the status and the result.
    fn row(
        &mut self,
        cells: &[Cow<'_, str>; COLUMNS],
        target: &str,
        [status, result]: [Option<&str>; 2],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let columns = cells.iter().zip(&mut self.widths).zip(RIGHT);
        for (place, ((cell, width), right)) in columns.enumerate() {
            *width = cell.chars().count().max(*width);
            let colour = match place {
                STATUS => status,
                RESULT => result,
                _ => None,
            };
            let (start, end) = match colour {
                Some(colour) if self.colour => (colour, "\x1b[0m"),
                _ => ("", ""),
            };
            if right {
                write!(out, "{start}{cell:>width$}{end}  ")?;
            } else {
                write!(out, "{start}{cell:<width$}{end}  ")?;
            }
        }
        writeln!(out, "{target}")
    }
}

const NONE: Cow<'static, str> = Cow::Borrowed("-");
const DIM: &str = "\x1b[2;31m";

const fn status_colour(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => Some("\x1b[32m"),
        300..=399 => Some("\x1b[36m"),
        400..=499 => Some("\x1b[33m"),
        500..=599 => Some("\x1b[31m"),
        _ => None,
    }
}

/// The time of day in UTC.
pub(super) fn clock(at: Option<Timestamp>) -> Cow<'static, str> {
    at.map_or(NONE, |at| {
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(at.as_nanos());
        humantime::format_rfc3339_millis(at).to_string().into()
    })
}

fn size(bytes: u64) -> Cow<'static, str> {
    ByteSize(bytes).to_string().into()
}

/// Time from the end of the request. Negative if the answer begins earlier.
fn span(from: Option<Timestamp>, to: Option<Timestamp>) -> Cow<'static, str> {
    let (Some(from), Some(to)) = (from, to) else {
        return NONE;
    };
    let (sign, span) = if to < from {
        ("-", from.since(to))
    } else {
        ("", to.since(from))
    };
    let shown = micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX));
    format!("{sign}{shown}").into()
}

/// Printable ASCII unchanged; every other byte, including control characters, as `\xnn`.
fn printable(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) => text.into(),
        _ => {
            let mut text = String::with_capacity(bytes.len() * 2);
            for byte in bytes {
                match byte {
                    b' '..=b'~' => text.push(char::from(*byte)),
                    // Writing to a String cannot fail.
                    _ => drop(write!(text, "\\x{byte:02x}")),
                }
            }
            text.into()
        }
    }
}
