//! The content of a replayed request, as hyper asks for it.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

/// All of a request's content, in memory, with its trailers.
#[derive(Debug, Default)]
pub(super) struct RequestBody {
    data: Bytes,
    trailers: Option<HeaderMap>,
    chunked: bool,
    ended: bool,
}

impl RequestBody {
    /// Content that a `Content-Length` field, or nothing, delimits.
    pub(super) fn sized(data: Bytes) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// Content that is sent in chunks, as it was when it was captured.
    pub(super) fn chunked(data: Bytes, trailers: HeaderMap) -> Self {
        Self {
            data,
            trailers: Some(trailers).filter(|fields| !fields.is_empty()),
            chunked: true,
            ended: false,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        self.ended = true;
        Poll::Ready(self.trailers.take().map(Frame::trailers).map(Ok))
    }

    /// An empty chunked body has not ended before it was asked: hyper would take the message for one without
    /// content and remove its `Transfer-Encoding`.
    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none() && (self.ended || !self.chunked)
    }

    fn size_hint(&self) -> SizeHint {
        if self.chunked {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.data.len() as u64)
        }
    }
}
