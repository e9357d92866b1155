//! Response heads that violate RFC 9112 but have a single meaning to common clients.
//!
//! Owns: the second parse of a head that the strict parser refused, and the list of its faults. Bounds: the collector
//! of the head limits its size; at most [`MOST`] oddities of one head are kept. Drops: a line that is not a field,
//! and a field whose name or value holds bytes that no field may, each with an [`Oddity`].

use bytes::Bytes;
use memchr::memchr;

use super::{begins::is_token, framing::FramingFields, head::ResponseHead};
use crate::exchange::{Headers, Version};

/// Most oddities kept for one head.
const MOST: usize = 8;
/// Longest field name that is shown.
const LONGEST_NAME: usize = 64;

crate::catalogue! {
    /// A rule of RFC 9112 that a response head broke, and what was made of it.
    Oddity {
        /// A field over several lines (section 5.2): the lines are joined by a space.
        Folded = "folded",
        /// A space before the colon (section 5.1): it is left out.
        SpaceBeforeColon = "space_before_colon",
        /// A line without a colon: it is left out.
        NoColon = "no_colon",
        /// A name with bytes that no name may have (RFC 9110 section 5.1): the field is left out.
        Name = "name",
        /// A value with control bytes (RFC 9110 section 5.5): the field is left out.
        Value = "value",
        /// Lines that end with LF alone (section 2.2): they end there.
        BareLineFeed = "bare_line_feed",
        /// Content-Length beside Transfer-Encoding (section 6.3): the length is left out.
        LengthAndCoding = "length_and_coding",
        /// A name for no transfer coding, as in RFC 2616 (`identity`): it is left out.
        NoCoding = "no_coding",
        /// A trailer section that cannot be read: it is left out.
        Trailer = "trailer",
    }
}

impl Oddity {
    /// Its description, to follow the name of the field.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Folded => "is folded over several lines (RFC 9112 section 5.2); read as one",
            Self::SpaceBeforeColon => "has a space before the colon (RFC 9112 section 5.1); read without it",
            Self::NoColon => "a line of the head is no field (RFC 9112 section 5); left out",
            Self::Name => "the name of a field holds bytes that none may (RFC 9110 section 5.1); left out",
            Self::Value => "has a control byte in its value (RFC 9110 section 5.5); left out",
            Self::BareLineFeed => {
                "lines of the head end with LF alone (RFC 9112 section 2.2); read as ends of lines"
            }
            Self::LengthAndCoding => "is sent with Transfer-Encoding (RFC 9112 section 6.3); left out",
            Self::NoCoding => "names no transfer coding (RFC 9112 section 7); left out",
            Self::Trailer => "the trailer section cannot be read; left out",
        }
    }
}

/// A fault in one field.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OddField {
    /// The field's name in lower case. Empty when no field is concerned, or the name cannot be shown.
    pub name: String,
    /// The kind of fault.
    pub oddity: Oddity,
}

/// The faults of one head, each listed once.
#[derive(Clone, Debug, Default)]
pub(super) struct Oddities {
    list: Vec<OddField>,
    /// Whether one of them, listed or not, concerns where the message ends.
    framing: bool,
}

impl Oddities {
    pub(super) fn add(&mut self, name: &[u8], oddity: Oddity) {
        let shown = !name.is_empty() && name.len() <= LONGEST_NAME && name.iter().all(|byte| is_token(*byte));
        let name = if shown {
            String::from_utf8_lossy(name).to_ascii_lowercase()
        } else {
            String::new()
        };
        self.framing |= name.is_empty() || matches!(name.as_str(), "content-length" | "transfer-encoding");
        let odd = OddField { name, oddity };
        if self.list.len() < MOST && !self.list.contains(&odd) {
            self.list.push(odd);
        }
    }

    pub(super) const fn concern_framing(&self) -> bool {
        self.framing
    }

    pub(super) fn into_list(self) -> Vec<OddField> {
        self.list
    }
}

/// Reads a head that the strict parser refused. `None` if it has no status line, or too many fields.
pub(super) fn response(raw: &[u8], max_fields: usize, oddities: &mut Oddities) -> Option<ResponseHead> {
    let mut lines = Lines(raw);
    let (first, mut bare) = lines.next()?;
    let (version, status, reason) = status_line(first)?;
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut folds = false;
    for (line, line_bare) in lines {
        if line.is_empty() {
            break;
        }
        bare |= line_bare;
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // The continuation of an omitted field is omitted too.
            if let Some((name, value)) = fields.last_mut().filter(|_| folds) {
                oddities.add(name, Oddity::Folded);
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            continue;
        }
        folds = false;
        let Some((name, value)) = field(line, oddities) else {
            continue;
        };
        if fields.len() >= max_fields {
            return None;
        }
        fields.push((name.to_vec(), value.to_vec()));
        folds = true;
    }
    if bare {
        oddities.add(b"", Oddity::BareLineFeed);
    }
    let pairs = || {
        fields
            .iter()
            .map(|(name, value)| (name.as_slice(), value.trim_ascii()))
    };
    Some(ResponseHead {
        status,
        version,
        reason: Bytes::copy_from_slice(reason),
        said: FramingFields::of(pairs()),
        headers: Headers::from_pairs(pairs()),
    })
}

/// The name and the value of a line, unless it is omitted.
fn field<'l>(line: &'l [u8], oddities: &mut Oddities) -> Option<(&'l [u8], &'l [u8])> {
    let Some(colon) = memchr(b':', line) else {
        oddities.add(b"", Oddity::NoColon);
        return None;
    };
    let (sent, value) = (line.get(..colon)?, line.get(colon + 1..)?.trim_ascii());
    let name = sent.trim_ascii_end();
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        oddities.add(b"", Oddity::Name);
        return None;
    }
    if name.len() < sent.len() {
        oddities.add(name, Oddity::SpaceBeforeColon);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        oddities.add(name, Oddity::Value);
        return None;
    }
    Some((name, value))
}

/// RFC 9112 section 4; the reason phrase may be absent together with its space, and there may be more spaces. A higher
/// minor version is read as the highest known one (RFC 9110 section 2.5).
fn status_line(line: &[u8]) -> Option<(Version, u16, &[u8])> {
    let (version, rest) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
    let version = match version {
        b'0' => Version::Http10,
        b'1'..=b'9' => Version::Http11,
        _ => return None,
    };
    let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
    let (code, reason) = rest.split_at_checked(3)?;
    let digits = code.iter().all(u8::is_ascii_digit) && matches!(reason.first(), None | Some(b' '));
    let status = core::str::from_utf8(code).ok()?.parse().ok();
    let reason = reason.trim_ascii_start();
    Some((version, status.filter(|status| digits && *status >= 100)?, reason))
}

/// Lines, each with whether it ends with LF alone.
struct Lines<'r>(&'r [u8]);

impl<'r> Iterator for Lines<'r> {
    type Item = (&'r [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        Some(match line.strip_suffix(b"\r") {
            Some(line) => (line, false),
            None => (line, true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, fields, and what was odd.
    type Read = (u16, Vec<(String, String)>, Vec<OddField>);

    fn read(text: &str) -> Option<Read> {
        let mut oddities = Oddities::default();
        let head = response(text.as_bytes(), 4, &mut oddities)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = head.headers.iter().map(|(name, value)| (text(name), text(value)));
        Some((head.status, fields.collect(), oddities.into_list()))
    }

    fn odd(name: &str, oddity: Oddity) -> OddField {
        OddField {
            name: name.to_owned(),
            oddity,
        }
    }

    #[test]
    fn each_oddity_is_read_and_named() {
        for (fields, kept, found) in [
            (
                "X: a\r\n b\r\n\t c\r\n",
                &[("X", "a b c")][..],
                odd("x", Oddity::Folded),
            ),
            ("X:\r\n  a\r\n", &[("X", "a")], odd("x", Oddity::Folded)),
            ("X : a\r\n", &[("X", "a")], odd("x", Oddity::SpaceBeforeColon)),
            (
                "X \t: a\r\nY: b\r\n",
                &[("X", "a"), ("Y", "b")],
                odd("x", Oddity::SpaceBeforeColon),
            ),
            ("nothing\r\nY: b\r\n", &[("Y", "b")], odd("", Oddity::NoColon)),
            (
                "X\u{e9}: a\r\n folded\r\nY: b\r\n",
                &[("Y", "b")],
                odd("", Oddity::Name),
            ),
            (": a\r\nY: b\r\n", &[("Y", "b")], odd("", Oddity::Name)),
            ("X: a\u{1}b\r\nY: b\r\n", &[("Y", "b")], odd("x", Oddity::Value)),
            (
                "X: a\nY: b\r\n",
                &[("X", "a"), ("Y", "b")],
                odd("", Oddity::BareLineFeed),
            ),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            let kept: Vec<_> = kept
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(read(&head), Some((200, kept, vec![found])), "{head:?}");
        }
    }

    #[test]
    fn a_head_without_a_status_line_or_with_too_many_fields_is_none() {
        for head in [
            "",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\n\r\n",
        ] {
            assert_eq!(read(head), None, "{head:?}");
        }
        for head in [
            "HTTP/1.0 204\r\n\r\n",
            "HTTP/1.2 204 No\r\n\r\n",
            "HTTP/1.1  204  No\r\n\r\n",
        ] {
            assert_eq!(read(head).map(|(status, ..)| status), Some(204), "{head:?}");
        }
    }

    #[test]
    fn the_list_of_oddities_is_bounded_and_holds_each_once() {
        let mut oddities = Oddities::default();
        for n in 0..100 {
            oddities.add(format!("x-{}", n / 2).as_bytes(), Oddity::Folded);
        }
        assert_eq!(oddities.into_list().len(), MOST);
    }
}
