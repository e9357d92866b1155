//! Reads one body: removes the framing and keeps content up to the cap.

use bytes::BytesMut;

use super::{
    chunked::Chunked,
    framing::Framing,
    head::{RawHead, trailers},
    roles::Roles,
};
use crate::{
    exchange::{Body, Headers, Incomplete},
    protocol::Settings,
    ranges::Role,
};

/// Progress of reading a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// The end has not been reached.
    More,
    /// The message ended.
    Done,
}

/// Reads one body.
#[derive(Debug)]
pub(crate) struct BodyReader {
    state: State,
    content: Content,
}

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(Box<Chunked>),
    UntilClose,
}

/// Collected content: the first bytes, and a running digest once the cap is exceeded.
#[derive(Debug)]
pub(crate) struct Content {
    kept: BytesMut,
    keep: usize,
    digest: bool,
    running: Option<Box<blake3::Hasher>>,
    len: u64,
    missing: u64,
}

impl BodyReader {
    /// `None` when there is nothing to read.
    pub(crate) fn new(framing: Framing, settings: &Settings) -> Option<Self> {
        let (state, expected) = match framing {
            Framing::None | Framing::Switch | Framing::Length(0) => return None,
            Framing::Length(length) => (State::Length(length), length),
            Framing::Chunked => (State::Chunked(Box::default()), 0),
            Framing::UntilClose => (State::UntilClose, 0),
        };
        let content = Content::expecting(settings, expected);
        Some(Self { state, content })
    }

    /// Whether its first byte is plain content, and has not arrived.
    pub(crate) fn awaits_content(&self) -> bool {
        matches!(self.state, State::Length(_)) && self.content.len == 0
    }

    /// Consumes bytes up to the end of the message; returns how many.
    pub(crate) fn read(
        &mut self,
        input: &[u8],
        settings: &Settings,
        roles: &mut Roles<'_>,
    ) -> Result<(usize, Progress), Incomplete> {
        let Self { state, content } = self;
        match state {
            State::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let part = input.get(..take).unwrap_or_default();
                content.push(part);
                roles.read(0, Role::Content, part);
                *left = left.saturating_sub(take as u64);
                Ok((
                    take,
                    if *left == 0 {
                        Progress::Done
                    } else {
                        Progress::More
                    },
                ))
            }
            State::Chunked(chunked) => chunked.read(input, content, settings.limits.head, roles),
            State::UntilClose => {
                content.push(input);
                roles.read(0, Role::Content, input);
                Ok((input.len(), Progress::More))
            }
        }
    }

    /// Skips bytes that were not captured. `None` when they may contain a message boundary: then it is not known
    /// where the next message begins.
    pub(crate) fn skip(&mut self, lost: u64) -> Option<Progress> {
        let Self { state, content } = self;
        let take = |left: &mut u64| {
            *left = left.checked_sub(lost)?;
            Some(*left == 0)
        };
        let done = match state {
            State::Length(left) => take(left)?,
            State::Chunked(chunked) => {
                take(chunked.data_left()?)?;
                false
            }
            State::UntilClose => false,
        };
        content.lose(lost);
        Some(if done { Progress::Done } else { Progress::More })
    }

    /// Whether closing the connection is a valid end of this message.
    pub(crate) fn ends_at_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// Bytes of content so far.
    pub(crate) fn received(&self) -> u64 {
        self.content.len
    }

    /// Bytes held.
    pub(crate) fn buffered(&self) -> usize {
        let trailer = match &self.state {
            State::Chunked(chunked) => chunked.buffered(),
            State::Length(_) | State::UntilClose => 0,
        };
        self.content.held() + trailer
    }

    /// The content and the trailer fields.
    pub(crate) fn finish(self, settings: &Settings) -> Result<(Body, Headers), (Body, Incomplete)> {
        let Self { state, content } = self;
        let body = content.finish();
        let trailer = match state {
            State::Chunked(chunked) => chunked.into_trailer(),
            State::Length(_) | State::UntilClose => None,
        };
        match trailer {
            Some(RawHead { suspicious: true, .. }) => Err((body, Incomplete::AmbiguousFraming)),
            Some(raw) => match trailers(&raw, settings.limits.fields, settings.fields) {
                Ok(fields) => Ok((body, fields)),
                Err(reason) => Err((body, reason)),
            },
            None => Ok((body, Headers::default())),
        }
    }
}

impl Content {
    /// No content yet, of which a length field announces so much.
    pub(crate) fn expecting(settings: &Settings, length: u64) -> Self {
        /// Upper bound on the first allocation, whatever a length field announces.
        const FIRST: u64 = 64 << 10;
        Self::new(settings, usize::try_from(length.min(FIRST)).unwrap_or(0))
    }

    /// No content yet, with room for the `first` bytes.
    pub(crate) fn new(settings: &Settings, first: usize) -> Self {
        let keep = settings.limits.body;
        Self {
            kept: BytesMut::with_capacity(first.min(keep)),
            keep,
            digest: settings.digest,
            running: None,
            len: 0,
            missing: 0,
        }
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.kept.capacity()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len() as u64);
        if let Some(running) = &mut self.running {
            running.update(bytes);
            return;
        }
        let room = self.keep.saturating_sub(self.kept.len());
        if bytes.len() <= room {
            self.kept.extend_from_slice(bytes);
            return;
        }
        if self.digest && self.missing == 0 {
            let mut running = Box::new(blake3::Hasher::new());
            running.update(&self.kept).update(bytes);
            self.running = Some(running);
        }
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        // Nothing after the cap is kept, even if it would fit again.
        self.keep = self.kept.len();
    }

    pub(crate) fn lose(&mut self, lost: u64) {
        self.len = self.len.saturating_add(lost);
        self.missing = self.missing.saturating_add(lost);
        // Kept bytes are a prefix without holes; after a hole there is neither prefix nor digest.
        self.keep = self.kept.len();
        self.running = None;
        self.digest = false;
    }

    pub(crate) fn finish(self) -> Body {
        Body {
            len: self.len,
            kept: self.kept.freeze(),
            digest: self.running.map(|running| *running.finalize().as_bytes()),
            missing: self.missing,
        }
    }
}
