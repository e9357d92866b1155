//! A walk over one whole document, to see which rules match in it and whether they leave anything to compare.

use crate::compare::{
    paths::Key,
    scope::{self, Level, Scope, Walk},
    usage::RuleId,
};

use super::tape::{Kind, Tape, Value};

/// Walks a document for the rules; one that is not JSON, or over a bound, is skipped.
pub(in crate::compare) fn survey(scope: &Scope<'_>, document: &[u8]) {
    let Ok(tape) = Tape::parse(document).or_else(|_| Tape::lenient(document)) else {
        return;
    };
    let Some(root) = tape.root() else { return };
    let (walk, level) = scope.walk(scope::Kind::Values);
    let mut survey = Survey {
        walk,
        left: false,
        hiding: Vec::new(),
    };
    survey.value(root, level);
    let hiding = if survey.left { Vec::new() } else { survey.hiding };
    scope.surveyed(scope::Kind::Values, &hiding);
}

struct Survey<'s> {
    walk: Walk<'s>,
    /// Whether a value without parts is compared.
    left: bool,
    /// The rules that left something out.
    hiding: Vec<RuleId>,
}

impl<'s> Survey<'s> {
    /// Recursion depth is that of the document, which the parser bounds. It does not stop at a closed level: the values
    /// below it are compared.
    fn value(&mut self, value: Value<'_>, level: Level<'s>) {
        if let Some(rule) = level.ignored {
            if !self.hiding.contains(&rule) {
                self.hiding.push(rule);
            }
            return;
        }
        if level.is_closed() {
            self.left |= value.kind().is_scalar() || value.len() > 0;
            return;
        }
        match value.kind() {
            Kind::Array => {
                for (index, element) in value.elements().enumerate() {
                    let below = self.walk.enter(level, Key::Item(index, value.len(), element));
                    self.value(element, below);
                    self.walk.leave(below);
                }
            }
            Kind::Object => {
                for (name, member) in value.members() {
                    let name = name.string();
                    let below = self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&name)));
                    self.value(member, below);
                    self.walk.leave(below);
                }
            }
            _ => self.left = true,
        }
    }
}
