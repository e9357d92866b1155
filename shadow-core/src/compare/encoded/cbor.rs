//! CBOR (RFC 8949).

use super::{Bytes, Json, MAX_DEPTH};

/// The end of a value of unknown length.
const BREAK: u8 = 0xff;

/// The argument of a head (RFC 8949 section 3).
#[derive(Clone, Copy)]
enum Argument {
    Number(u64),
    /// The value ends with [`BREAK`].
    Open,
}

impl Argument {
    fn read(bytes: &mut Bytes<'_>, bits: u8) -> Option<Self> {
        match bits {
            0..=23 => Some(Self::Number(bits.into())),
            24..=27 => bytes.number(1 << (bits - 24)).map(Self::Number),
            31 => Some(Self::Open),
            _ => None,
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Open => None,
        }
    }

    /// Whether another element follows after this many.
    fn has_more(self, bytes: &mut Bytes<'_>, number: usize) -> Option<bool> {
        match self {
            Self::Number(length) => Some((number as u64) < length),
            Self::Open => {
                let ends = *bytes.0.first()? == BREAK;
                if ends {
                    bytes.byte()?;
                }
                Some(!ends)
            }
        }
    }
}

/// Reads one value.
pub(super) fn value(bytes: &mut Bytes<'_>, depth: usize, out: &mut Json) -> Option<()> {
    let below = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
    let first = bytes.byte()?;
    let (major, bits) = (first >> 5, first & 0x1f);
    if major == 7 {
        return simple(bytes, bits, out);
    }
    let argument = Argument::read(bytes, bits)?;
    match major {
        0 => out.integer(argument.number()?.into()),
        1 => out.integer(-1 - i128::from(argument.number()?)),
        2 => out.bytes(&string(bytes, argument, 2)?),
        3 => out.string(&string(bytes, argument, 3)?),
        4 => out.list(["[", "]"], |out, number| {
            let more = argument.has_more(bytes, number)?;
            if more {
                value(bytes, below, out)?;
            }
            Some(more)
        }),
        5 => out.list(["{", "}"], |out, number| {
            let more = argument.has_more(bytes, number)?;
            if more {
                out.name(|out| value(bytes, below, out))?;
                value(bytes, below, out)?;
            }
            Some(more)
        }),
        _ => out.typed("tag", argument.number()?.into(), |out| value(bytes, below, out)),
    }
}

/// Bytes or text, in one piece or in several of known length.
fn string(bytes: &mut Bytes<'_>, argument: Argument, major: u8) -> Option<Vec<u8>> {
    let piece = |bytes: &mut Bytes<'_>, length: u64| -> Option<Vec<u8>> {
        Some(bytes.take(usize::try_from(length).ok()?)?.to_vec())
    };
    if let Argument::Number(length) = argument {
        return piece(bytes, length);
    }
    let mut all = Vec::new();
    while argument.has_more(bytes, 0)? {
        let head = bytes.byte()?;
        let length = Argument::read(bytes, head & 0x1f)?.number()?;
        let next = (head >> 5 == major).then(|| piece(bytes, length))??;
        all.extend(next);
    }
    Some(all)
}

/// Simple values and floating-point numbers (RFC 8949 section 3.3).
fn simple(bytes: &mut Bytes<'_>, bits: u8, out: &mut Json) -> Option<()> {
    match bits {
        20 => out.put("false"),
        21 => out.put("true"),
        22 => out.put("null"),
        25 => out.float(half(u16::from_be_bytes(bytes.array()?))),
        26 => out.float(f32::from_be_bytes(bytes.array()?).into()),
        27 => out.float(f64::from_be_bytes(bytes.array()?)),
        0..=23 => out.typed("simple", bits.into(), |out| out.put("true")),
        24 => {
            let number = bytes.byte()?;
            out.typed("simple", number.into(), |out| out.put("true"))
        }
        _ => None,
    }
}

/// A number of 16 bits (RFC 8949 appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (bits >> 10 & 0x1f, f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}
