//! Values next to their names: `{"name":"Cookie","value":"…"}`, in either order, and `["Cookie","…"]`.

use super::{Says, Scanner, string, unescaped};
use crate::compare::REDACTED;

/// Members that name the value in another member of the same object, as in `{"name":"Cookie","value":"…"}`.
pub(super) const NAMING: [&str; 13] = [
    "name",
    "key",
    "field",
    "header",
    "parameter",
    "param",
    "property",
    "attribute",
    "variable",
    "option",
    "id",
    "label",
    "type",
];

/// Members that hold the value.
const VALUES: [&str; 5] = ["value", "values", "val", "content", "data"];

/// A range of the output; it has no end while more follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: usize,
    end: Option<usize>,
}

impl Scanner<'_, '_> {
    /// A member of this name follows. Its value begins after the colon.
    pub(super) fn value_begins(&mut self, name: &str) {
        if VALUES.iter().any(|value| value.eq_ignore_ascii_case(name))
            && let Some(open) = self.open.last_mut()
        {
            let start = self.out.len();
            open.value = Some(Span { start, end: None });
            let named = open.named;
            self.named_beside(named);
        }
    }

    /// The next value is judged by a neighbouring name.
    pub(super) fn named_beside(&mut self, says: Says) {
        if says > Says::Nothing {
            self.here.secret = self.here.secret.max(says.into());
            self.here.beside = true;
        }
    }

    /// The replacement of a value that a name hides.
    pub(super) fn hidden(&mut self, value: &str) -> String {
        if self.here.beside {
            self.secrets.add(value);
        }
        self.redactor.hash(value)
    }

    /// A colon is written.
    pub(super) fn after_colon(&mut self) {
        let at = self.out.len();
        if let Some(Span { start, end: None }) = self.open.last_mut().and_then(|open| open.value.as_mut()) {
            *start = at;
        }
    }

    /// The value of a member that another one may name is written.
    pub(super) fn value_ends(&mut self) {
        let end = self.out.len();
        if let Some(Span { end: open @ None, .. }) = self.open.last_mut().and_then(|open| open.value.as_mut())
        {
            *open = Some(end);
        }
    }

    /// A name came after its value.
    fn hide_value(&mut self, says: Says) {
        let value = self.open.last_mut().and_then(|open| open.value.take());
        let Some(Span {
            start,
            end: Some(end),
        }) = value
        else {
            return;
        };
        let written = self.out.get(start..end).unwrap_or_default();
        let end = start.saturating_add(written.trim_end().len());
        let start = end.saturating_sub(written.trim().len());
        let plain = unescaped(written.trim());
        if says.hides(&plain) && !is_mark(&plain) {
            for secret in leaves(written) {
                self.secrets.add(&secret);
            }
            let hash = format!("\"{}\"", self.redactor.hash(&plain));
            self.out.replace_range(start..end, &hash);
        }
    }

    /// A string may name the value next to it.
    pub(super) fn names_another(&mut self, value: &str) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        // A sentence is not a name.
        if value.len() > 128 || value.contains(char::is_whitespace) || (open.object && !self.naming) {
            return;
        }
        let says = if open.object {
            self.redactor.names.field(value)
        } else {
            self.redactor.names.document(value)
        };
        if says.is_strong() {
            open.named = says;
            if open.object {
                self.hide_value(says);
            }
        }
    }
}

/// The strings in a JSON text, and separate numbers.
fn leaves(text: &str) -> Vec<String> {
    let mut leaves = Vec::new();
    let mut rest = text.trim();
    if !rest.starts_with(['{', '[', '"']) {
        leaves.push(rest.to_owned());
    }
    while let Some(quoted) = rest.find('"').and_then(|at| rest.get(at..)) {
        let (raw, _) = string(quoted);
        leaves.push(unescaped(raw).into_owned());
        rest = quoted.get(raw.len()..).unwrap_or_default();
    }
    leaves
}

/// Whether this is exactly the replacement of a secret.
fn is_mark(text: &str) -> bool {
    let inner = text
        .strip_prefix(REDACTED)
        .and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|hash| hash.len() == 8)
}
