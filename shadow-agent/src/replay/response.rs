//! The shadow system's answer, in bounded memory.
//!
//! Owns: what is kept of a response body: the first bytes up to the same cap as production's, then only length and
//! BLAKE3. Bounds: both caps of [`BodyLimits`], so an endless answer costs no more than a long one.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, response};
use shadow_core::compare::ShadowResponse;
use shadow_proto::exchange::{Body, Headers};

use super::meter::Spans;

/// How much of a response body is kept, and read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BodyLimits {
    /// Bytes that are kept; behind them only length and digest.
    pub(super) kept: usize,
    /// Bytes that are read at all.
    pub(super) read: u64,
}

/// The body was longer than [`BodyLimits::read`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLarge;

/// A body as it arrives.
#[derive(Debug)]
pub(super) struct Collector {
    limits: BodyLimits,
    len: u64,
    /// The only chunk so far, not copied: most responses have one.
    first: Bytes,
    kept: BytesMut,
    digest: Option<Box<blake3::Hasher>>,
}

impl Collector {
    pub(super) fn new(limits: BodyLimits) -> Self {
        Self {
            limits,
            len: 0,
            first: Bytes::new(),
            kept: BytesMut::new(),
            digest: None,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) -> Result<(), TooLarge> {
        let before = usize::try_from(self.len).unwrap_or(usize::MAX);
        self.len = self.len.saturating_add(chunk.len() as u64);
        if self.len > self.limits.read {
            return Err(TooLarge);
        }
        if before == 0 && chunk.len() <= self.limits.kept {
            self.first = chunk;
            return Ok(());
        }
        if !self.first.is_empty() {
            self.kept.extend_from_slice(&std::mem::take(&mut self.first));
        }
        let fits = chunk.len().min(self.limits.kept.saturating_sub(before));
        let (keep, over) = chunk.split_at_checked(fits).unwrap_or((&chunk, &[]));
        self.kept.extend_from_slice(keep);
        if !over.is_empty() {
            let kept = &self.kept;
            let digest = self.digest.get_or_insert_with(|| {
                let mut digest = Box::<blake3::Hasher>::default();
                digest.update(kept);
                digest
            });
            digest.update(over);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Body {
        let Self {
            limits: _,
            len,
            first,
            kept,
            digest,
        } = self;
        Body {
            len,
            kept: if first.is_empty() { kept.freeze() } else { first },
            digest: digest.map(|digest| *digest.finalize().as_bytes()),
            missing: 0,
        }
    }
}

/// Puts the parts together. hyper gives field names in lower case, in the order in which they came.
pub(super) fn assemble(head: &response::Parts, body: Body, spans: Spans) -> ShadowResponse {
    ShadowResponse {
        status: head.status.as_u16(),
        headers: captured(&head.headers),
        body,
        first_byte: spans.first_byte,
        total: spans.total,
    }
}

fn captured(headers: &HeaderMap) -> Headers {
    Headers::from_pairs(
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(kept: usize, read: u64, chunks: &[&[u8]]) -> Result<Body, TooLarge> {
        let mut collector = Collector::new(BodyLimits { kept, read });
        for chunk in chunks {
            collector.push(Bytes::copy_from_slice(chunk))?;
        }
        Ok(collector.finish())
    }

    #[test]
    fn every_way_to_cut_a_body_gives_the_same() {
        let content = b"0123456789abcdef";
        for kept in [0, 1, 7, 8, 15, 16, 17] {
            for cut in 0..=content.len() {
                let (a, b) = content.split_at(cut);
                let body = collected(kept, 100, &[a, b]).unwrap();
                let facts = format!("kept {kept}, cut {cut}: {body:?}");
                assert_eq!(body.len, 16, "{facts}");
                assert_eq!(body.kept, content[..kept.min(16)], "{facts}");
                assert_eq!(body.blake3(), Some(*blake3::hash(content).as_bytes()), "{facts}");
            }
        }
    }

    #[test]
    fn the_limit_is_the_last_length_that_is_read() {
        assert_eq!(collected(4, 8, &[b"12345678"]).map(|body| body.len), Ok(8));
        assert_eq!(
            collected(4, 8, &[b"12345678", b"9"]).map(|body| body.len),
            Err(TooLarge)
        );
    }
}
