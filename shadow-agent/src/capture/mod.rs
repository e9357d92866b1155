//! Where segments come from.

use std::time::Duration;

use shadow_core::wire::Segment;

/// A supply of segments: the live ring, a capture file, or a list in a test.
pub trait Source: Send {
    /// Hands every segment that is ready to `sink`; when none is, waits for at most `wait`.
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(&Segment<'_>)) -> Result<Polled, SourceError>;
}

/// What a [`Source::poll`] came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Polled {
    /// There may be more.
    Open,
    /// The source has ended.
    Ended,
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the capture failed")]
pub struct SourceError(#[source] pub std::io::Error);
