//! Messages of Protocol Buffers as JSON documents, so that rules, noise and redaction apply to them as to JSON.
//!
//! Of a known type the document is that of the JSON mapping, except that numbers of 64 bits are numbers and that bytes
//! are shown as text or by length and digest. Otherwise its members are named by field numbers. Bias: two values that
//! differ to a reader of the messages differ in the documents, too.

use core::fmt::Write as _;
use std::{borrow::Cow, collections::BTreeMap};

use prost_reflect::{Kind, MessageDescriptor};

use super::{
    scalar::{self, digest, string},
    shape::{self, Bytes, Field, Form, Shape, any_parts, by_number, entry, merged, with_length},
    wire::{Value, text},
};

/// The messages of two sides as JSON documents of one structure. `None` if one of them is no message.
pub(super) fn documents(
    sides: [&[Cow<'_, [u8]>]; 2],
    of: Option<&MessageDescriptor>,
) -> Option<[Vec<Vec<u8>>; 2]> {
    let all: Vec<&[u8]> = sides.iter().copied().flatten().map(AsRef::as_ref).collect();
    let form = shape::of(&all, of)?;
    let written = |side: &[Cow<'_, [u8]>]| {
        let document = |message: &Cow<'_, [u8]>| {
            let mut out = String::new();
            form.write(Value::Bytes(message), &mut out);
            out.into_bytes()
        };
        side.iter().map(document).collect()
    };
    Some(sides.map(written))
}

impl Field {
    /// Writes the member of a document, after a separator, unless it is as if it were absent.
    fn write(&self, values: &[Value<'_>], separator: &str, out: &mut String) -> bool {
        let start = out.len();
        out.push_str(separator);
        string(&self.name, out);
        out.push(':');
        let is_written = match &self.form {
            Form::Map(key, value, form) => write_map((key, value, form), values, out),
            form if self.repeated => {
                out.push('[');
                let mut separator = "";
                for value in values {
                    form.write_elements(*value, &mut separator, out);
                }
                out.push(']');
                !separator.is_empty()
            }
            form @ (Form::Message(_) | Form::Own(_) | Form::Any(_)) => {
                form.write(Value::Bytes(&merged(values)), out);
                true
            }
            form => {
                let last = values.last().copied();
                if let Some(last) = last {
                    form.write(last, out);
                }
                let zero = match form {
                    Form::Scalar(kind) if self.implicit => Some(scalar::zero(kind)),
                    _ => None,
                };
                last != zero
            }
        };
        if !is_written {
            out.truncate(start);
        }
        is_written
    }
}

/// Writes a map, and returns whether it has an entry. Of equal keys the last one counts.
fn write_map((key, value, form): (&Kind, &Kind, &Form), values: &[Value<'_>], out: &mut String) -> bool {
    let mut entries = BTreeMap::new();
    for found in with_length(values.iter()).unwrap_or_default() {
        if let Some([name, value]) = entry(found, (key, value)) {
            let mut shown = String::new();
            scalar::write(key, name, &mut shown);
            entries.insert(shown, value);
        }
    }
    out.push('{');
    let mut separator = "";
    for (name, value) in &entries {
        out.push_str(separator);
        separator = ",";
        if name.starts_with('"') {
            out.push_str(name);
        } else {
            string(name, out);
        }
        out.push(':');
        form.write(*value, out);
    }
    out.push('}');
    !entries.is_empty()
}

impl Shape {
    /// Writes the members of a message of this structure, the first of them after a separator.
    fn write(&self, message: &[u8], mut separator: &str, out: &mut String) {
        for (number, values) in by_number(message).unwrap_or_default() {
            if let Some(field) = self.0.get(&number)
                && field.write(&values, separator, out)
            {
                separator = ",";
            }
        }
    }
}

impl Form {
    /// Writes an element of a list, or all of a packed part of one.
    fn write_elements(&self, value: Value<'_>, separator: &mut &str, out: &mut String) {
        let mut write = |value: Value<'_>| {
            out.push_str(separator);
            *separator = ",";
            self.write(value, out);
        };
        match (self, value) {
            (Self::Scalar(kind), Value::Bytes(packed)) if !scalar::fits(kind, value) => {
                let mut rest = packed;
                while let Some(value) = scalar::next(kind, &mut rest) {
                    write(value);
                }
            }
            _ => write(value),
        }
    }

    fn write(&self, value: Value<'_>, out: &mut String) {
        match (self, value) {
            (Self::Scalar(kind), value) => scalar::write(kind, value, out),
            (Self::Message(shape), Value::Bytes(bytes)) => {
                out.push('{');
                shape.write(bytes, "", out);
                out.push('}');
            }
            (Self::Own(of), Value::Bytes(bytes)) => {
                // It was made once before.
                out.push_str(&scalar::own_form(of, bytes).unwrap_or_else(|| "null".to_owned()));
            }
            (Self::Any(forms), Value::Bytes(bytes)) => write_any(forms, bytes, out),
            (Self::Inferred { floats, bytes }, value) => write_inferred(*floats, bytes, value, out),
            // Neither is made for other values.
            (_, Value::Bytes(bytes)) => string(&digest(bytes), out),
            (_, value) => write_inferred([false; 2], &Bytes::Opaque, value, out),
        }
    }
}

fn write_any(forms: &BTreeMap<String, Option<Form>>, message: &[u8], out: &mut String) {
    let (url, content) = any_parts(message).unwrap_or_default();
    out.push_str("{\"@type\":");
    string(url, out);
    match forms.get(url) {
        Some(Some(Form::Message(shape))) => shape.write(content, ",", out),
        Some(Some(form)) => {
            out.push_str(",\"value\":");
            form.write(Value::Bytes(content), out);
        }
        _ if content.is_empty() => {}
        _ => {
            out.push_str(",\"value\":");
            scalar::text_or_digest(content, out);
        }
    }
    out.push('}');
}

fn write_inferred([long, short]: [bool; 2], form: &Bytes, value: Value<'_>, out: &mut String) {
    let written = match value {
        Value::Varint(number) => write!(out, "{}", number.cast_signed()),
        Value::Fixed64(bits) if long => write!(out, "{:?}", f64::from_bits(bits)),
        Value::Fixed64(bits) => write!(out, "{}", bits.cast_signed()),
        Value::Fixed32(bits) if short => write!(out, "{:?}", f32::from_bits(bits)),
        Value::Fixed32(bits) => write!(out, "{}", bits.cast_signed()),
        Value::Bytes(bytes) => {
            match (form, text(bytes)) {
                (Bytes::Message(shape), _) => {
                    out.push('{');
                    shape.write(bytes, "", out);
                    out.push('}');
                }
                (Bytes::Text, Some(text)) => string(text, out),
                (Bytes::Text | Bytes::Opaque, _) => string(&digest(bytes), out),
            }
            Ok(())
        }
    };
    // Writing to a String does not fail.
    written.unwrap_or_default();
}
