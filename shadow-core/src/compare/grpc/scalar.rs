//! Values of fields whose type is known, and the messages that have a form of their own in the JSON mapping.

use core::fmt::Write as _;

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, SerializeOptions};

use super::wire::{Value, chunk, text, varint};

/// A message of its own form that is larger is written by its fields.
const MAX_KNOWN: usize = 64 << 10;

/// Messages that are a single value in the JSON mapping. `BytesValue` is not among them: bytes are shown by digest.
const KNOWN: [&str; 14] = [
    "Timestamp",
    "Duration",
    "FieldMask",
    "Struct",
    "Value",
    "ListValue",
    "DoubleValue",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "UInt32Value",
    "UInt64Value",
    "BoolValue",
    "StringValue",
];

/// Whether a value can be one of this kind. Messages are bytes.
pub(super) fn fits(kind: &Kind, value: Value<'_>) -> bool {
    core::mem::discriminant(&zero(kind)) == core::mem::discriminant(&value)
}

/// The value that a field without presence has when it is absent.
pub(super) fn zero(kind: &Kind) -> Value<'static> {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Value::Fixed64(0),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Value::Fixed32(0),
        Kind::String | Kind::Bytes | Kind::Message(_) => Value::Bytes(b""),
        _ => Value::Varint(0),
    }
}

/// The next element of a packed list; `None` at its end, or where the list is malformed.
pub(super) fn next<'m>(kind: &Kind, rest: &mut &'m [u8]) -> Option<Value<'m>> {
    Some(match zero(kind) {
        Value::Varint(_) => Value::Varint(varint(rest)?),
        Value::Fixed64(_) => Value::Fixed64(u64::from_le_bytes(*chunk(rest)?)),
        Value::Fixed32(_) => Value::Fixed32(u32::from_le_bytes(*chunk(rest)?)),
        Value::Bytes(_) => return None,
    })
}

/// Writes a value that fits its kind.
pub(super) fn write(kind: &Kind, value: Value<'_>, out: &mut String) {
    // Writing to a String does not fail.
    let written = match (kind, value) {
        (Kind::Double, Value::Fixed64(bits)) => float(f64::from_bits(bits), out),
        (Kind::Float, Value::Fixed32(bits)) => match f32::from_bits(bits) {
            number if number.is_finite() => write!(out, "{number:?}"),
            number => float(number.into(), out),
        },
        (Kind::Bool, Value::Varint(number)) => write!(out, "{}", number != 0),
        (Kind::Int32, Value::Varint(number)) => write!(out, "{}", low(number).cast_signed()),
        (Kind::Uint32, Value::Varint(number)) => write!(out, "{}", low(number)),
        (Kind::Uint64, Value::Varint(number)) => write!(out, "{number}"),
        (Kind::Sint32, Value::Varint(number)) => {
            let number = low(number);
            write!(
                out,
                "{}",
                (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
            )
        }
        (Kind::Sint64, Value::Varint(number)) => {
            write!(
                out,
                "{}",
                (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
            )
        }
        (Kind::Enum(values), Value::Varint(number)) => {
            let number = low(number).cast_signed();
            match values.get_value(number) {
                Some(value) => write!(out, "\"{}\"", value.name()),
                None => write!(out, "{number}"),
            }
        }
        (_, Value::Varint(number)) => write!(out, "{}", number.cast_signed()),
        (Kind::Fixed64, Value::Fixed64(bits)) => write!(out, "{bits}"),
        (_, Value::Fixed64(bits)) => write!(out, "{}", bits.cast_signed()),
        (Kind::Fixed32, Value::Fixed32(bits)) => write!(out, "{bits}"),
        (_, Value::Fixed32(bits)) => write!(out, "{}", bits.cast_signed()),
        (Kind::String, Value::Bytes(bytes)) => {
            match core::str::from_utf8(bytes) {
                Ok(text) => string(text, out),
                Err(_) => string(&digest(bytes), out),
            }
            Ok(())
        }
        (_, Value::Bytes(bytes)) => {
            text_or_digest(bytes, out);
            Ok(())
        }
    };
    written.unwrap_or_default();
}

/// The low bits, to which a number of 32 bits is cut when it is read.
fn low(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn float(number: f64, out: &mut String) -> core::fmt::Result {
    if number.is_nan() {
        write!(out, "\"NaN\"")
    } else if number.is_infinite() {
        write!(out, "\"{}Infinity\"", if number < 0.0 { "-" } else { "" })
    } else {
        write!(out, "{number:?}")
    }
}

/// Bytes that are text are shown as text.
pub(super) fn text_or_digest(bytes: &[u8], out: &mut String) {
    match text(bytes) {
        Some(text) => string(text, out),
        None => string(&digest(bytes), out),
    }
}

/// Length and digest: bytes cannot be searched for secrets.
pub(in crate::compare) fn digest(bytes: &[u8]) -> String {
    let hash = blake3::hash(bytes).to_hex();
    // One word, so that it differs as a whole.
    format!("bytes:{}:{}", bytes.len(), hash.get(..16).unwrap_or_default())
}

pub(super) fn string(text: &str, out: &mut String) {
    // Text is always JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Whether messages of this type have a form of their own.
pub(super) fn has_own_form(of: &MessageDescriptor) -> bool {
    let name = of.full_name().strip_prefix("google.protobuf.");
    name.is_some_and(|name| KNOWN.contains(&name))
}

/// A message in the form that its type has in the JSON mapping, such as a timestamp of RFC 3339. `None` if it is not
/// valid, or too large.
pub(super) fn own_form(of: &MessageDescriptor, message: &[u8]) -> Option<String> {
    if message.len() > MAX_KNOWN {
        return None;
    }
    let message = DynamicMessage::decode(of.clone(), message).ok()?;
    let mut out = Vec::new();
    let options = SerializeOptions::new().stringify_64_bit_integers(false);
    message
        .serialize_with_options(&mut serde_json::Serializer::new(&mut out), &options)
        .ok()?;
    String::from_utf8(out).ok()
}
