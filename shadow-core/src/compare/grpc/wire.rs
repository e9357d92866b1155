//! The wire format of Protocol Buffers: numbered fields of four types.
//!
//! Bounds: [`MAX_FIELDS`] fields of one message. Groups, which are no longer used, are not read.

/// Fields that are read, over all messages and levels.
pub(super) const MAX_FIELDS: usize = 1 << 19;

/// The largest field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// A value on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Value<'m> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'m [u8]),
}

/// The fields of a message in their order, or `None` if the bytes are no message.
pub(crate) fn fields(message: &[u8]) -> Option<Vec<(u32, Value<'_>)>> {
    let mut found = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let number = key >> 3;
        if number == 0 || number > MAX_NUMBER {
            return None;
        }
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(*chunk(&mut rest)?)),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, behind) = rest.split_at_checked(length)?;
                rest = behind;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(u32::from_le_bytes(*chunk(&mut rest)?)),
            // Groups are no longer used, and are compared as bytes.
            _ => return None,
        };
        if found.len() >= MAX_FIELDS {
            return None;
        }
        found.push((u32::try_from(number).ok()?, value));
    }
    Some(found)
}

pub(super) fn chunk<'m, const N: usize>(rest: &mut &'m [u8]) -> Option<&'m [u8; N]> {
    let (chunk, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(chunk)
}

/// A number of at most ten bytes.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Text without control characters, other than line ends and tabs.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    core::str::from_utf8(value)
        .ok()
        .filter(|text| !text.contains(is_control))
}

/// Writes one field as it is on the wire.
pub(crate) fn put(number: u32, value: Value<'_>, out: &mut Vec<u8>) {
    let key = |kind: u64| u64::from(number) << 3 | kind;
    match value {
        Value::Varint(value) => {
            put_varint(key(0), out);
            put_varint(value, out);
        }
        Value::Fixed64(bits) => {
            put_varint(key(1), out);
            out.extend(bits.to_le_bytes());
        }
        Value::Bytes(bytes) => {
            put_varint(key(2), out);
            put_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), out);
            out.extend_from_slice(bytes);
        }
        Value::Fixed32(bits) => {
            put_varint(key(5), out);
            out.extend(bits.to_le_bytes());
        }
    }
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}
