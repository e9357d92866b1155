//! The walk over two documents.

use core::{cmp::Ordering, fmt::Write as _};

use crate::compare::{
    ABSENT, Category,
    findings::{Findings, VALUE_CHARS, shorten},
    kinds,
    scope::Scope,
};

use super::{
    align::{self, Pair},
    identity,
    names::{cut, shown_name},
    rules::Levels,
    tree::{Attribute, Kind, Node, Tree},
};

/// Siblings of one name up to which they are identified by more than their position.
const MAX_SIBLINGS: usize = 512;

/// Compares two documents. `levels` are those of production's.
pub(super) fn documents(
    scope: &Scope<'_>,
    levels: &Levels<'_>,
    production: &Tree<'_>,
    shadow: &Tree<'_>,
    findings: &mut Findings,
) {
    let mut diff = Diff {
        scope,
        production,
        shadow,
        levels,
        findings,
        trail: Vec::new(),
    };
    diff.children(0, 0);
}

struct Diff<'d> {
    scope: &'d Scope<'d>,
    production: &'d Tree<'d>,
    shadow: &'d Tree<'d>,
    levels: &'d Levels<'d>,
    findings: &'d mut Findings,
    /// The path to the current node; formatted only for a discrepancy.
    trail: Vec<Step<'d>>,
}

#[derive(Clone, Copy)]
struct Step<'d> {
    tree: &'d Tree<'d>,
    parent: u32,
    node: u32,
    /// Its counterpart in the shadow system's document, if it has one.
    other: Option<(&'d Tree<'d>, u32)>,
}

impl Diff<'_> {
    /// Recursion depth is that of the documents, which the parser bounds.
    fn children(&mut self, left: u32, right: u32) {
        let (pairs, moved) = align::children((self.production, left), (self.shadow, right));
        if let Some((before, after)) = moved {
            let shown = |tree: &Tree<'_>, nodes: Vec<u32>| {
                let nodes: Vec<String> = nodes.into_iter().map(|node| shown(tree, node)).collect();
                shorten(nodes.join(" ").as_bytes())
            };
            let (before, after) = (shown(self.production, before), shown(self.shadow, after));
            self.found(Category::Order, "", &before, &after);
        }
        for pair in pairs {
            if self.findings.is_full() {
                return;
            }
            let (tree, parent, node) = match pair {
                Pair::Both(node, _) | Pair::Production(node) => (self.production, left, node),
                Pair::Shadow(node) => (self.shadow, right, node),
            };
            let other = match pair {
                Pair::Both(_, other) => Some((self.shadow, other)),
                Pair::Production(_) | Pair::Shadow(_) => None,
            };
            self.trail.push(Step {
                tree,
                parent,
                node,
                other,
            });
            match pair {
                Pair::Both(a, b) => self.both(a, b),
                Pair::Production(_) => self.found(Category::Missing, "", &shown(tree, node), ABSENT),
                Pair::Shadow(_) => self.found(Category::Added, "", ABSENT, &shown(tree, node)),
            }
            self.trail.pop();
        }
    }

    fn both(&mut self, left: u32, right: u32) {
        let (Some(a), Some(b)) = (self.production.node(left), self.shadow.node(right)) else {
            return;
        };
        if !self.levels.equal(a.level, &a.text, &b.text) {
            self.texts(a.level, "", &a.text, &b.text);
        }
        self.attributes(a, b);
        self.children(left, right);
    }

    fn attributes(&mut self, left: &Node<'_>, right: &Node<'_>) {
        let (mut a, mut b) = (
            left.attributes.iter().peekable(),
            right.attributes.iter().peekable(),
        );
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => key(a).cmp(&key(b)),
            };
            let a = if order.is_le() { a.next() } else { None };
            let b = if order.is_ge() { b.next() } else { None };
            let category = match (a, b) {
                (Some(a), Some(b)) if self.levels.equal(a.level, &a.value, &b.value) => continue,
                (Some(a), Some(b)) => {
                    let place = format!("/@{}", cut(&a.name.local));
                    self.texts(a.level, &place, &a.value, &b.value);
                    continue;
                }
                (Some(_), None) => Category::Missing,
                _ => Category::Added,
            };
            let Some(name) = a.or(b).map(|attribute| attribute.name.local.as_ref()) else {
                return;
            };
            let value = |side: Option<&Attribute<'_>>| {
                side.map_or_else(|| ABSENT.to_owned(), |attribute| shorten(&attribute.value))
            };
            let place = format!("/@{}", cut(name));
            self.found(category, &place, &value(a), &value(b));
        }
    }

    /// Compares two different texts by content.
    fn texts(&mut self, level: u32, behind: &str, a: &[u8], b: &[u8]) {
        let texts = (core::str::from_utf8(a), core::str::from_utf8(b));
        if let (Ok(x), Ok(y)) = texts
            && self.scope.is_parted()
            && self.levels.is_plain(level)
            && self.findings.has_room()
        {
            let place = self.place(behind);
            let without = self.levels.parts(level);
            return kinds::embedded(self.scope, (&place, without), x, y, self.findings);
        }
        self.found(Category::Value, behind, &shorten(a), &shorten(b));
    }

    fn found(&mut self, category: Category, behind: &str, production: &str, shadow: &str) {
        if !self.findings.has_room() {
            return self.findings.overflow();
        }
        let place = self.place(behind);
        self.findings.push(category, place, production, shadow);
    }

    fn place(&self, behind: &str) -> String {
        let mut place = String::new();
        for step in &self.trail {
            step.write(&mut place);
        }
        place.push_str(behind);
        if place.is_empty() {
            place.push('/');
        }
        place
    }
}

fn key<'a>(attribute: &'a Attribute<'_>) -> (&'a [u8], u64) {
    (&attribute.name.local, attribute.name.space)
}

impl Step<'_> {
    /// `/name`, `/name[2]` where there are several, `/name[@name='field']` or `/name[text='Cart']` where that is
    /// unique.
    fn write(self, place: &mut String) {
        let Some(node) = self.tree.node(self.node) else {
            return;
        };
        place.push('/');
        place.push_str(&shown_name(&node.kind));
        let same_kind: Vec<u32> = self
            .tree
            .children(self.parent)
            .filter(|sibling| {
                self.tree
                    .node(*sibling)
                    .is_some_and(|sibling| sibling.kind == node.kind)
            })
            .collect();
        let known = if same_kind.len() <= MAX_SIBLINGS {
            identity::of(self.tree, self.node, self.other, &same_kind)
        } else {
            None
        };
        if let Some((name, value)) = known {
            // Writing to a String does not fail.
            write!(place, "[{name}='{value}']").unwrap_or_default();
        } else if same_kind.len() > 1 {
            let before = same_kind.iter().filter(|sibling| **sibling <= self.node).count();
            write!(place, "[{before}]").unwrap_or_default();
        }
    }
}

/// The beginning of a node that only one side has: start tags and texts.
fn shown(tree: &Tree<'_>, index: u32) -> String {
    let mut out = Vec::new();
    for node in tree.subtree(index) {
        if out.len() > VALUE_CHARS.saturating_mul(4) {
            break;
        }
        match &node.kind {
            Kind::Element(name) => start_tag(&name.local, node, &mut out),
            Kind::Text | Kind::Other(_) => out.extend_from_slice(&node.text),
        }
    }
    shorten(&out)
}

fn start_tag(name: &[u8], node: &Node<'_>, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name);
    for attribute in node.attributes.iter().take(VALUE_CHARS) {
        out.push(b' ');
        out.extend_from_slice(&attribute.name.local);
        out.extend_from_slice(b"=\"");
        out.extend_from_slice(&attribute.value);
        out.push(b'"');
    }
    out.push(b'>');
}
