//! Identity of a node: attributes that name it, or the text of a small element.

use super::tree::{Kind, Node, Tree};
use crate::compare::inside::words::{self, is_volatile};

/// Attributes that name an element, best first.
const NAMES: [(&[u8], &str); 9] = [
    (b"name", "@name"),
    (b"id", "@id"),
    (b"key", "@key"),
    (b"code", "@code"),
    (b"sku", "@sku"),
    (b"rel", "@rel"),
    (b"property", "@property"),
    (b"itemprop", "@itemprop"),
    (b"for", "@for"),
];

/// Characters of an attribute or a text that is shown in a place.
const LONGEST: usize = 40;

/// The attributes that name an element, as a place shows them.
pub(super) fn attributes<'n>(node: &'n Node<'_>) -> Vec<(&'static str, &'n str)> {
    let value = |name: &[u8]| {
        let attribute = node
            .attributes
            .iter()
            .find(|attribute| *attribute.name.local == *name)?;
        let value = core::str::from_utf8(&attribute.value).ok()?;
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let shown = !value.is_empty() && value.len() <= LONGEST && value.chars().all(word);
        (shown && !is_volatile(value)).then_some(value)
    };
    NAMES
        .iter()
        .filter_map(|(name, shown)| Some((*shown, value(name)?)))
        .collect()
}

/// The text of an element that contains nothing else.
fn whole_text<'n>(tree: &'n Tree<'_>, index: u32) -> Option<&'n str> {
    let mut children = tree.children(index);
    let child = tree.node(children.next()?)?;
    if child.kind != Kind::Text || children.next().is_some() {
        return None;
    }
    core::str::from_utf8(&child.text).ok()
}

/// The same, if a place could show it.
fn text<'n>(tree: &'n Tree<'_>, index: u32) -> Option<&'n str> {
    whole_text(tree, index).and_then(|text| shown_text(text.as_bytes()))
}

fn shown_text(text: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(text).ok()?;
    let plain = |c: char| !c.is_control() && !matches!(c, '\'' | '"');
    // A number is a value, not a name.
    let shown = text.chars().any(char::is_alphabetic) && text.len() <= LONGEST && text.chars().all(plain);
    (shown && !text.split(' ').any(is_volatile)).then_some(text)
}

/// For each node, the text that a rule can use to name it.
pub(super) fn texts(tree: &Tree<'_>) -> Vec<Option<String>> {
    (0u32..)
        .map_while(|index| {
            tree.node(index)?;
            Some(
                whole_text(tree, index)
                    .filter(|text| text.len() <= 1024)
                    .map(str::to_owned),
            )
        })
        .collect()
}

/// The name and the value that distinguish a node from its siblings of the same name, in its own document and, if it
/// has a counterpart, there too.
pub(super) fn of<'n>(
    tree: &'n Tree<'_>,
    index: u32,
    other: Option<(&'n Tree<'_>, u32)>,
    siblings: &[u32],
) -> Option<(&'static str, String)> {
    let node = tree.node(index)?;
    let counterpart = other.and_then(|(tree, index)| tree.node(index));
    let is_shared = |known: &(&'static str, &'n str)| {
        counterpart.is_none_or(|counterpart| attributes(counterpart).contains(known))
    };
    let alone = |known: &(&'static str, &'n str)| {
        let mut same = siblings
            .iter()
            .filter_map(|sibling| tree.node(*sibling))
            .filter(|sibling| attributes(sibling).contains(known));
        same.next();
        same.next().is_none()
    };
    let named = attributes(node);
    // The name of a form field is better than a position, even if another field has the same name.
    if let Some(field) = named
        .first()
        .filter(|(name, _)| *name == "@name")
        .filter(|known| is_shared(known))
    {
        return Some((field.0, field.1.to_owned()));
    }
    if siblings.len() < 2 {
        return None;
    }
    if let Some(known) = named.into_iter().find(|known| is_shared(known) && alone(known)) {
        return Some((known.0, known.1.to_owned()));
    }
    if let Some(shown) = text(tree, index)
        && other.is_none_or(|(tree, index)| text(tree, index) == Some(shown))
    {
        let mut same = siblings
            .iter()
            .filter(|sibling| text(tree, **sibling) == Some(shown));
        same.next();
        return same.next().is_none().then(|| ("text", shown.to_owned()));
    }
    // The common leading words of both texts, when no sibling begins with them.
    let (tree_b, index_b) = other?;
    let beginning = words::common(
        words::label(whole_text(tree, index)?)?,
        words::label(whole_text(tree_b, index_b)?)?,
    );
    let mut same = siblings
        .iter()
        .filter(|sibling| whole_text(tree, **sibling).is_some_and(|text| text.starts_with(beginning)));
    same.next();
    let alone = !beginning.is_empty() && same.next().is_none() && shown_text(beginning.as_bytes()).is_some();
    alone.then(|| ("text", format!("{beginning}…")))
}
