//! A document as a flat array of nodes in document order.

use core::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::borrow::Cow;

use hashbrown::DefaultHashBuilder;

use crate::compare::leaves::Leaves;

/// Nested elements.
pub(crate) const MAX_DEPTH: usize = 256;

/// Elements, texts and attributes of one document.
pub(crate) const MAX_NODES: usize = 1 << 18;

/// The reason why a text could not be parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ParseError {
    /// Not well-formed, or not UTF-8.
    #[error("no XML from byte {0}")]
    Invalid(u64),
    /// Over a bound.
    #[error("too many or too deeply nested elements")]
    TooLarge,
}

/// A name: the hash of its namespace (0 for none) and its local part.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Name<'t> {
    pub(super) space: u64,
    pub(super) local: Cow<'t, [u8]>,
}

#[derive(Clone, Debug)]
pub(super) struct Attribute<'t> {
    pub(super) name: Name<'t>,
    pub(super) value: Cow<'t, [u8]>,
    /// The number of its level, as in [`Node::level`].
    pub(super) level: u32,
}

/// The kind of a node.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Kind<'t> {
    Element(Name<'t>),
    Text,
    /// A document type or a processing instruction, by name.
    Other(Cow<'t, [u8]>),
}

#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) kind: Kind<'t>,
    /// Attributes of an element, sorted by name.
    pub(super) attributes: Vec<Attribute<'t>>,
    /// Text of a node that is not an element.
    pub(super) text: Cow<'t, [u8]>,
    /// Hash of the node with its significant descendants: equal nodes have equal hashes.
    pub(super) hash: u64,
    /// The number of its level in a list outside the tree.
    pub(super) level: u32,
    /// Left out by a rule, with everything in it.
    pub(super) ignored: bool,
    /// The next node after this one and its descendants.
    next: u32,
}

/// A parsed document. Node 0 represents the document and is not an element.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    nodes: Vec<Node<'t>>,
}

impl<'t> Tree<'t> {
    pub(super) fn node(&self, index: u32) -> Option<&Node<'t>> {
        self.nodes.get(index as usize)
    }

    /// The direct children of a node.
    pub(super) fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let end = self.node(parent).map_or(0, |node| node.next);
        let mut at = parent.saturating_add(1);
        core::iter::from_fn(move || {
            let child = (at < end).then_some(at)?;
            at = self.node(child)?.next.max(child.saturating_add(1));
            Some(child)
        })
    }

    /// A node and its descendants, in document order.
    pub(super) fn subtree(&self, index: u32) -> &[Node<'t>] {
        let end = self.node(index).map_or(0, |node| node.next);
        self.nodes.get(index as usize..end as usize).unwrap_or_default()
    }

    /// Every node in document order, with the number of the next node after it and its descendants.
    pub(super) fn nodes_mut(&mut self) -> impl Iterator<Item = (u32, &mut Node<'t>)> {
        self.nodes.iter_mut().map(|node| (node.next, node))
    }

    /// The texts and attributes that are not left out and whose level is counted.
    pub(super) fn leaves(&self, counts: impl Fn(u32) -> bool) -> Leaves {
        let mut leaves = Leaves::default();
        let mut at = 0;
        while let Some(node) = self.node(at) {
            if node.ignored {
                at = node.next.max(at.saturating_add(1));
                continue;
            }
            for attribute in node.attributes.iter().filter(|attribute| counts(attribute.level)) {
                leaves.add(attribute.value.len());
            }
            if matches!(node.kind, Kind::Text) && counts(node.level) {
                leaves.add(node.text.len());
            }
            at = at.saturating_add(1);
        }
        leaves
    }

    /// Fills in the hashes.
    pub(super) fn hash(&mut self, state: &DefaultHashBuilder) {
        // Children follow their parents, so from the end the hashes of children are computed first.
        for at in (0..index(self.nodes.len())).rev() {
            let mut hasher = state.build_hasher();
            if let Some(node) = self.node(at) {
                (&node.kind, node.attributes.len(), &node.text).hash(&mut hasher);
                for Attribute {
                    name,
                    value,
                    level: _,
                } in &node.attributes
                {
                    (name, value).hash(&mut hasher);
                }
            }
            for child in self.children(at).filter_map(|child| self.node(child)) {
                if !child.ignored {
                    hasher.write_u64(child.hash);
                }
            }
            let hash = hasher.finish();
            if let Some(node) = self.nodes.get_mut(at as usize) {
                node.hash = hash;
            }
        }
    }

    /// Whether the document has one element, and no text outside it.
    pub(super) fn has_one_root(&self) -> bool {
        let mut elements = 0usize;
        for child in self.children(0).filter_map(|child| self.node(child)) {
            match child.kind {
                Kind::Element(_) => elements = elements.saturating_add(1),
                Kind::Text => return false,
                Kind::Other(_) => {}
            }
        }
        elements == 1
    }

    pub(super) fn has_elements(&self) -> bool {
        self.nodes
            .iter()
            .skip(1)
            .any(|node| matches!(node.kind, Kind::Element(_)))
    }
}

/// Builder of a tree.
#[derive(Debug)]
pub(super) struct Builder<'t> {
    nodes: Vec<Node<'t>>,
    open: Vec<u32>,
    attributes: usize,
}

impl<'t> Builder<'t> {
    pub(super) fn new() -> Self {
        let document = Node {
            kind: Kind::Other(Cow::Borrowed(b"")),
            attributes: Vec::new(),
            text: Cow::Borrowed(b""),
            hash: 0,
            level: 0,
            ignored: false,
            next: 0,
        };
        Self {
            nodes: vec![document],
            open: vec![0],
            attributes: 0,
        }
    }

    /// The number of elements that are not yet closed.
    pub(super) fn depth(&self) -> usize {
        self.open.len().saturating_sub(1)
    }

    /// Opens an element.
    pub(super) fn begin(
        &mut self,
        name: Name<'t>,
        mut attributes: Vec<Attribute<'t>>,
    ) -> Result<(), ParseError> {
        if self.open.len() > MAX_DEPTH {
            return Err(ParseError::TooLarge);
        }
        attributes.sort_by(|a, b| (&a.name.local, a.name.space).cmp(&(&b.name.local, b.name.space)));
        self.attributes = self.attributes.saturating_add(attributes.len());
        let index = self.push(Kind::Element(name), attributes, Cow::Borrowed(b""))?;
        self.open.push(index);
        Ok(())
    }

    pub(super) fn text(&mut self, text: Cow<'t, [u8]>) -> Result<(), ParseError> {
        self.push(Kind::Text, Vec::new(), text).map(|_| ())
    }

    pub(super) fn other(&mut self, name: Cow<'t, [u8]>, text: Cow<'t, [u8]>) -> Result<(), ParseError> {
        self.push(Kind::Other(name), Vec::new(), text).map(|_| ())
    }

    /// Closes the innermost element.
    pub(super) fn end(&mut self) {
        let next = index(self.nodes.len());
        if self.open.len() > 1
            && let Some(node) = self.open.pop().and_then(|at| self.nodes.get_mut(at as usize))
        {
            node.next = next;
        }
    }

    /// The local name of the open element at `distance` from the innermost one.
    pub(super) fn open_name(&self, distance: usize) -> Option<&[u8]> {
        let at = self.open.iter().rev().nth(distance)?;
        match &self.nodes.get(*at as usize)?.kind {
            Kind::Element(name) => Some(&name.local),
            Kind::Text | Kind::Other(_) => None,
        }
    }

    /// Closes the open elements and returns the tree, still without hashes.
    pub(super) fn finish(mut self) -> Tree<'t> {
        while self.open.len() > 1 {
            self.end();
        }
        let end = index(self.nodes.len());
        if let Some(document) = self.nodes.first_mut() {
            document.next = end;
        }
        Tree { nodes: self.nodes }
    }

    fn push(
        &mut self,
        kind: Kind<'t>,
        attributes: Vec<Attribute<'t>>,
        text: Cow<'t, [u8]>,
    ) -> Result<u32, ParseError> {
        if self.nodes.len().saturating_add(self.attributes) >= MAX_NODES {
            return Err(ParseError::TooLarge);
        }
        let at = index(self.nodes.len());
        self.nodes.push(Node {
            kind,
            attributes,
            text,
            hash: 0,
            level: 0,
            ignored: false,
            next: at.saturating_add(1),
        });
        Ok(at)
    }
}

/// There are fewer nodes than [`MAX_NODES`].
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
