//! Field lines in every valid form (RFC 9112 section 5).

use super::{rng::Rng, spec::Framing};

pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) fn field(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// Field lines that only have to be preserved: odd case, repeats, empty values, obs-text, look-alikes.
pub(crate) fn extra(fields: &mut Fields, chosen: &[u8]) {
    for choice in chosen {
        let (name, value): (&str, &[u8]) = match choice % 10 {
            0 => ("x-lower", b"1"),
            1 => ("X-SHOUT", b"LOUD"),
            2 => ("Cookie", b"a=1; b=\"two words\""),
            3 => ("cOOKIE", b"c=3"),
            4 => ("X-Empty", b""),
            5 => ("X-Obs-Text", b"caf\xe9 \xff\x80"),
            6 => ("X-Content-Length", b"99999"),
            7 => ("Accept", b"text/html;q=0.9,\t*/*"),
            8 => ("X-Transfer-Encoding", b"chunked"),
            _ => ("!#$%&'*+-.^_`|~9", b"every tchar"),
        };
        fields.push((name.as_bytes().to_vec(), value.to_vec()));
    }
}

pub(crate) fn framing_fields(fields: &mut Fields, framing: Framing, len: usize, rng: &mut Rng) {
    match framing {
        Framing::None | Framing::Close => {}
        Framing::Length => {
            let name = ["Content-Length", "content-length", "CONTENT-LENGTH"][rng.below(3)];
            fields.push(field(name, &len.to_string()));
        }
        Framing::Chunked => {
            let name = ["Transfer-Encoding", "transfer-encoding", "TRANSFER-ENCODING"][rng.below(3)];
            fields.push(field(name, ["chunked", "Chunked", "CHUNKED"][rng.below(3)]));
        }
    }
}

pub(crate) fn connection_field(fields: &mut Fields, http10: bool, persists: Option<bool>, rng: &mut Rng) {
    match persists {
        Some(true) => fields.push(field("Connection", ["keep-alive", "Keep-Alive"][rng.below(2)])),
        Some(false) if !http10 || rng.chance(500) => fields.push(field("Connection", "close")),
        Some(false) | None => {}
    }
}

pub(crate) fn write_fields(out: &mut Vec<u8>, fields: &Fields, rng: &mut Rng) {
    for (name, value) in fields {
        let (before, after) = [(" ", ""), (" ", ""), ("", ""), (" \t ", " "), ("\t", "\t")][rng.below(5)];
        out.extend_from_slice(name);
        out.extend_from_slice(b":");
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(after.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
