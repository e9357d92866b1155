//! Masking of start lines, and the choice of secret fields.

use super::{Hide, MASK};
use crate::redact::Redactor;
use shadow_proto::wire::Direction;

/// Header fields whose values are kept when everything else is masked: framing, types and caching, which hold no
/// secrets.
const HARMLESS: [&[u8]; 20] = [
    b"accept",
    b"accept-encoding",
    b"accept-ranges",
    b"age",
    b"allow",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"date",
    b"expect",
    b"host",
    b"keep-alive",
    b"range",
    b"server",
    b"transfer-encoding",
    b"vary",
    b"upgrade",
];

/// Methods that are shown. Other tokens may be secret.
const METHODS: [&[u8]; 20] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"PURGE",
    b"QUERY",
];

/// Longest name of a field or parameter; longer ones are treated as secret.
const NAME: usize = 64;

/// The choice of masked bytes, and the names of secrets.
#[derive(Debug)]
pub(super) struct Renderer {
    hide: Hide,
    redactor: Redactor,
}

impl Renderer {
    pub(super) fn new(hide: Hide, redactor: Redactor) -> Self {
        Self { hide, redactor }
    }

    pub(super) fn hides_content(&self) -> bool {
        self.hide == Hide::All
    }

    /// A text of the same length that shows only blanks.
    pub(super) fn masked(text: &[u8]) -> Vec<u8> {
        let mask = |byte: &u8| if matches!(byte, b' ' | b'\t') { *byte } else { MASK };
        text.iter().map(mask).collect()
    }

    pub(super) fn is_secret_field(&self, name: &[u8]) -> bool {
        match (self.hide, str::from_utf8(name)) {
            (_, Err(_)) => true,
            (Hide::All, Ok(name)) => !HARMLESS
                .iter()
                .any(|harmless| harmless.eq_ignore_ascii_case(name.as_bytes())),
            (Hide::Named, Ok(name)) => name.len() >= NAME || self.redactor.is_secret_field(name),
        }
    }

    pub(super) fn start_line(&self, direction: Direction, line: &[u8]) -> Vec<u8> {
        let parts = match direction {
            Direction::ToServer => self.request_line(line),
            Direction::ToClient => self.status_line(line),
        };
        parts.unwrap_or_else(|| Self::masked(line))
    }

    /// `None` when it does not conform to RFC 9112 section 3.
    fn request_line(&self, line: &[u8]) -> Option<Vec<u8>> {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (method, rest) = line.split_at_checked(space)?;
        let last = rest.iter().rposition(|byte| *byte == b' ')?;
        let (target, version) = rest.split_at_checked(last)?;
        let target = target.strip_prefix(b" ")?;
        if !matches!(version, b" HTTP/1.1" | b" HTTP/1.0") {
            return None;
        }
        let mut out = if METHODS.contains(&method) {
            method.to_vec()
        } else {
            Self::masked(method)
        };
        out.push(b' ');
        self.target(target, &mut out);
        out.extend_from_slice(version);
        Some(out)
    }

    fn target(&self, target: &[u8], out: &mut Vec<u8>) {
        // Segments of a path may have parameters too: `/cart;jsessionid=...` (RFC 3986 section 3.3).
        let path = target
            .iter()
            .position(|byte| matches!(byte, b'?' | b'#' | b';'))
            .unwrap_or(target.len());
        let (path, query) = target.split_at_checked(path).unwrap_or((target, &[]));
        // Other forms than a path may contain userinfo, of any characters: `http://user:pass?w=ord@host/`.
        if !matches!(path.first(), Some(b'/' | b'*')) {
            out.extend(Self::masked(target));
            return;
        }
        out.extend_from_slice(path);
        for parameter in query.chunk_by(|_, next| !matches!(next, b'&' | b';' | b'?' | b'#')) {
            let (mark, parameter) = parameter.split_at_checked(1).unwrap_or((parameter, &[]));
            out.extend_from_slice(mark);
            let equals = parameter.iter().position(|byte| *byte == b'=');
            let name = parameter.get(..equals.unwrap_or(0)).unwrap_or_default();
            let rest = parameter.get(name.len()..).unwrap_or_default();
            // A name has no blank: the target continues after it.
            if name.contains(&b' ') {
                out.extend(Self::masked(name));
            } else {
                out.extend_from_slice(name);
            }
            if equals.is_some() {
                out.push(b'=');
            }
            let value = rest.get(usize::from(equals.is_some())..).unwrap_or_default();
            if self.is_secret_parameter(equals.map(|_| name), value) {
                out.extend(Self::masked(value));
            } else {
                out.extend_from_slice(value);
            }
        }
    }

    /// Without a name, the value may itself be a name.
    fn is_secret_parameter(&self, name: Option<&[u8]>, value: &[u8]) -> bool {
        let name = name.unwrap_or(value);
        let secret = |name: &str| name.len() >= NAME || self.redactor.is_secret_parameter(name);
        self.hide == Hide::All || str::from_utf8(name).map_or(true, secret)
    }

    /// `None` when it does not conform to RFC 9112 section 4.
    fn status_line(&self, line: &[u8]) -> Option<Vec<u8>> {
        let (start, phrase) = line.split_at_checked(b"HTTP/1.1 200".len())?;
        let code = start
            .strip_prefix(b"HTTP/1.1 ")
            .or_else(|| start.strip_prefix(b"HTTP/1.0 "))?;
        let status = http::StatusCode::from_bytes(code).ok()?;
        let usual = status.canonical_reason().unwrap_or_default().as_bytes();
        let mut out = start.to_vec();
        if self.hide == Hide::Named || phrase.trim_ascii() == usual {
            out.extend_from_slice(phrase);
        } else {
            out.extend(Self::masked(phrase));
        }
        Some(out)
    }
}
