//! Messages in a content: length-prefixed (gRPC over HTTP/2), with trailers after them (gRPC-Web, streams of Connect),
//! that in base64 (gRPC-Web text), or one message alone (Connect, and Protocol Buffers over plain HTTP).

use std::borrow::Cow;

use base64::Engine as _;
use shadow_proto::exchange::Headers;

use super::{
    super::{decode, media},
    BASE64, end,
};

/// Messages of one answer.
const MAX_MESSAGES: usize = 1 << 16;

/// The flag of a compressed message.
const COMPRESSED: u8 = 1;

/// The flag of the object that ends a stream of Connect.
const END: u8 = 2;

/// The flag of the trailers of gRPC-Web.
const TRAILERS: u8 = 0x80;

/// The form in which a content holds messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// Each with its length (gRPC, gRPC-Web).
    Prefixed,
    /// The same, with an object after them (Connect).
    Ended,
    /// The same in base64 (gRPC-Web text).
    Base64,
    /// One message alone.
    Bare,
}

impl Framing {
    /// That of a content of [`media::Kind::Grpc`].
    pub(super) fn of(headers: &Headers) -> Self {
        let essence = media::essence(headers);
        if media::BARE.contains(&essence.as_slice()) {
            Self::Bare
        } else if essence.starts_with(media::WEB_TEXT) {
            Self::Base64
        } else if essence.starts_with(media::STREAM) {
            Self::Ended
        } else {
            Self::Prefixed
        }
    }
}

/// The content of an answer.
#[derive(Debug, Default)]
pub(crate) struct Read<'b> {
    /// Its messages without their compression.
    pub(crate) messages: Vec<Cow<'b, [u8]>>,
    /// Trailers of gRPC-Web: lines of fields. Those that say the same as the end of a stream of Connect.
    pub(crate) trailers: Option<Cow<'b, [u8]>>,
}

impl<'b> Read<'b> {
    /// Reads all messages; `cap` bounds their decoded bytes. `None` if the content has another form, or is over a
    /// bound.
    pub(crate) fn of(headers: &Headers, content: &'b [u8], cap: usize) -> Option<Self> {
        match Framing::of(headers) {
            Framing::Prefixed => prefixed(headers, content, cap, false),
            Framing::Ended => prefixed(headers, content, cap, true),
            Framing::Base64 => {
                let content = from_base64(content)?;
                let Read { messages, trailers } = prefixed(headers, &content, cap, false)?;
                let owned = |part: Cow<'_, [u8]>| Cow::Owned(part.into_owned());
                Some(Self {
                    messages: messages.into_iter().map(owned).collect(),
                    trailers: trailers.map(owned),
                })
            }
            Framing::Bare => Some(Self {
                messages: vec![Cow::Borrowed(content)],
                trailers: None,
            }),
        }
    }

    /// The messages, which are documents already.
    pub(super) fn documents(&self) -> Vec<Vec<u8>> {
        self.messages.iter().map(|message| message.to_vec()).collect()
    }
}

fn prefixed<'b>(headers: &Headers, content: &'b [u8], cap: usize, is_connect: bool) -> Option<Read<'b>> {
    let encoding = if is_connect {
        "connect-content-encoding"
    } else {
        "grpc-encoding"
    };
    let mut read = Read::default();
    let mut rest = content;
    let mut left = cap;
    while let Some((flag, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (message, behind) = behind.split_at_checked(length)?;
        rest = behind;
        let ends = is_connect && flag & END != 0;
        if flag & TRAILERS != 0 {
            let is_last = *flag == TRAILERS && rest.is_empty();
            read.trailers = Some(Cow::Borrowed(message)).filter(|_| is_last);
            read.trailers.as_ref()?;
            break;
        }
        let message = match *flag & !(END * u8::from(ends)) {
            0 => Cow::Borrowed(message),
            COMPRESSED if message.is_empty() => Cow::Borrowed(message),
            COMPRESSED => {
                let coding = headers.get(encoding)?;
                Cow::Owned(decode::decode_as(coding, message, left).ok()?)
            }
            _ => return None,
        };
        if ends {
            read.trailers = Some(Cow::Owned(end::lines(&message)?));
            return rest.is_empty().then_some(read);
        }
        left = left.checked_sub(message.len())?;
        if read.messages.len() >= MAX_MESSAGES {
            return None;
        }
        read.messages.push(message);
    }
    Some(read)
}

/// A content in base64, of which each piece that the server wrote may be padded.
fn from_base64(content: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(content.len() / 4 * 3);
    let mut rest = content.trim_ascii();
    while !rest.is_empty() {
        let text = memchr::memchr(b'=', rest).unwrap_or(rest.len());
        let padding = rest.iter().skip(text).take_while(|byte| **byte == b'=').count();
        let (piece, behind) = rest.split_at_checked(text.checked_add(padding)?)?;
        BASE64.decode_vec(piece, &mut out).ok()?;
        rest = behind;
    }
    Some(out)
}

/// The content of an answer with these header fields that has these messages, without compression. `None` if it cannot
/// have them.
pub(crate) fn framed(headers: &Headers, messages: &[Vec<u8>], trailers: Option<&[u8]>) -> Option<Vec<u8>> {
    let framing = Framing::of(headers);
    if framing == Framing::Bare {
        return <[Vec<u8>; 1]>::try_from(messages.to_vec())
            .ok()
            .map(|[message]| message);
    }
    let last = match (framing, trailers) {
        (Framing::Ended, Some(lines)) => Some((END, Cow::Owned(end::object(lines)?))),
        (_, lines) => lines.map(|lines| (TRAILERS, Cow::Borrowed(lines))),
    };
    let mut out = Vec::new();
    let parts = messages.iter().map(|message| (0, message.as_slice()));
    for (flag, part) in parts.chain(last.as_ref().map(|(flag, part)| (*flag, part.as_ref()))) {
        out.push(flag);
        out.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        out.extend_from_slice(part);
    }
    Some(match framing {
        Framing::Base64 => BASE64.encode(out).into_bytes(),
        _ => out,
    })
}
