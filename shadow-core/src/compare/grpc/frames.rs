//! Length-prefixed messages (gRPC over HTTP/2), and the trailers that gRPC-Web puts after them.

use std::borrow::Cow;

use shadow_proto::exchange::Headers;

use super::super::decode;

/// Messages of one answer.
const MAX_MESSAGES: usize = 1 << 16;

/// The flag of a compressed message.
const COMPRESSED: u8 = 1;

/// The flag of the trailers of gRPC-Web.
const TRAILERS: u8 = 0x80;

/// The content of an answer.
#[derive(Debug, Default)]
pub(super) struct Read<'b> {
    /// Its messages without their compression.
    pub(super) messages: Vec<Cow<'b, [u8]>>,
    /// Trailers of gRPC-Web: lines of fields.
    pub(super) trailers: Option<&'b [u8]>,
}

impl Read<'_> {
    /// The messages, which are documents already.
    pub(super) fn documents(&self) -> Vec<Vec<u8>> {
        self.messages.iter().map(|message| message.to_vec()).collect()
    }
}

/// Reads all messages. `None` if the content has another form, or is over a bound.
pub(super) fn read<'b>(headers: &Headers, content: &'b [u8], cap: usize) -> Option<Read<'b>> {
    let mut read = Read::default();
    let mut rest = content;
    let mut left = cap;
    while let Some((flag, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (message, behind) = behind.split_at_checked(length)?;
        rest = behind;
        if flag & TRAILERS != 0 {
            read.trailers = (*flag == TRAILERS && rest.is_empty()).then_some(message);
            read.trailers?;
            break;
        }
        let message = match *flag {
            0 => Cow::Borrowed(message),
            COMPRESSED if message.is_empty() => Cow::Borrowed(message),
            COMPRESSED => {
                let coding = headers.get("grpc-encoding")?;
                Cow::Owned(decode::decode_as(coding, message, left).ok()?)
            }
            _ => return None,
        };
        left = left.checked_sub(message.len())?;
        if read.messages.len() >= MAX_MESSAGES {
            return None;
        }
        read.messages.push(message);
    }
    Some(read)
}
