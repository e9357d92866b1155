//! Reports the role of bytes to the log of ranges, if it is enabled.

use memchr::memchr;
use shadow_common::flow::FlowKey;

use super::{begins::is_token, conn::Conn};
use crate::{
    exchange::Flow,
    protocol::{Chunk, Context},
    ranges::{RangeLog, Role},
    wire::Direction,
};

/// Reports the bytes of one input of one stream.
#[derive(Debug)]
pub(crate) struct Roles<'a> {
    /// The log, and the stream that the input belongs to.
    log: Option<(&'a mut RangeLog, Flow, Direction)>,
    /// Stream offset of the first byte of the input.
    base: u64,
    /// Whether the position within the message is certain.
    sure: bool,
}

impl Context<'_> {
    /// Reports roles of an input that begins at `base`.
    pub(crate) fn roles(&mut self, direction: Direction, base: u64, sure: bool) -> Roles<'_> {
        let flow = self.flow;
        Roles {
            log: self.out.ranges.as_deref_mut().map(|log| (log, flow, direction)),
            base,
            sure,
        }
    }

    /// Skips bytes whose position in a message is unknown. Returns how many.
    pub(crate) fn pass_over(&mut self, direction: Direction, chunk: &Chunk<'_>, rest: &[u8]) -> usize {
        self.roles(direction, chunk.offset_of(rest), false)
            .read(0, Role::Unknown, rest);
        rest.len()
    }

    /// Skips empty lines before a message. Returns how many bytes.
    pub(super) fn pass_blank(
        &mut self,
        direction: Direction,
        chunk: &Chunk<'_>,
        rest: &[u8],
        blank: usize,
        sure: bool,
    ) -> usize {
        let lines = rest.get(..blank).unwrap_or_default();
        self.roles(direction, chunk.offset_of(rest), sure)
            .read(0, Role::Framing, lines);
        lines.len()
    }
}

impl Conn {
    /// Reports the roles in a head after it was read, when it is known whether it is certain to be one.
    pub(super) fn report_head(&self, raw: &[u8], end: u64, ctx: &mut Context<'_>) {
        if self.switch.is_some() {
            // The preface of HTTP/2 (RFC 9113 section 3.4): always the same bytes.
            let begin = end.saturating_sub(raw.len() as u64);
            return ctx
                .roles(Direction::ToServer, begin, true)
                .read(0, Role::Framing, raw);
        }
        let sure = self.pair.is_in_step() && self.leaving.is_none();
        ctx.roles(Direction::ToServer, end, sure).head(0, raw);
    }
}

impl Roles<'_> {
    /// Discards all reports: for input that was not captured.
    pub(super) const fn off() -> Self {
        Self {
            log: None,
            base: 0,
            sure: false,
        }
    }

    /// Reports the role of the bytes at `at` in the input.
    pub(crate) fn read(&mut self, at: usize, role: Role, bytes: &[u8]) {
        let Some((log, flow, direction)) = &mut self.log else {
            return;
        };
        let role = if self.sure { role } else { Role::Unknown };
        let flow = FlowKey::new(flow.client, flow.server);
        log.read(flow, *direction, self.base + at as u64, role, bytes);
    }

    /// Reports a complete head that ends at `end` in the input. It may have begun in another input.
    pub(crate) fn head(&mut self, end: usize, raw: &[u8]) {
        let first = memchr(b'\n', raw).map_or(raw.len(), |feed| feed + 1);
        let (line, fields) = raw.split_at_checked(first).unwrap_or((raw, &[]));
        self.lines(end, raw.len(), |report| {
            let text = text_of(line);
            report(Role::StartLine, text);
            report(Role::Framing, line.get(text.len()..).unwrap_or_default());
            report_fields(fields, report);
        });
    }

    /// The same for a trailer section.
    pub(crate) fn trailers(&mut self, end: usize, raw: &[u8]) {
        self.lines(end, raw.len(), |report| report_fields(raw, report));
    }

    fn lines(&mut self, end: usize, len: usize, each: impl FnOnce(&mut dyn FnMut(Role, &[u8]))) {
        let sure = self.sure;
        let Some((log, flow, direction)) = &mut self.log else {
            return;
        };
        let flow = FlowKey::new(flow.client, flow.server);
        let mut offset = (self.base + end as u64).saturating_sub(len as u64);
        each(&mut |role, bytes| {
            let role = if sure { role } else { Role::Unknown };
            log.read(flow, *direction, offset, role, bytes);
            offset += bytes.len() as u64;
        });
    }
}

/// Reports field lines. A line that is not a plain field has no known role.
fn report_fields(fields: &[u8], report: &mut dyn FnMut(Role, &[u8])) {
    for line in fields.split_inclusive(|byte| *byte == b'\n') {
        let text = text_of(line);
        let end = line.get(text.len()..).unwrap_or_default();
        match plain_field(text) {
            Some((name, value)) => {
                let colon = text.get(name.len()..).unwrap_or_default();
                let before = colon.len() - colon.get(1..).unwrap_or_default().trim_ascii_start().len();
                let before = if value.is_empty() { colon.len() } else { before };
                report(Role::FieldName, name);
                report(Role::Framing, colon.get(..before).unwrap_or_default());
                report(Role::FieldValue, value);
                let after = before + value.len();
                report(Role::Framing, colon.get(after..).unwrap_or_default());
            }
            None => report(Role::Unknown, text),
        }
        report(Role::Framing, end);
    }
}

/// A line without its end.
pub(super) fn text_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Name and value of a field line without oddities (RFC 9112 section 5, RFC 9110 section 5.5).
pub(super) fn plain_field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', text)?;
    let (name, value) = (text.get(..colon)?, text.get(colon + 1..)?);
    let control = |byte: &u8| *byte < b' ' && *byte != b'\t' || *byte == 0x7f;
    let plain = !name.is_empty() && name.iter().all(|byte| is_token(*byte)) && !value.iter().any(control);
    plain.then(|| (name, value.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_head_is_reported_once_and_in_order() {
        let head =
            b"GET / HTTP/1.1\r\nA: b c \r\nEmpty:\r\nBlank:  \r\nodd line\r\nX : y\r\n fold\r\nL:f\n\r\n";
        let mut parts = Vec::new();
        let first = memchr(b'\n', head).unwrap() + 1;
        report_fields(&head[first..], &mut |role, bytes| {
            parts.push((role, bytes.to_vec()));
        });
        let all: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(all, head[first..]);
        let of = |role: Role| -> Vec<String> {
            let of_role = parts
                .iter()
                .filter(|(other, bytes)| *other == role && !bytes.is_empty());
            of_role
                .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
                .collect()
        };
        assert_eq!(of(Role::FieldName), ["A", "Empty", "Blank", "L"]);
        assert_eq!(of(Role::FieldValue), ["b c", "f"]);
        assert_eq!(of(Role::Unknown), ["odd line", "X : y", " fold"]);
    }
}
