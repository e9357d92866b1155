//! Reads one response to one request that the agent sent itself.
//!
//! Owns: reading a shadow system's response with the head parser, framing and body reader used for production.
//! Bounds: [`AnswerSettings`]; interim responses by number and by bytes together with the final head. Drops: interim
//! responses. Bias: unlike an observer, a client knows where the response begins. So head faults under RFC 9112 that
//! leave one meaning are read and named ([`OddField`]), and after odd framing the connection is not reused.

use super::{
    begins,
    body::{BodyReader, Content, Progress},
    framing::{self, Framing, FramingFields, RequestKind},
    head::{self, HeadBuffer, HeadStep, RawHead, ResponseHead},
    lenient::{self, OddField, Oddities, Oddity},
    roles::Roles,
};
use crate::{
    exchange::{Body, Headers, Incomplete, Version},
    limits::Limits,
    protocol::Settings,
};

/// Most interim responses (RFC 9110 section 15.2) before the final one.
const MOST_INTERIM: usize = 16;

/// Bounds of a response.
#[derive(Clone, Debug)]
pub struct AnswerSettings(Settings);

impl AnswerSettings {
    /// Uses production's limits for head, fields and kept content.
    pub fn new(limits: Limits) -> Self {
        Self(Settings {
            limits,
            digest: true,
            fields: true,
        })
    }
}

/// Why a response is not read any further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unread {
    /// It is not HTTP, or has no certain end, or its head exceeds a bound.
    Protocol,
    /// Its content exceeds the bound.
    TooLarge,
}

/// A complete response.
#[derive(Debug)]
pub struct ReadAnswer {
    /// Status code.
    pub status: u16,
    /// Fields in order, names as sent.
    pub headers: Headers,
    /// Content.
    pub body: Body,
    /// Trailer fields.
    pub trailers: Headers,
    /// Whether the connection may carry another request.
    pub keeps_open: bool,
    /// Faults in its head that did not prevent reading.
    pub odd: Vec<OddField>,
}

/// Collects content that is already without framing, such as that of HTTP/2, within the same bounds.
#[derive(Debug)]
pub struct AnswerContent {
    content: Content,
    left: u64,
}

impl AnswerContent {
    /// Accepts at most `most` bytes.
    pub fn new(most: u64, settings: &AnswerSettings) -> Self {
        Self {
            content: Content::new(&settings.0, 0),
            left: most,
        }
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Unread> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(Unread::TooLarge)?;
        self.content.push(bytes);
        Ok(())
    }

    /// The content.
    pub fn finish(self) -> Body {
        self.content.finish()
    }
}

/// Reads one response.
#[derive(Debug)]
pub struct AnswerReader<'s> {
    settings: &'s Settings,
    /// Limit on the bytes of content that are read.
    most: u64,
    asked: RequestKind,
    buffer: HeadBuffer,
    interim: usize,
    /// Bytes of heads so far.
    head_bytes: usize,
    oddities: Oddities,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Head,
    Body(Box<(ResponseHead, BodyReader)>),
    Done(Box<ReadAnswer>),
}

impl<'s> AnswerReader<'s> {
    /// Reader for the response to a request with this method, of at most `most` bytes of content.
    pub fn new(method: &[u8], most: u64, settings: &'s AnswerSettings) -> Self {
        Self {
            settings: &settings.0,
            most,
            asked: RequestKind::by(method),
            buffer: HeadBuffer::default(),
            interim: 0,
            head_bytes: 0,
            oddities: Oddities::default(),
            stage: Stage::Head,
        }
    }

    /// Consumes bytes up to the end of the response; returns how many.
    pub fn read(&mut self, input: &[u8]) -> Result<usize, Unread> {
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            used += match &mut self.stage {
                Stage::Head => self.read_head(rest)?,
                Stage::Body(_) => self.read_body(rest)?,
                Stage::Done(_) => break,
            };
        }
        Ok(used)
    }

    /// Whether a byte of the final response has arrived.
    pub fn is_begun(&self) -> bool {
        !matches!(self.stage, Stage::Head) || !self.buffer.is_empty()
    }

    /// Whether the head of the final response is complete.
    pub fn has_head(&self) -> bool {
        !matches!(self.stage, Stage::Head)
    }

    /// Whether the response is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    /// Handles the close of the connection. The response is complete afterwards, or never will be.
    pub fn end(&mut self) {
        if let Stage::Body(body) = &self.stage
            && body.1.ends_at_close()
        {
            self.finish_body();
        }
    }

    /// The response, if it is complete.
    pub fn finish(self) -> Option<ReadAnswer> {
        match self.stage {
            Stage::Done(answer) => Some(*answer),
            Stage::Head | Stage::Body(_) => None,
        }
    }

    fn read_head(&mut self, rest: &[u8]) -> Result<usize, Unread> {
        let blank = if self.buffer.is_empty() {
            begins::blank(rest)
        } else {
            0
        };
        let room = self.settings.limits.head.saturating_sub(self.head_bytes);
        if blank > 0 {
            self.take_head_bytes(blank)?;
            return Ok(blank);
        }
        let (used, step) = self.buffer.push(rest, room);
        let raw = match step {
            HeadStep::Complete(raw) => raw,
            HeadStep::TooLarge => return Err(Unread::Protocol),
            HeadStep::More if begins::looks_like_response(self.buffer.so_far()) => return Ok(used),
            HeadStep::More => return Err(Unread::Protocol),
        };
        let length = raw.bytes.len();
        let head = self.head(&raw)?;
        self.take_head_bytes(length)?;
        if (100..200).contains(&head.status) && head.status != 101 {
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(Unread::Protocol);
            }
            // The oddities of an interim response do not count for the next head.
            self.oddities = Oddities::default();
        } else {
            self.begin_body(head)?;
        }
        Ok(used)
    }

    fn take_head_bytes(&mut self, more: usize) -> Result<(), Unread> {
        self.head_bytes = self.head_bytes.saturating_add(more);
        if self.head_bytes > self.settings.limits.head {
            return Err(Unread::Protocol);
        }
        Ok(())
    }

    fn head(&mut self, raw: &RawHead<'_>) -> Result<ResponseHead, Unread> {
        let fields = self.settings.limits.fields;
        match head::response(raw, fields, true) {
            Ok(head) if !raw.suspicious => Ok(head),
            Err(Incomplete::HeadTooLarge) => Err(Unread::Protocol),
            Ok(_) | Err(_) => {
                lenient::response(&raw.bytes, fields, &mut self.oddities).ok_or(Unread::Protocol)
            }
        }
    }

    fn begin_body(&mut self, head: ResponseHead) -> Result<(), Unread> {
        let framing = self.framing(&head)?;
        if matches!(framing, Framing::Length(length) if length > self.most) {
            return Err(Unread::TooLarge);
        }
        match BodyReader::new(framing, self.settings) {
            Some(reader) => self.stage = Stage::Body(Box::new((head, reader))),
            None => self.done(
                head,
                (Body::default(), Headers::default()),
                framing != Framing::Switch,
            ),
        }
        Ok(())
    }

    fn framing(&mut self, head: &ResponseHead) -> Result<Framing, Unread> {
        const LENGTH: &[u8] = b"content-length";
        const CODING: &[u8] = b"transfer-encoding";
        let mut codings = head.headers.get_all("transfer-encoding").peekable();
        let is_none = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
        if codings.peek().is_some() && codings.all(|coding| is_none(coding.trim_ascii())) {
            self.oddities.add(CODING, Oddity::NoCoding);
            let others = head
                .headers
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case(CODING));
            let again = ResponseHead {
                said: FramingFields::of(others),
                ..head.clone()
            };
            return framing::response(&again, self.asked).map_err(|_ambiguous| Unread::Protocol);
        }
        if let Ok(framing) = framing::response(head, self.asked) {
            return Ok(framing);
        }
        // RFC 9112 section 6.3: Transfer-Encoding overrides Content-Length, and the connection closes afterwards.
        let without = head
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(LENGTH));
        let both =
            head.headers.get("content-length").is_some() && head.headers.get("transfer-encoding").is_some();
        let again = ResponseHead {
            said: FramingFields::of(without),
            ..head.clone()
        };
        match framing::response(&again, self.asked) {
            Ok(framing) if both => {
                self.oddities.add(LENGTH, Oddity::LengthAndCoding);
                Ok(framing)
            }
            _ => Err(Unread::Protocol),
        }
    }

    fn read_body(&mut self, rest: &[u8]) -> Result<usize, Unread> {
        let Stage::Body(body) = &mut self.stage else {
            return Ok(0);
        };
        let (used, progress) = body
            .1
            .read(rest, self.settings, &mut Roles::off())
            .map_err(|_incomplete| Unread::Protocol)?;
        if body.1.received() > self.most {
            return Err(Unread::TooLarge);
        }
        if progress == Progress::Done {
            self.finish_body();
        }
        Ok(used)
    }

    fn finish_body(&mut self) {
        let Stage::Body(body) = core::mem::replace(&mut self.stage, Stage::Head) else {
            return;
        };
        let (head, reader) = *body;
        let delimited = !reader.ends_at_close();
        match reader.finish(self.settings) {
            Ok(content) => self.done(head, content, delimited),
            Err((body, _reason)) => {
                self.oddities.add(b"", Oddity::Trailer);
                self.done(head, (body, Headers::default()), false);
            }
        }
    }

    fn done(&mut self, head: ResponseHead, (body, trailers): (Body, Headers), delimited: bool) {
        let oddities = core::mem::take(&mut self.oddities);
        let framed_oddly = oddities.concern_framing();
        let odd = oddities.into_list();
        let closes = head
            .headers
            .get_all("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        let ResponseHead {
            status,
            version,
            headers,
            reason: _,
            said: _,
        } = head;
        self.stage = Stage::Done(Box::new(ReadAnswer {
            status,
            headers,
            body,
            trailers,
            keeps_open: delimited && !closes && !framed_oddly && version == Version::Http11,
            odd,
        }));
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
