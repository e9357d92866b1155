//! MessagePack, as its specification of 2017 has it.

use super::{Bytes, Json, MAX_DEPTH};

/// Reads one value.
pub(super) fn value(bytes: &mut Bytes<'_>, depth: usize, out: &mut Json) -> Option<()> {
    let first = bytes.byte()?;
    let low = |bits: u8| usize::from(first & bits);
    match first {
        0x00..=0x7f => out.integer(first.into()),
        0x80..=0x8f => map(bytes, low(0x0f), depth, out),
        0x90..=0x9f => array(bytes, low(0x0f), depth, out),
        0xa0..=0xbf => out.string(bytes.take(low(0x1f))?),
        0xc0 => out.put("null"),
        // Never used.
        0xc1 => None,
        0xc2 => out.put("false"),
        0xc3 => out.put("true"),
        0xc4..=0xc6 => {
            let length = length(bytes, first - 0xc4)?;
            out.bytes(bytes.take(length)?)
        }
        0xc7..=0xc9 => {
            let length = length(bytes, first - 0xc7)?;
            extension(bytes, length, out)
        }
        0xca => out.float(f32::from_be_bytes(bytes.array()?).into()),
        0xcb => out.float(f64::from_be_bytes(bytes.array()?)),
        0xcc..=0xcf => out.integer(bytes.number(1 << (first - 0xcc))?.into()),
        0xd0 => out.integer(i8::from_be_bytes(bytes.array()?).into()),
        0xd1 => out.integer(i16::from_be_bytes(bytes.array()?).into()),
        0xd2 => out.integer(i32::from_be_bytes(bytes.array()?).into()),
        0xd3 => out.integer(i64::from_be_bytes(bytes.array()?).into()),
        0xd4..=0xd8 => extension(bytes, 1 << (first - 0xd4), out),
        0xd9..=0xdb => {
            let length = length(bytes, first - 0xd9)?;
            out.string(bytes.take(length)?)
        }
        0xdc | 0xdd => {
            let length = length(bytes, first - 0xdb)?;
            array(bytes, length, depth, out)
        }
        0xde | 0xdf => {
            let length = length(bytes, first - 0xdd)?;
            map(bytes, length, depth, out)
        }
        0xe0..=0xff => out.integer(first.cast_signed().into()),
    }
}

/// A length of 1, 2 or 4 bytes, by the power of two.
fn length(bytes: &mut Bytes<'_>, power: u8) -> Option<usize> {
    usize::try_from(bytes.number(1 << power)?).ok()
}

fn extension(bytes: &mut Bytes<'_>, length: usize, out: &mut Json) -> Option<()> {
    let kind = i8::from_be_bytes(bytes.array()?);
    let data = bytes.take(length)?;
    out.typed("extension", kind.into(), |out| out.bytes(data))
}

fn array(bytes: &mut Bytes<'_>, length: usize, depth: usize, out: &mut Json) -> Option<()> {
    let below = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
    out.list(["[", "]"], |out, number| {
        if number < length {
            value(bytes, below, out)?;
        }
        Some(number < length)
    })
}

fn map(bytes: &mut Bytes<'_>, length: usize, depth: usize, out: &mut Json) -> Option<()> {
    let below = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
    out.list(["{", "}"], |out, number| {
        if number < length {
            out.name(|out| value(bytes, below, out))?;
            value(bytes, below, out)?;
        }
        Some(number < length)
    })
}
