//! Removal of content codings (RFC 9110 section 8.4).
//!
//! Bounds: decoded bytes after each coding, stacked codings, frames of a zstd body; hostile bodies end in a
//! [`DecodeError`], and do not exhaust memory.

use std::{borrow::Cow, io::Read};

use shadow_proto::exchange::Headers;

use super::charset;

/// Stacked codings. More than one is rare, more than this is an attack.
const MAX_CODINGS: usize = 4;

/// Valid codings that are not removed (IANA's registry, and former practice).
const UNREAD: [&[u8]; 11] = [
    b"aes128gcm",
    b"bzip2",
    b"compress",
    b"dcb",
    b"dcz",
    b"exi",
    b"lzma",
    b"pack200-gzip",
    b"sdch",
    b"x-compress",
    b"xz",
];

/// Frames in one zstd body; each costs the setup of a decoder, whatever its size.
const MAX_FRAMES: usize = 1024;

/// The window that a zstd body may ask for when the cap is smaller (RFC 9659 section 3: 8 MiB).
const ZSTD_WINDOW: usize = 8 << 20;

/// Buffer size in bytes.
const BROTLI_BUFFER: usize = 4096;

/// The reason why a content coding could not be removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("a content coding that is not read")]
    Unknown,
    #[error("more than {MAX_CODINGS} content codings")]
    TooManyCodings,
    #[error("no valid {0}")]
    Corrupt(&'static str),
    #[error("over {0} bytes when decoded")]
    OverCap(usize),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            b"br" => Self::Brotli,
            b"zstd" => Self::Zstd,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Removes every coding that the Content-Encoding and Transfer-Encoding fields name, the last one first. An empty body
/// is returned as it is: answers to HEAD and 304 answers name a coding too.
pub(crate) fn decode<'b>(
    headers: &Headers,
    body: &'b [u8],
    cap: usize,
) -> Result<Cow<'b, [u8]>, DecodeError> {
    let mut content = Cow::Borrowed(body);
    if body.is_empty() {
        return Ok(content);
    }
    for coding in codings(headers)?.into_iter().rev() {
        content = Cow::Owned(remove(coding, &content, cap)?);
    }
    if content.len() > cap {
        return Err(DecodeError::OverCap(cap));
    }
    Ok(content)
}

/// Names that mean no content coding: those of the registry, of character sets and of transfer encodings, and the one
/// that stores keep of an upload that came in signed chunks (`aws-chunked`).
const NONE: [&[u8]; 15] = [
    b"",
    b"aws-chunked",
    b"identity",
    b"none",
    b"null",
    b"plain",
    b"text",
    b"binary",
    b"7bit",
    b"8bit",
    b"utf-8",
    b"utf8",
    b"us-ascii",
    b"iso-8859-1",
    b"amz-1.0",
];

/// Removes one coding by its name, as gRPC's messages have it.
pub(super) fn decode_as(name: &[u8], body: &[u8], cap: usize) -> Result<Vec<u8>, DecodeError> {
    match Coding::named(&name.trim_ascii().to_ascii_lowercase()) {
        Some(coding) => remove(coding, body, cap),
        None => Err(DecodeError::Unknown),
    }
}

/// Whether a name, in lower case, means no content coding.
pub(crate) fn is_none(name: &[u8]) -> bool {
    NONE.contains(&name)
}

/// Whether every name in the Content-Encoding field is a known coding or means none. Content with another name is
/// compared undecoded, and not shown.
pub(crate) fn is_known(headers: &Headers) -> bool {
    let codings: [&[u8]; 5] = [b"gzip", b"x-gzip", b"deflate", b"br", b"zstd"];
    headers
        .get_all("content-encoding")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .all(|name| codings.contains(&name.as_slice()) || NONE.contains(&name.as_slice()))
}

/// In the order in which they were applied.
fn codings(headers: &Headers) -> Result<Vec<Coding>, DecodeError> {
    let mut found = Vec::new();
    // The message reader has removed `chunked`, and nothing else (RFC 9112 section 7).
    let names = ["content-encoding", "transfer-encoding"]
        .into_iter()
        .flat_map(|field| headers.get_all(field))
        .flat_map(|value| value.split(|byte| *byte == b','));
    for name in names {
        let name = name.trim_ascii().to_ascii_lowercase();
        if UNREAD.contains(&name.as_slice()) {
            return Err(DecodeError::Unknown);
        }
        let Some(coding) = Coding::named(&name) else {
            // `identity`, and other names that servers use for content without a coding: the name of a character set,
            // `none`, `binary`, a transfer encoding.
            continue;
        };
        if found.len() == MAX_CODINGS {
            return Err(DecodeError::TooManyCodings);
        }
        found.push(coding);
    }
    Ok(found)
}

fn remove(coding: Coding, body: &[u8], cap: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let read = match coding {
        Coding::Gzip => gzip(body, &mut out, cap),
        Coding::Deflate => deflate(body, &mut out, cap),
        Coding::Brotli => fill(
            brotli_decompressor::Decompressor::new(body, BROTLI_BUFFER),
            &mut out,
            cap,
        ),
        Coding::Zstd => zstd(body, &mut out, cap),
    };
    match read {
        Some(()) if out.len() > cap => Err(DecodeError::OverCap(cap)),
        Some(()) => Ok(out),
        None => Err(DecodeError::Corrupt(coding.name())),
    }
}

/// Reads to the end, or to one byte more than `cap`. `None` when the reader fails.
fn fill(reader: impl Read, out: &mut Vec<u8>, cap: usize) -> Option<()> {
    let room = cap.saturating_add(1).saturating_sub(out.len());
    reader
        .take(u64::try_from(room).unwrap_or(u64::MAX))
        .read_to_end(out)
        .ok()
        .map(|_read| ())
}

/// The reading of a lenient client where a coding cannot be removed: content that is text was never coded, and of
/// damaged gzip or deflate data the part before the damage is used. `None` if there is neither.
pub(crate) fn leniently<'b>(headers: &Headers, body: &'b [u8], cap: usize) -> Option<Cow<'b, [u8]>> {
    let mut content = Cow::Borrowed(body);
    for coding in codings(headers).ok()?.into_iter().rev() {
        let mut out = Vec::new();
        let read = match coding {
            Coding::Gzip => gzip(&content, &mut out, cap),
            Coding::Deflate => deflate(&content, &mut out, cap),
            Coding::Brotli | Coding::Zstd => remove(coding, &content, cap).ok().map(|read| out = read),
        };
        if read.is_none() && is_plain(&content) {
            continue;
        }
        if out.is_empty() || out.len() > cap {
            return None;
        }
        content = Cow::Owned(out);
    }
    Some(content)
}

/// Whether content is text without control characters, which no coding produces.
fn is_plain(content: &[u8]) -> bool {
    core::str::from_utf8(content).is_ok() && !charset::has_control(content)
}

/// The first bytes of a gzip member (RFC 1952 section 2.3.1).
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// The content of a gzip file, whatever its fields say; `None` if the bytes are no gzip file.
pub(crate) fn gzip_file(content: &[u8], cap: usize) -> Option<Vec<u8>> {
    if !content.starts_with(&GZIP) {
        return None;
    }
    remove(Coding::Gzip, content, cap).ok()
}

/// Members one after the other (RFC 1952 section 2.2). Padding with zeros or blanks after the last one is ignored, as
/// gzip itself does.
fn gzip(body: &[u8], out: &mut Vec<u8>, cap: usize) -> Option<()> {
    let mut rest = body;
    let is_padding = |rest: &[u8]| rest.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n' | b' '));
    loop {
        fill(flate2::bufread::GzDecoder::new(&mut rest), out, cap)?;
        if out.len() > cap || is_padding(rest) {
            return Some(());
        }
    }
}

/// RFC 9110 section 8.4.1.2 means the zlib format (RFC 1950); some servers send bare deflate data, as its note says.
fn deflate(body: &[u8], out: &mut Vec<u8>, cap: usize) -> Option<()> {
    // The first two bytes of the zlib format, read as one number, are a multiple of 31, and the method is 8.
    let zlib = match body {
        [method, flags, ..] => method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31),
        _ => false,
    };
    if zlib && fill(flate2::bufread::ZlibDecoder::new(body), out, cap).is_some() {
        return Some(());
    }
    out.clear();
    fill(flate2::bufread::DeflateDecoder::new(body), out, cap)
}

/// One or more frames (RFC 8878 section 3.1), without skippable ones.
fn zstd(body: &[u8], out: &mut Vec<u8>, cap: usize) -> Option<()> {
    let mut rest = body;
    let window = u64::try_from(cap.max(ZSTD_WINDOW)).unwrap_or(u64::MAX);
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.set_max_window_size(window);
    for _frame in 0..MAX_FRAMES {
        if rest.is_empty() || out.len() > cap {
            return Some(());
        }
        if let Some(behind) = skippable(rest) {
            rest = behind;
            continue;
        }
        let stream = ruzstd::decoding::StreamingDecoder::new_with_decoder(&mut rest, &mut decoder).ok()?;
        fill(stream, out, cap)?;
        let whole = decoder.is_finished();
        if whole
            && decoder.get_checksum_from_data() != decoder.get_calculated_checksum()
            && decoder.get_checksum_from_data().is_some()
        {
            return None;
        }
        if !whole && out.len() <= cap {
            return None;
        }
    }
    None
}

/// The bytes after a skippable frame, if this is one.
fn skippable(frame: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = frame.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*magic) & 0xffff_fff0 != 0x184d_2a50 {
        return None;
    }
    let (len, rest) = rest.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_le_bytes(*len)).ok()?..)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
