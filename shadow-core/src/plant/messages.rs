//! Faults in messages of gRPC and Connect: in one of their fields, as it is on the wire or in JSON, or in their
//! sequence.
//!
//! Without a known type a field of bytes is read as a message where it can be one, as the comparison does. Bounds: the
//! depth of messages within messages; a few passes over the content.

use std::borrow::Cow;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::compare::{
    grpc::{Read, Value, fields, framed, is_status, put, text, web_fields},
    media::is_grpc_json,
};
use shadow_proto::exchange::Headers;

use super::{Changed, Dice, Planted, json};

/// Nested messages that are searched.
const MAX_DEPTH: usize = 32;

/// The distance of the number that a field gets in place of its own.
const RENAMED: u32 = 1_000;

/// Codes of gRPC.
const CODES: [&str; 8] = ["0", "2", "3", "5", "7", "13", "14", "16"];

/// A message as its fields in their order.
type Tree = Vec<(u32, Node)>;

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Vec<u8>),
    Message(Tree),
    /// An entry of a map: neither its order nor its repetition has a meaning.
    Entry(Tree),
}

/// Plants a fault in the messages, of this type if it is known, of an answer with these fields.
pub(super) fn change(
    kind: Planted,
    (headers, content): (&Headers, &[u8]),
    of: Option<&MessageDescriptor>,
    dice: &mut Dice,
) -> Option<Changed> {
    let read = Read::of(headers, content, super::MAX_CONTENT)?;
    let (messages, place) = if is_grpc_json(headers) {
        let mut documents = read.messages.iter().map(|message| message.to_vec()).collect();
        let place = one_of(kind, &mut documents, dice, |document, dice| {
            let Changed { text, place } = json::change(kind, document, dice)?;
            *document = text;
            Some(place)
        })?;
        (documents, place)
    } else {
        let trees = read.messages.iter().map(|message| tree(message, of, 0));
        let mut trees: Vec<Tree> = trees.collect::<Option<_>>()?;
        let place = one_of(kind, &mut trees, dice, |tree, dice| in_message(kind, tree, dice))?;
        (trees.iter().map(bytes).collect(), place)
    };
    Some(Changed {
        text: framed(headers, &messages, read.trailers.as_deref())?,
        place,
    })
}

/// Plants a fault in one of several messages, or in their sequence.
fn one_of<M: Clone + PartialEq>(
    kind: Planted,
    messages: &mut Vec<M>,
    dice: &mut Dice,
    within: impl FnOnce(&mut M, &mut Dice) -> Option<String>,
) -> Option<String> {
    let many = messages.len() > 1;
    let of_sequence = matches!(kind, Planted::Lost | Planted::Duplicated | Planted::Swapped);
    if of_sequence && many && dice.next().is_multiple_of(2) {
        return in_sequence(kind, messages, dice);
    }
    let at = dice.below(messages.len());
    let place = within(messages.get_mut(at)?, dice)?;
    Some(if many {
        format!("event {} {place}", at.saturating_add(1))
    } else {
        place
    })
}

/// Fields with another status of gRPC, or `None` if there is none in them.
pub(super) fn other_status(fields: &Headers, dice: &mut Dice) -> Option<Headers> {
    let old = fields.iter().find(|(name, _)| is_status(name))?.1;
    let code = *dice.pick(&CODES).filter(|code| code.as_bytes() != old)?;
    let changed = fields.iter().map(|(name, value)| {
        let value = if is_status(name) { code.as_bytes() } else { value };
        (name, value)
    });
    Some(Headers::from_pairs(changed))
}

/// A content of gRPC-Web, or a stream of Connect, with another status of gRPC. `None` if there is none in it.
pub(super) fn other_web_status(headers: &Headers, content: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let Read { messages, trailers } = Read::of(headers, content, super::MAX_CONTENT)?;
    let mut lines = Vec::new();
    for (name, value) in other_status(&web_fields(&trailers?), dice)?.iter() {
        lines.extend([name, b": ", value, b"\r\n"].concat());
    }
    let messages: Vec<Vec<u8>> = messages.into_iter().map(Cow::into_owned).collect();
    framed(headers, &messages, Some(&lines))
}

/// A fault in the sequence of messages.
fn in_sequence<M: Clone + PartialEq>(kind: Planted, trees: &mut Vec<M>, dice: &mut Dice) -> Option<String> {
    let at = dice.below(trees.len());
    match kind {
        Planted::Lost => drop(trees.remove(at)),
        Planted::Duplicated => trees.insert(at, trees.get(at)?.clone()),
        _ => {
            let [a, b] = trees.get_mut(at..at.checked_add(2)?)? else {
                return None;
            };
            if a == b {
                return None;
            }
            core::mem::swap(a, b);
        }
    }
    Some(format!("event {}", at.saturating_add(1)))
}

/// A fault in one field of a message.
fn in_message(kind: Planted, tree: &mut Tree, dice: &mut Dice) -> Option<String> {
    let mut rest = usize::MAX;
    find(kind, tree, &mut rest, &mut Vec::new());
    let mut wanted = dice.below(usize::MAX.saturating_sub(rest));
    let mut path = Vec::new();
    if !find(kind, tree, &mut wanted, &mut path) {
        return None;
    }
    let (last, outer) = path.split_last()?;
    let mut place = "$".to_owned();
    let mut tree = tree;
    for at in outer {
        step(tree, *at, &mut place);
        let (_, Node::Message(inner) | Node::Entry(inner)) = tree.get_mut(*at)? else {
            return None;
        };
        tree = inner;
    }
    step(tree, *last, &mut place);
    apply(kind, tree, *last, dice)?;
    Some(place)
}

/// Finds the place of the field with this number, among those in which the fault is possible. Counts the number down.
fn find(kind: Planted, tree: &Tree, left: &mut usize, path: &mut Vec<usize>) -> bool {
    for (at, (_, node)) in tree.iter().enumerate() {
        path.push(at);
        if is_possible(kind, tree, at) {
            if *left == 0 {
                return true;
            }
            *left = left.saturating_sub(1);
        }
        if let Node::Message(inner) | Node::Entry(inner) = node
            && find(kind, inner, left, path)
        {
            return true;
        }
        path.pop();
    }
    false
}

/// Whether a fault of this kind is possible in a field.
fn is_possible(kind: Planted, tree: &Tree, at: usize) -> bool {
    let Some((number, node)) = tree.get(at) else {
        return false;
    };
    let next = at.checked_add(1).and_then(|next| tree.get(next));
    let follows = next.filter(|(other, _)| other == number && !matches!(node, Node::Entry(_)));
    match kind {
        Planted::Value => !matches!(node, Node::Message(_) | Node::Entry(_)),
        Planted::Near => matches!(node, Node::Varint(_) | Node::Fixed64(_) | Node::Fixed32(_)),
        Planted::Null => *node != emptied(node),
        Planted::Duplicated => follows.is_some(),
        Planted::Swapped => follows.is_some_and(|(_, other)| other != node),
        Planted::Type | Planted::Renamed | Planted::Lost => true,
        _ => false,
    }
}

fn emptied(node: &Node) -> Node {
    match node {
        Node::Varint(_) => Node::Varint(0),
        Node::Fixed64(_) => Node::Fixed64(0),
        Node::Fixed32(_) => Node::Fixed32(0),
        Node::Bytes(_) | Node::Message(_) | Node::Entry(_) => Node::Bytes(Vec::new()),
    }
}

fn apply(kind: Planted, tree: &mut Tree, at: usize, dice: &mut Dice) -> Option<()> {
    let (number, node) = tree.get_mut(at)?;
    match kind {
        Planted::Value => *node = other(node, dice),
        Planted::Near => *node = near(node, dice),
        Planted::Null => *node = emptied(node),
        Planted::Type => {
            *node = match node {
                Node::Varint(number) => Node::Bytes(number.to_string().into_bytes()),
                Node::Fixed64(_) | Node::Fixed32(_) => Node::Bytes(b"text".to_vec()),
                Node::Bytes(_) | Node::Message(_) | Node::Entry(_) => Node::Varint(17),
            }
        }
        Planted::Renamed => *number = number.checked_add(RENAMED)?,
        Planted::Lost => drop(tree.remove(at)),
        Planted::Duplicated => {
            let same = (*number, node.clone());
            tree.insert(at, same);
        }
        Planted::Swapped => tree.swap(at, at.checked_add(1)?),
        _ => return None,
    }
    Some(())
}

/// Another value of the same kind.
fn other(node: &Node, dice: &mut Dice) -> Node {
    match node {
        // Most likely a truth value.
        Node::Varint(bit @ (0 | 1)) => Node::Varint(1 - bit),
        Node::Varint(number) => Node::Varint(number ^ 2),
        Node::Fixed64(bits) => Node::Fixed64(bits ^ (1 << 48)),
        Node::Fixed32(bits) => Node::Fixed32(bits ^ (1 << 16)),
        Node::Bytes(old) if old.is_empty() => Node::Bytes(b"x".to_vec()),
        Node::Bytes(old) if text(old).is_some() => Node::Bytes(super::text::other_word(old, dice)),
        Node::Bytes(old) => {
            let mut new = old.clone();
            if let Some(last) = new.last_mut() {
                *last ^= 1;
            }
            Node::Bytes(new)
        }
        Node::Message(_) | Node::Entry(_) => node.clone(),
    }
}

/// The number one higher, or 1 % higher.
fn near(node: &Node, dice: &mut Dice) -> Node {
    match *node {
        Node::Varint(number) => {
            let one_percent = Some(number / 100).filter(|part| *part != 0);
            let step = one_percent.filter(|_| dice.next().is_multiple_of(2)).unwrap_or(1);
            Node::Varint(number.wrapping_add(step))
        }
        Node::Fixed64(bits) => {
            let float = f64::from_bits(bits) * 1.01;
            let is_other = float.is_finite() && float.to_bits() != bits;
            Node::Fixed64(if is_other {
                float.to_bits()
            } else {
                bits.wrapping_add(1)
            })
        }
        Node::Fixed32(bits) => {
            let float = f32::from_bits(bits) * 1.01;
            let is_other = float.is_finite() && float.to_bits() != bits;
            Node::Fixed32(if is_other {
                float.to_bits()
            } else {
                bits.wrapping_add(1)
            })
        }
        Node::Bytes(_) | Node::Message(_) | Node::Entry(_) => node.clone(),
    }
}

/// Adds a field to a place: `.4`, or `.4[2]` for one of several.
fn step(tree: &Tree, at: usize, place: &mut String) {
    let Some((number, _)) = tree.get(at) else {
        return;
    };
    let same = |from: &[(u32, Node)]| from.iter().filter(|(other, _)| other == number).count();
    *place = format!("{place}.{number}");
    if same(tree) > 1 {
        *place = format!("{place}[{}]", same(tree.get(..at).unwrap_or_default()));
    }
}

/// `None` if this is no message.
fn tree(message: &[u8], of: Option<&MessageDescriptor>, depth: usize) -> Option<Tree> {
    let node = |number: u32, value: Value<'_>| match value {
        Value::Varint(number) => Node::Varint(number),
        Value::Fixed64(bits) => Node::Fixed64(bits),
        Value::Fixed32(bits) => Node::Fixed32(bits),
        Value::Bytes(bytes) => {
            let known = of.and_then(|of| of.get_field(number));
            let kind = known.as_ref().map(FieldDescriptor::kind);
            let inner = kind.as_ref().and_then(Kind::as_message);
            let is_other = known.is_some() && inner.is_none() || known.is_none() && text(bytes).is_some();
            let opaque = bytes.is_empty() || depth >= MAX_DEPTH || is_other;
            let inner = (!opaque)
                .then(|| tree(bytes, inner, depth.saturating_add(1)))
                .flatten();
            match inner {
                Some(tree) if known.is_some_and(|known| known.is_map()) => Node::Entry(tree),
                Some(tree) => Node::Message(tree),
                None => Node::Bytes(bytes.to_vec()),
            }
        }
    };
    let found = fields(message)?.into_iter();
    Some(
        found
            .map(|(number, value)| (number, node(number, value)))
            .collect(),
    )
}

fn bytes(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, node) in tree {
        let inner;
        let value = match node {
            Node::Varint(number) => Value::Varint(*number),
            Node::Fixed64(bits) => Value::Fixed64(*bits),
            Node::Fixed32(bits) => Value::Fixed32(*bits),
            Node::Bytes(bytes) => Value::Bytes(bytes),
            Node::Message(tree) | Node::Entry(tree) => {
                inner = bytes(tree);
                Value::Bytes(&inner)
            }
        };
        put(*number, value, &mut out);
    }
    out
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
