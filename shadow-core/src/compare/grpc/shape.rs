//! The structure of messages of Protocol Buffers: by their types where those are known, and by field numbers elsewhere.
//!
//! The wire format has four types and no names, and a field of bytes may be text, a message or neither. Without a type
//! the structure is therefore inferred from all messages that are compared: a field is text if it is text everywhere,
//! and a message only if it can be read as one everywhere, on both sides. A field that a known type lacks, or that has
//! another type on the wire, is read without a type. Bounds: [`MAX_DEPTH`] levels, [`MAX_FIELDS`] fields over all
//! levels.

use std::{borrow::Cow, collections::BTreeMap};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{
    scalar,
    wire::{MAX_FIELDS, Value, fields, text},
};

/// Nested messages; one further down is bytes.
const MAX_DEPTH: usize = 32;

/// Bytes that count as one field where the library reads a message.
const BYTES_OF_FIELD: usize = 4;

/// The structure of all messages at one place.
#[derive(Debug, Default)]
pub(super) struct Shape(pub(super) BTreeMap<u32, Field>);

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in the document.
    pub(super) name: String,
    /// Whether it is written as a list.
    pub(super) repeated: bool,
    /// Whether its default is the same as its absence.
    pub(super) implicit: bool,
    pub(super) form: Form,
}

/// How values are read.
#[derive(Debug)]
pub(super) enum Form {
    /// By the type on the wire.
    Inferred {
        /// Whether values of 64 and of 32 bits look like floating-point numbers.
        floats: [bool; 2],
        bytes: Bytes,
    },
    Scalar(Kind),
    Message(Shape),
    /// In the form that the type has in the JSON mapping.
    Own(MessageDescriptor),
    /// `google.protobuf.Any`, by the type in it; `None` for one that is no message.
    Any(BTreeMap<String, Option<Self>>),
    /// A map by the kind of its keys, and its values by their kind.
    Map(Kind, Kind, Box<Self>),
}

/// How values with a length are read without a type.
#[derive(Debug)]
pub(super) enum Bytes {
    Text,
    Message(Shape),
    Opaque,
}

/// The values of one field in one message.
pub(super) type Values<'m> = Vec<Value<'m>>;

/// How messages at one place are read, of all that are compared.
pub(super) fn of(messages: &[&[u8]], of: Option<&MessageDescriptor>) -> Option<Form> {
    let mut left = MAX_FIELDS;
    message(messages, of, 0, &mut left)
}

/// How messages of one type are read. `None` if one of them is no message, or there are too many fields.
fn message(
    messages: &[&[u8]],
    of: Option<&MessageDescriptor>,
    depth: usize,
    left: &mut usize,
) -> Option<Form> {
    if let Some(of) = of {
        if of.full_name() == "google.protobuf.Any"
            && let Some(any) = any(messages, of, depth, left)
        {
            return Some(any);
        }
        let own = |message: &&[u8]| scalar::own_form(of, message).is_some();
        if scalar::has_own_form(of) {
            // The library reads them, so their fields are not counted one by one.
            let bytes: usize = messages.iter().map(|message| message.len()).sum();
            *left = left.checked_sub(bytes / BYTES_OF_FIELD)?;
            if messages.iter().all(own) {
                return Some(Form::Own(of.clone()));
            }
        }
    }
    shape(messages, of, depth, left).map(Form::Message)
}

/// The structure of messages at one place.
fn shape(
    messages: &[&[u8]],
    of: Option<&MessageDescriptor>,
    depth: usize,
    left: &mut usize,
) -> Option<Shape> {
    let mut all: BTreeMap<u32, Vec<Values<'_>>> = BTreeMap::new();
    for message in messages {
        for (number, values) in by_number(message)? {
            *left = left.checked_sub(values.len())?;
            all.entry(number).or_default().push(values);
        }
    }
    let mut shape = Shape::default();
    for (number, seen) in all {
        let known = of.and_then(|of| of.get_field(number));
        let typed = known.and_then(|known| Field::typed(&known, &seen, depth, left));
        let field = typed.unwrap_or_else(|| Field::inferred(number, &seen, depth, left));
        shape.0.insert(number, field);
    }
    Some(shape)
}

pub(super) fn by_number(message: &[u8]) -> Option<BTreeMap<u32, Values<'_>>> {
    let mut found: BTreeMap<u32, Values<'_>> = BTreeMap::new();
    for (number, value) in fields(message)? {
        found.entry(number).or_default().push(value);
    }
    Some(found)
}

/// `google.protobuf.Any`. `None` if one of them is malformed.
fn any(messages: &[&[u8]], of: &MessageDescriptor, depth: usize, left: &mut usize) -> Option<Form> {
    let mut by_type: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
    for message in messages {
        let (name, content) = any_parts(message)?;
        by_type.entry(name).or_default().push(content);
    }
    let mut forms = BTreeMap::new();
    for (url, contents) in by_type {
        let name = url.rsplit('/').next().unwrap_or_default();
        let of = of.parent_pool().get_message_by_name(name);
        let form = (depth < MAX_DEPTH)
            .then(|| message(&contents, of.as_ref(), depth.saturating_add(1), left))
            .flatten();
        let form = match form {
            // Members of an unknown type are not those of the message.
            Some(Form::Message(shape)) if of.is_none() => Some(Form::Inferred {
                floats: [false; 2],
                bytes: Bytes::Message(shape),
            }),
            form => form,
        };
        forms.insert(url.to_owned(), form);
    }
    Some(Form::Any(forms))
}

/// The type and the content of a `google.protobuf.Any`.
pub(super) fn any_parts(message: &[u8]) -> Option<(&str, &[u8])> {
    let (mut name, mut content) = ("", &b""[..]);
    for (number, value) in fields(message)? {
        match (number, value) {
            (1, Value::Bytes(url)) => name = text(url)?,
            (2, Value::Bytes(value)) => content = value,
            _ => return None,
        }
    }
    Some((name, content))
}

/// How the values of one field are read without a type.
fn inferred(values: &[&[u8]], depth: usize, left: &mut usize) -> Bytes {
    let is_text = values.iter().all(|value| text(value).is_some());
    // A message whose first field is text begins with a line feed; no text does that and fits as a message, too.
    let maybe = |value: &&[u8]| value.first() == Some(&b'\n') && fields(value).is_some();
    if is_text && !values.iter().any(maybe) {
        return Bytes::Text;
    }
    if depth < MAX_DEPTH
        && values.iter().any(|value| !value.is_empty())
        && let Some(shape) = shape(values, None, depth.saturating_add(1), left)
    {
        return Bytes::Message(shape);
    }
    if is_text { Bytes::Text } else { Bytes::Opaque }
}

/// Whether a number has a size that floating-point numbers of applications have. Integers of 64 bits, as bits of such a
/// number, are hardly ever in this range.
fn is_usual(number: f64) -> bool {
    number == 0.0 || number.is_finite() && (1e-12..1e18).contains(&number.abs())
}

/// The values that have a length.
pub(super) fn with_length<'v>(values: impl Iterator<Item = &'v Value<'v>>) -> Option<Vec<&'v [u8]>> {
    values
        .map(|value| match value {
            Value::Bytes(bytes) => Some(*bytes),
            _ => None,
        })
        .collect()
}

/// One message from all parts of a field that is not a list: they are merged, as if they were one.
pub(super) fn merged<'m>(parts: &[Value<'m>]) -> Cow<'m, [u8]> {
    match parts {
        [Value::Bytes(one)] => Cow::Borrowed(one),
        _ => Cow::Owned(with_length(parts.iter()).unwrap_or_default().concat()),
    }
}

/// The key and the value of an entry of a map.
pub(super) fn entry<'m>(message: &'m [u8], (key, value): (&Kind, &Kind)) -> Option<[Value<'m>; 2]> {
    let mut pair = [scalar::zero(key), scalar::zero(value)];
    for (number, found) in fields(message)? {
        match (number, &mut pair) {
            (1, [place, _]) if scalar::fits(key, found) => *place = found,
            (2, [_, place]) if scalar::fits(value, found) => *place = found,
            // Readers drop it.
            _ => {}
        }
    }
    Some(pair)
}

impl Field {
    fn inferred(number: u32, seen: &[Values<'_>], depth: usize, left: &mut usize) -> Self {
        let mut floats = [true; 2];
        let mut bytes = Vec::new();
        for value in seen.iter().flatten() {
            let [long, short] = &mut floats;
            match value {
                Value::Varint(_) => {}
                Value::Fixed64(bits) => *long &= is_usual(f64::from_bits(*bits)),
                Value::Fixed32(bits) => *short &= is_usual(f32::from_bits(*bits).into()),
                Value::Bytes(value) => bytes.push(*value),
            }
        }
        Self {
            name: number.to_string(),
            repeated: seen.iter().any(|values| values.len() > 1),
            implicit: false,
            form: Form::Inferred {
                floats,
                bytes: inferred(&bytes, depth, left),
            },
        }
    }

    /// `None` if a value has another type on the wire.
    fn typed(of: &FieldDescriptor, seen: &[Values<'_>], depth: usize, left: &mut usize) -> Option<Self> {
        let kind = of.kind();
        let all = || seen.iter().flatten();
        let depth = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH);
        let form = match &kind {
            _ if of.is_group() => return None,
            Kind::Message(entries) if of.is_map() => {
                let (key, value) = (
                    entries.map_entry_key_field().kind(),
                    entries.map_entry_value_field().kind(),
                );
                let mut values = Vec::new();
                for found in with_length(all())? {
                    let [_, found] = entry(found, (&key, &value))?;
                    *left = left.checked_sub(1)?;
                    values.push(found);
                }
                let form = match &value {
                    Kind::Message(of) => message(&with_length(values.iter())?, Some(of), depth?, left)?,
                    _ => Form::Scalar(value.clone()),
                };
                Form::Map(key, value, Box::new(form))
            }
            Kind::Message(of_values) => {
                with_length(all())?;
                let parts: Vec<Cow<'_, [u8]>> = if of.is_list() {
                    with_length(all())?.into_iter().map(Cow::Borrowed).collect()
                } else {
                    seen.iter().map(|parts| merged(parts)).collect()
                };
                let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
                message(&parts, Some(of_values), depth?, left)?
            }
            _ => {
                for value in all() {
                    match value {
                        value if scalar::fits(&kind, *value) => {}
                        Value::Bytes(packed) if of.is_list() => {
                            let mut rest = *packed;
                            while !rest.is_empty() {
                                scalar::next(&kind, &mut rest)?;
                                *left = left.checked_sub(1)?;
                            }
                        }
                        _ => return None,
                    }
                }
                Form::Scalar(kind)
            }
        };
        Some(Self {
            name: of.json_name().to_owned(),
            repeated: of.is_list(),
            implicit: !of.supports_presence() && !of.is_list() && !of.is_map(),
            form,
        })
    }
}
