//! Protocol Buffers without a schema: messages as JSON documents with field numbers as names.
//!
//! The wire format has four types and no names, and a field of bytes may be text, a message or neither. The structure
//! is therefore inferred from all messages that are compared: a field is text if it is text everywhere, and a message
//! only if it can be read as one everywhere, on both sides. Bytes are shown by length and digest. Bounds:
//! [`MAX_DEPTH`] levels, [`MAX_FIELDS`] fields over all levels. Bias: two values that differ on the wire differ in the
//! documents, too, except for the order of different fields, which has no meaning.

use core::fmt::Write as _;
use std::{borrow::Cow, collections::BTreeMap};

/// Nested messages; one further down is bytes.
const MAX_DEPTH: usize = 32;

/// Fields that are read, over all messages and levels.
const MAX_FIELDS: usize = 1 << 19;

/// The largest field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// A value on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'m> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'m [u8]),
}

/// The structure of all messages at one place.
#[derive(Debug, Default)]
struct Shape(BTreeMap<u32, Field>);

/// One field of a message.
#[derive(Debug)]
struct Field {
    /// Whether a message has it more than once.
    repeated: bool,
    /// Whether values of 64 and of 32 bits look like floating-point numbers.
    floats: [bool; 2],
    form: Form,
}

/// How values with a length are read.
#[derive(Debug)]
enum Form {
    Text,
    Message(Shape),
    Bytes,
}

/// The fields of a message in their order, or `None` if it is none.
pub(super) fn fields(message: &[u8]) -> Option<Vec<(u32, Value<'_>)>> {
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

fn chunk<'m, const N: usize>(rest: &mut &'m [u8]) -> Option<&'m [u8; N]> {
    let (chunk, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(chunk)
}

/// A number of at most ten bytes.
fn varint(rest: &mut &[u8]) -> Option<u64> {
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

/// The messages of two sides as JSON documents of one structure. `None` if one of them is no message.
pub(super) fn documents(sides: [&[Cow<'_, [u8]>]; 2]) -> Option<[Vec<Vec<u8>>; 2]> {
    let all: Vec<&[u8]> = sides.iter().copied().flatten().map(AsRef::as_ref).collect();
    let mut left = MAX_FIELDS;
    let shape = shape(&all, 0, &mut left)?;
    let written = |side: &[Cow<'_, [u8]>]| {
        let document = |message: &Cow<'_, [u8]>| {
            let mut out = String::new();
            shape.write(message, &mut out);
            out.into_bytes()
        };
        side.iter().map(document).collect()
    };
    Some(sides.map(written))
}

/// The structure of messages at one place, `None` if one of them is no message or there are too many fields.
fn shape(messages: &[&[u8]], depth: usize, left: &mut usize) -> Option<Shape> {
    /// All values of one field.
    #[derive(Default)]
    struct Seen<'m> {
        repeated: bool,
        floats: [bool; 2],
        bytes: Vec<&'m [u8]>,
    }
    let mut all: BTreeMap<u32, Seen<'_>> = BTreeMap::new();
    for message in messages {
        let found = fields(message)?;
        *left = left.checked_sub(found.len())?;
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for (number, value) in found {
            let count = counts.entry(number).or_default();
            *count = count.saturating_add(1);
            let seen = all.entry(number).or_insert_with(|| Seen {
                floats: [true; 2],
                ..Seen::default()
            });
            seen.repeated |= *count > 1;
            let [long, short] = &mut seen.floats;
            match value {
                Value::Varint(_) => {}
                Value::Fixed64(bits) => *long &= is_usual(f64::from_bits(bits)),
                Value::Fixed32(bits) => *short &= is_usual(f32::from_bits(bits).into()),
                Value::Bytes(bytes) => seen.bytes.push(bytes),
            }
        }
    }
    let shaped = all.into_iter().map(|(number, seen)| {
        let field = Field {
            repeated: seen.repeated,
            floats: seen.floats,
            form: form(&seen.bytes, depth, left),
        };
        (number, field)
    });
    Some(Shape(shaped.collect()))
}

/// How the values of one field are read.
fn form(values: &[&[u8]], depth: usize, left: &mut usize) -> Form {
    let is_text = values.iter().all(|value| text(value).is_some());
    // A message whose first field is text begins with a line feed; no text does that and fits as a message, too.
    let maybe = |value: &&[u8]| value.first() == Some(&b'\n') && fields(value).is_some();
    if is_text && !values.iter().any(maybe) {
        return Form::Text;
    }
    if depth < MAX_DEPTH
        && values.iter().any(|value| !value.is_empty())
        && let Some(shape) = shape(values, depth.saturating_add(1), left)
    {
        return Form::Message(shape);
    }
    if is_text { Form::Text } else { Form::Bytes }
}

/// Text without control characters, other than line ends and tabs.
fn text(value: &[u8]) -> Option<&str> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    core::str::from_utf8(value)
        .ok()
        .filter(|text| !text.contains(is_control))
}

/// Whether a number has a size that floating-point numbers of applications have. Integers of 64 bits, as bits of such a
/// number, are hardly ever in this range.
fn is_usual(number: f64) -> bool {
    number == 0.0 || number.is_finite() && (1e-12..1e18).contains(&number.abs())
}

impl Shape {
    /// Writes a message of this structure.
    fn write(&self, message: &[u8], out: &mut String) {
        let mut by_number: BTreeMap<u32, Vec<Value<'_>>> = BTreeMap::new();
        for (number, value) in fields(message).unwrap_or_default() {
            by_number.entry(number).or_default().push(value);
        }
        out.push('{');
        let mut separator = "";
        for (number, values) in by_number {
            let Some(field) = self.0.get(&number) else {
                continue;
            };
            // Writing to a String does not fail.
            write!(out, "{separator}\"{number}\":").unwrap_or_default();
            separator = ",";
            field.write(&values, out);
        }
        out.push('}');
    }
}

impl Field {
    fn write(&self, values: &[Value<'_>], out: &mut String) {
        if self.repeated {
            out.push('[');
        }
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            self.write_value(*value, out);
        }
        if self.repeated {
            out.push(']');
        }
    }

    fn write_value(&self, value: Value<'_>, out: &mut String) {
        let [long, short] = self.floats;
        let written = match value {
            Value::Varint(number) => write!(out, "{}", number.cast_signed()),
            Value::Fixed64(bits) if long => write!(out, "{:?}", f64::from_bits(bits)),
            Value::Fixed64(bits) => write!(out, "{}", bits.cast_signed()),
            Value::Fixed32(bits) if short => write!(out, "{:?}", f32::from_bits(bits)),
            Value::Fixed32(bits) => write!(out, "{}", bits.cast_signed()),
            Value::Bytes(bytes) => {
                match (&self.form, text(bytes)) {
                    (Form::Message(shape), _) => shape.write(bytes, out),
                    (Form::Text, Some(text)) => string(text, out),
                    (Form::Text | Form::Bytes, _) => string(&digest(bytes), out),
                }
                Ok(())
            }
        };
        // Writing to a String does not fail.
        written.unwrap_or_default();
    }
}

/// Length and digest: bytes cannot be searched for secrets.
pub(in crate::compare) fn digest(bytes: &[u8]) -> String {
    let hash = blake3::hash(bytes).to_hex();
    // One word, so that it differs as a whole.
    format!("bytes:{}:{}", bytes.len(), hash.get(..16).unwrap_or_default())
}

fn string(text: &str, out: &mut String) {
    // Text is always JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes one field as it is on the wire.
pub(super) fn put(number: u32, value: Value<'_>, out: &mut Vec<u8>) {
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
