//! Values of a text that another text has as well, where both begin and end alike: they are copied and not parsed.
//!
//! The parser's state at an offset is the enclosing arrays and objects, and the token that comes next. Where a value of
//! the parsed text begins within the bytes that both texts begin with, both have the same state. Where a value ends in
//! both texts, at the same distance from the end and within the same kinds of arrays and objects, what follows is
//! parsed the same way.

use super::{
    parse::{Next, Parser, offset},
    tape::{Kind, MAX_NODES, Node, ParseError},
};

/// Bytes that are compared at once.
const CHUNK: usize = 32;

/// Ends of values at which the two texts are compared. Each costs a walk to it.
const ENDS: u8 = 8;

/// A parsed text, by the strict grammar, and what another one has in common with it.
#[derive(Clone, Copy)]
pub(super) struct Parsed<'a> {
    text: &'a [u8],
    nodes: &'a [Node],
    /// Bytes at the beginning of both.
    begin: usize,
    /// Bytes at the end of both.
    end: usize,
    /// Ends that may still be looked at.
    ends: u8,
}

/// The way from the outermost value to another one.
struct Way {
    /// The enclosing arrays and objects, each with the elements or members before the next one.
    around: Vec<(u32, u32)>,
    /// The last step.
    child: Child,
}

/// An element or a member.
#[derive(Clone, Copy)]
struct Child {
    /// The name of a member.
    name: Option<u32>,
    value: u32,
    /// The elements or members before it.
    before: u32,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(text: &'a [u8], nodes: &'a [Node], other: &[u8]) -> Self {
        let begin = common(text.chunks(CHUNK).zip(other.chunks(CHUNK)), |(a, b)| {
            a.iter().zip(b).take_while(|(a, b)| a == b).count()
        });
        let end = common(text.rchunks(CHUNK).zip(other.rchunks(CHUNK)), |(a, b)| {
            a.iter()
                .rev()
                .zip(b.iter().rev())
                .take_while(|(a, b)| a == b)
                .count()
        });
        Self {
            text,
            nodes,
            begin,
            end,
            ends: ENDS,
        }
    }

    fn node(&self, index: u32) -> Option<&'a Node> {
        self.nodes.get(index as usize)
    }

    /// The way to the first element or member, on each level, of which `is_far` is true; until `is_there`.
    fn way(
        &self,
        is_far: impl Fn(&Child, &Node) -> bool,
        is_there: impl Fn(&Child, &Node) -> bool,
    ) -> Option<Way> {
        let mut around = Vec::new();
        let mut at = 0;
        loop {
            let child = self.children(at).find_map(|child| {
                let node = self.node(child.value)?;
                is_far(&child, node).then_some((child, node))
            });
            let (child, node) = child?;
            around.push((at, child.before));
            if is_there(&child, node) {
                return Some(Way { around, child });
            }
            if node.kind.is_scalar() {
                return None;
            }
            at = child.value;
        }
    }

    fn children(&self, of: u32) -> impl Iterator<Item = Child> {
        let around = self.node(of).copied();
        let is_object = around.is_some_and(|around| around.kind == Kind::Object);
        let (mut next, mut before) = (of.saturating_add(1), 0);
        core::iter::from_fn(move || {
            let around = around.filter(|around| !around.kind.is_scalar() && next < around.next)?;
            let name = is_object.then_some(next);
            let value = next.saturating_add(u32::from(is_object));
            let child = Child { name, value, before };
            before = before.saturating_add(1);
            next = self.node(value)?.next.min(around.next);
            Some(child)
        })
    }
}

/// The sum of the lengths that chunks have in common, up to the first that is not the same as a whole.
fn common<'c>(
    chunks: impl Iterator<Item = (&'c [u8], &'c [u8])>,
    both: impl Fn((&[u8], &[u8])) -> usize,
) -> usize {
    let mut sum: usize = 0;
    for (a, b) in chunks {
        if a != b {
            return sum.saturating_add(both((a, b)));
        }
        sum = sum.saturating_add(a.len());
    }
    sum
}

impl<'a> Parser<'a> {
    /// The values of a whole text by the strict grammar, like [`Parser::parse`].
    pub(super) fn like(text: &'a [u8], known: Parsed<'_>) -> Result<Vec<Node>, ParseError> {
        let mut parser = Parser::new(text, false);
        let next = parser.resume(&known).unwrap_or(Next::Value);
        parser.whole(next, Some(known))
    }

    /// Continues at the last value or name that begins in what both texts begin with.
    fn resume(&mut self, known: &Parsed<'_>) -> Option<Next> {
        let begun = known
            .nodes
            .partition_point(|node| node.start as usize <= known.begin);
        let at = offset(begun.checked_sub(1)?);
        let start = known.node(at)?.start;
        if at == 0 {
            return None;
        }
        let way = known.way(
            |child, node| node.next > at || child.name == Some(at),
            |child, _| child.name == Some(at) || child.value == at,
        )?;
        self.nodes.extend_from_slice(known.nodes.get(..at as usize)?);
        for (index, before) in way.around {
            self.nodes.get_mut(index as usize)?.len = before;
            self.open.push(index);
        }
        self.at = start as usize;
        Some(match way.child {
            Child {
                name: Some(name),
                before,
                ..
            } if name == at => Next::Name(before == 0),
            Child {
                name: None,
                before: 0,
                ..
            } => Next::Element,
            _ => Next::Value,
        })
    }

    /// Copies what follows, if a value ends here that ends at the same place in the known text.
    pub(super) fn follow(&mut self, known: &mut Parsed<'_>) -> Result<bool, ParseError> {
        let left = self.text.len().saturating_sub(self.at);
        if left > known.end || known.ends == 0 {
            return Ok(false);
        }
        known.ends = known.ends.saturating_sub(1);
        let end = offset(known.text.len().saturating_sub(left));
        let Some(way) = known.way(|_, node| node.end >= end, |_, node| node.end == end) else {
            return Ok(false);
        };
        let is_same = |(here, (there, _)): (&u32, &(u32, u32))| {
            let kind = self.nodes.get(*here as usize).map(|node| node.kind);
            kind == known.node(*there).map(|node| node.kind)
        };
        if way.around.len() != self.open.len() || !self.open.iter().zip(&way.around).all(is_same) {
            return Ok(false);
        }
        let from = known.node(way.child.value).map_or(0, |node| node.next);
        let rest = known.nodes.get(from as usize..).unwrap_or_default();
        if self.nodes.len().saturating_add(rest.len()) > MAX_NODES {
            return Err(ParseError::TooMany);
        }
        // Offsets of both texts differ by the same number, upwards or downwards.
        let bytes = offset(self.at).wrapping_sub(end);
        let nodes = offset(self.nodes.len()).wrapping_sub(from);
        let moved = |node: &Node| Node {
            start: node.start.wrapping_add(bytes),
            end: node.end.wrapping_add(bytes),
            next: node.next.wrapping_add(nodes),
            ..*node
        };
        self.nodes.extend(rest.iter().map(moved));
        for (here, (there, before)) in self.open.drain(..).zip(way.around) {
            let there = known.node(there).map(moved);
            if let Some((here, there)) = self.nodes.get_mut(here as usize).zip(there) {
                here.len = here.len.saturating_add(there.len.saturating_sub(before));
                here.end = there.end;
                here.next = there.next;
            }
        }
        self.at = self.text.len();
        Ok(true)
    }
}
