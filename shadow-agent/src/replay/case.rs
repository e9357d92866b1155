//! Field names with the letter case in which the client sent them.
//!
//! hyper writes names as they were received when a request carries its private case map, and only its own server
//! parser makes one. So each distinct list of names goes through that parser once, in memory, and the result is
//! cached. Owns: that cache. Bounds: [`CAPACITY`] lists; a full cache starts anew. Drops: nothing; a list that the
//! parser refuses is sent in lower case.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body_util::Empty;
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};

/// Lists of names that are remembered. Clients of one service send few; random names only cost the parser again.
const CAPACITY: usize = 1024;

/// Remembers hyper's case map for each list of names.
#[derive(Debug, Default)]
pub(super) struct CaseCache {
    known: Mutex<HashMap<Vec<u8>, Extensions>>,
}

impl CaseCache {
    /// The extensions that make hyper write these names in this case. Empty when all are lower case already.
    pub(super) fn extensions(&self, headers: &[(Bytes, Bytes)]) -> Extensions {
        if !headers
            .iter()
            .any(|(name, _)| name.iter().any(u8::is_ascii_uppercase))
        {
            return Extensions::new();
        }
        let mut key = Vec::with_capacity(256);
        for (name, _) in headers {
            key.extend_from_slice(name);
            key.push(b'\n');
        }
        // A panic elsewhere leaves a whole map behind: every insert is one call.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return found.clone();
        }
        let made = case_map(headers).unwrap_or_default();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(key, made.clone());
        made
    }
}

/// Runs hyper's server parser over a head with these names.
fn case_map(headers: &[(Bytes, Bytes)]) -> Option<Extensions> {
    let mut head = b"GET / HTTP/1.1\r\n".to_vec();
    for (name, _) in headers {
        head.extend_from_slice(name);
        // The two fields whose value the parser insists on.
        head.extend_from_slice(match name.as_ref() {
            n if n.eq_ignore_ascii_case(b"content-length") => b": 0\r\n",
            n if n.eq_ignore_ascii_case(b"transfer-encoding") => b": chunked\r\n",
            _ => b": x\r\n",
        });
    }
    head.extend_from_slice(b"\r\n");

    let seen: Arc<Mutex<Option<Extensions>>> = Arc::default();
    let service = service_fn(|mut request: Request<Incoming>| {
        let extensions = std::mem::take(request.extensions_mut());
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(extensions);
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let connection = http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(headers.len().max(1))
        .max_buf_size(head.len().max(8 << 10))
        .serve_connection(Script { head, at: 0 }, service);
    // Everything is in memory, so one poll parses the head; its result does not matter beyond that.
    let _poll: Poll<_> = pin!(connection).poll(&mut Context::from_waker(Waker::noop()));
    seen.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A peer that sends one head, then closes, and reads anything.
struct Script {
    head: Vec<u8>,
    at: usize,
}

impl Read for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.head.get(self.at..).unwrap_or_default();
        let some = rest.get(..buf.remaining()).unwrap_or(rest);
        buf.put_slice(some);
        let taken = some.len();
        self.at += taken;
        Poll::Ready(Ok(()))
    }
}

impl Write for Script {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<(Bytes, Bytes)> {
        let field = |name: &&str| (Bytes::copy_from_slice(name.as_bytes()), Bytes::new());
        list.iter().map(field).collect()
    }

    #[test]
    fn mixed_case_makes_a_case_map_and_lower_case_needs_none() {
        let cache = CaseCache::default();
        let framed = names(&["Host", "Content-Length", "X-mIxEd"]);
        assert!(!cache.extensions(&framed).is_empty());
        assert!(cache.extensions(&names(&["host", "accept"])).is_empty());
    }

    #[test]
    fn more_fields_than_hypers_default_are_fine() {
        let many: Vec<String> = (0..250).map(|n| format!("X-Field-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(!CaseCache::default().extensions(&names(&many)).is_empty());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = CaseCache::default();
        for n in 0..CAPACITY + 10 {
            cache.extensions(&names(&[&format!("X-{n}")]));
        }
        let held = cache.known.lock().unwrap().len();
        assert!(held <= CAPACITY, "{held}");
    }
}
