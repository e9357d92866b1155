//! Whether bytes begin a message, without reading it.

use memchr::memchr;

/// Length of the empty lines at the start, in bytes.
pub(crate) fn blank(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
}

/// Whether bytes can be the beginning of a request line: a method token, a space.
pub(crate) fn looks_like_request(bytes: &[u8]) -> bool {
    const LONGEST_METHOD: usize = 32;
    let token = bytes.iter().take_while(|b| is_token(**b)).count();
    match bytes.get(token) {
        Some(b' ') => (1..=LONGEST_METHOD).contains(&token),
        Some(_) => false,
        None => token <= LONGEST_METHOD && token > 0,
    }
}

/// Whether bytes can begin a request with a registered method: all of these are in capitals. The first byte decides,
/// so it does not matter how the bytes are cut.
pub(crate) fn may_begin_request(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
}

/// Whether bytes hold a complete request line with an HTTP/1 version. Stricter than [`looks_like_request`]: the
/// message boundary is not known, so the line itself must prove it.
pub fn is_request_line(bytes: &[u8]) -> bool {
    let line = memchr(b'\n', bytes)
        .and_then(|end| bytes.get(..end))
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut parts = line.split(|byte| *byte == b' ');
    let (_method, target, version) = (parts.next(), parts.next(), parts.next());
    looks_like_request(line)
        && target.is_some_and(|target| !target.is_empty())
        && matches!(version, Some(b"HTTP/1.1" | b"HTTP/1.0"))
        && parts.next().is_none()
}

/// Whether bytes appear to begin with a request line, without parsing it: for an estimate.
pub(crate) fn begins_request(bytes: &[u8]) -> bool {
    looks_like_request(bytes) && memchr(b'\n', bytes).is_some() && names_http(bytes)
}

/// Whether an invalid request line still identifies HTTP, by its version or its method.
pub(crate) fn names_http(bytes: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] = [
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"PUT ",
        b"DELETE ",
        b"OPTIONS ",
        b"PATCH ",
        b"CONNECT ",
        b"TRACE ",
    ];
    let line = memchr(b'\n', bytes).and_then(|end| bytes.get(..end));
    line.is_some_and(|line| {
        memchr::memmem::find(line, b" HTTP/").is_some()
            || METHODS.iter().any(|method| line.starts_with(method))
    })
}

/// Whether bytes can be the beginning of a status line.
pub(crate) fn looks_like_response(bytes: &[u8]) -> bool {
    const START: &[u8] = b"HTTP/1.";
    let common = bytes.len().min(START.len());
    bytes.get(..common) == START.get(..common)
}

/// The part of the client connection preface of HTTP/2 (RFC 9113 section 3.4) that has the form of a head.
pub(crate) const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
