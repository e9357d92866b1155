//! The leaves of a document by how they are compared.

use crate::compare::{
    leaves::{Checked, Leaves},
    paths::Key,
    scope::{self, Level, Scope, Walk},
};

use super::tape::{Kind, Tape, Value};

/// The leaves of a document; `None` if it is not JSON, or over a bound.
pub(in crate::compare) fn checked(scope: &Scope<'_>, document: &[u8]) -> Option<Checked> {
    let tape = Tape::parse(document).or_else(|_| Tape::lenient(document)).ok()?;
    let root = tape.root()?;
    let (walk, level) = scope.walk(scope::Kind::Values);
    let mut counted = Counted {
        walk,
        checked: Checked::default(),
    };
    counted.value(root, level);
    Some(counted.checked)
}

/// About how many scalars a value has, without parsing it again.
pub(super) fn scalars(value: &str) -> u32 {
    let (mut count, mut in_string, mut escaped) = (1_u32, false, false);
    for byte in value.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' if !in_string => count = count.saturating_add(1),
            _ => {}
        }
    }
    count
}

struct Counted<'s> {
    walk: Walk<'s>,
    checked: Checked,
}

impl<'s> Counted<'s> {
    /// Recursion depth is that of the document, which the parser bounds.
    fn value(&mut self, value: Value<'_>, level: Level<'s>) {
        if level.ignored.is_some() {
            return below(value, &mut self.checked.not);
        }
        match value.kind() {
            Kind::Array => {
                for (index, element) in value.elements().enumerate() {
                    let below = if level.is_closed() {
                        self.walk.below(level)
                    } else {
                        self.walk.enter(level, Key::Item(index, value.len(), element))
                    };
                    self.value(element, below);
                    self.walk.leave(below);
                }
            }
            Kind::Object => {
                for (name, member) in value.members() {
                    let below = if level.is_closed() {
                        self.walk.below(level)
                    } else {
                        let name = name.string();
                        self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&name)))
                    };
                    self.value(member, below);
                    self.walk.leave(below);
                }
            }
            kind => {
                let is_loose =
                    level.below.within.is_some() || kind == Kind::Number && level.below.tolerance.is_some();
                let leaves = if level.format.is_some() {
                    &mut self.checked.by_format
                } else if is_loose {
                    &mut self.checked.by_rule
                } else {
                    &mut self.checked.exact
                };
                leaves.add(value.raw().len());
            }
        }
    }
}

/// Adds all leaves of a value.
fn below(value: Value<'_>, leaves: &mut Leaves) {
    match value.kind() {
        Kind::Array => value.elements().for_each(|element| below(element, leaves)),
        Kind::Object => value.members().for_each(|(_, member)| below(member, leaves)),
        _ => leaves.add(value.raw().len()),
    }
}
