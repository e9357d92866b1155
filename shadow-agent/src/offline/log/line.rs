//! The content of one line of an access log, in whatever format it was written.

use core::{net::IpAddr, time::Duration};

use shadow_proto::{exchange::Version, time::Timestamp};

/// The record of one request. Everything that its format does not have is `None`.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) client: Option<IpAddr>,
    pub(super) at: Option<Timestamp>,
    /// Whether `at` is when the answer ended, not when the request began.
    pub(super) at_end: bool,
    /// The request line; `None` if the server could not read it, or the log does not hold it whole.
    pub(super) request: Option<RequestLine>,
    pub(super) host: Option<Vec<u8>>,
    /// `None` if there was no answer.
    pub(super) status: Option<u16>,
    /// Bytes of the content as sent.
    pub(super) bytes: Option<u64>,
    /// Time until the first byte of the answer.
    pub(super) first: Option<Duration>,
    /// Time until the last byte of the answer.
    pub(super) whole: Option<Duration>,
    pub(super) location: Option<Vec<u8>>,
    /// Fields of the request.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the answer was cut off.
    pub(super) is_cut: bool,
}

/// Method, target and version.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct RequestLine {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) version: Version,
}

impl RequestLine {
    /// Parses a request line as it was received. The target may contain spaces: servers accept that.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let (method, rest) = split(line, b' ')?;
        let end = memchr::memrchr(b' ', rest)?;
        let (target, version) = rest.split_at_checked(end)?;
        let version = match version.trim_ascii() {
            b"HTTP/1.0" => Version::Http10,
            // HTTP/2 and 3 are replayed as HTTP/1.1.
            version if version.starts_with(b"HTTP/") => Version::Http11,
            _ => return None,
        };
        Self::new(method, target, version)
    }

    pub(super) fn new(method: &[u8], target: &[u8], version: Version) -> Option<Self> {
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let is_method = !method.is_empty() && method.iter().all(token) && method != b"-";
        // A recorder that cannot write a byte replaces it: the target is not known then.
        let is_replaced = memchr::memmem::find(target, "\u{fffd}".as_bytes()).is_some();
        (is_method && !target.is_empty() && !is_replaced).then(|| Self {
            method: method.to_vec(),
            target: target.to_vec(),
            version,
        })
    }
}

impl Line {
    /// Adds a field of the request, unless it is not known.
    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        if let Some(value) = known(value) {
            self.fields.push((name.as_bytes().to_vec(), value.to_vec()));
        }
    }
}

/// The text before and after the first `sign`.
pub(super) fn split(text: &[u8], sign: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(sign, text)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// `-` and nothing stand for a value that is not known.
pub(super) fn known(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty() && text != b"-").then_some(text)
}

pub(super) fn number<T: core::str::FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.trim().parse().ok()
}

pub(super) fn status(text: &[u8]) -> Option<u16> {
    number(text).filter(|status| (100..1000).contains(status))
}

/// A time that a log has in text, or as a number since 1970.
pub(super) fn time(text: &[u8]) -> Option<Timestamp> {
    super::when::read(str::from_utf8(text).ok()?)
}

/// An address, with or without a port.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let with_port = || Some(text.parse::<core::net::SocketAddr>().ok()?.ip());
    text.trim_matches(['[', ']']).parse().ok().or_else(with_port)
}

/// A duration: a number of `unit` seconds, unless a unit follows the number.
pub(super) fn duration(text: &[u8], unit: Option<f64>) -> Option<Duration> {
    let text = str::from_utf8(text).ok()?.trim();
    let digits = text.trim_end_matches(|sign: char| sign.is_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "" => unit?,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    let number: f64 = digits.trim_end().parse().ok()?;
    Duration::try_from_secs_f64(number * unit).ok()
}

/// Undoes the escaping of nginx (`\xHH`) and Apache (`\"`, `\\`, `\n`, `\xhh` and others).
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        let (before, after) = rest.split_at(place);
        out.extend_from_slice(before);
        let (byte, length) = match after.get(1) {
            Some(b'x') => match after.get(2..4).and_then(hex) {
                Some(byte) => (byte, 4),
                None => (b'\\', 1),
            },
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'b') => (8, 2),
            Some(b'v') => (11, 2),
            Some(b'f') => (12, 2),
            Some(sign @ (b'"' | b'\\')) => (*sign, 2),
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = after.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// A byte of two hexadecimal digits.
pub(super) fn hex(digits: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(digits).ok()?;
    (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Words between spaces; one that begins with a quote ends with a quote that is not escaped and before a space.
pub(super) struct Words<'t>(pub(super) &'t [u8]);

/// A word, without its quotes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t [u8],
    pub(super) is_quoted: bool,
}

impl<'t> Iterator for Words<'t> {
    type Item = Word<'t>;

    fn next(&mut self) -> Option<Word<'t>> {
        let text = self.0.trim_ascii_start();
        if text.is_empty() {
            return None;
        }
        if let Some(quoted) = text.strip_prefix(b"\"")
            && let Some(end) = closing(quoted)
        {
            self.0 = quoted.get(end + 1..).unwrap_or_default();
            return Some(Word {
                text: quoted.get(..end).unwrap_or_default(),
                is_quoted: true,
            });
        }
        let (word, rest) = split(text, b' ').unwrap_or((text, &[]));
        self.0 = rest;
        Some(Word {
            text: word,
            is_quoted: false,
        })
    }
}

/// The place of the quote that ends a quoted text.
pub(super) fn closing(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', text).find(|place| {
        let before = text.get(..*place).unwrap_or_default();
        let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        let ends = matches!(text.get(place + 1), None | Some(b' '));
        escapes % 2 == 0 && ends
    })
}
