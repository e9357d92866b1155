//! The steps of a place as written by the comparison: `.name`, `['other name']`, `[3]`, `[id=4]`, and `.*`, `[*]` in
//! those of a group.

use crate::compare::paths::Key;

/// One step.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Step<'p> {
    /// As it is written.
    pub(super) text: &'p str,
    name: Option<String>,
    index: Option<usize>,
    keyed: bool,
}

impl Step<'_> {
    /// Its key; `None` for a generalised step.
    pub(super) fn key(&self) -> Option<Key<'_>> {
        let name = self.name.as_deref().map(Key::Name);
        name.or_else(|| self.index.map(Key::Index))
            .or_else(|| self.keyed.then_some(Key::Some))
    }
}

/// Iterator over the steps of a path that begins with `$`.
#[derive(Debug)]
pub(super) struct Steps<'p>(&'p str);

impl<'p> Steps<'p> {
    pub(super) fn new(path: &'p str) -> Self {
        Self(path.strip_prefix('$').unwrap_or(path))
    }
}

impl<'p> Iterator for Steps<'p> {
    type Item = Step<'p>;

    fn next(&mut self) -> Option<Step<'p>> {
        if self.0.is_empty() {
            return None;
        }
        let keyed = keyed_len(self.0);
        let (len, name) = if let Some(len) = keyed {
            (len, None)
        } else if let Some(quoted) = self.0.strip_prefix("['") {
            let (len, name) = unquoted(quoted);
            (len.saturating_add(2), Some(name))
        } else {
            let len = step_len(self.0);
            let name = self.0.get(1..len).filter(|_| self.0.starts_with('.'));
            (len, name.filter(|name| *name != "*").map(str::to_owned))
        };
        let (text, rest) = self.0.split_at_checked(len).unwrap_or((self.0, ""));
        self.0 = rest;
        let index = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        Some(Step {
            text,
            name,
            index: index.and_then(|index| index.parse().ok()),
            keyed: keyed.is_some(),
        })
    }
}

/// The length of `[id=4]` or `['a name'='a value']` at the start of a path.
fn keyed_len(path: &str) -> Option<usize> {
    let name = path.strip_prefix('[')?;
    let value = behind_word(name)?.strip_prefix('=')?;
    let behind = behind_word(value)?.strip_prefix(']')?;
    Some(path.len().saturating_sub(behind.len()))
}

/// The rest after a word or a quoted text.
fn behind_word(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '\'' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        return quoted.get(end.saturating_add(1)..);
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@')))?;
    (end > 0).then(|| text.get(end..)).flatten()
}

/// The length of `.name` or `[3]`, or of other text up to the next step.
fn step_len(path: &str) -> usize {
    path.char_indices()
        .skip(1)
        .find(|(_, c)| matches!(c, '.' | '['))
        .map_or(path.len(), |(at, _)| at)
}

/// The length of `name']` and the name without its escapes.
fn unquoted(text: &str) -> (usize, String) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'u')) => {
                    let digit =
                        |code: u32, (_, digit): (usize, char)| Some((code << 4) | digit.to_digit(16)?);
                    let code = chars.by_ref().take(4).try_fold(0, digit);
                    name.extend(code.and_then(char::from_u32));
                }
                escaped => name.extend(escaped.map(|(_, escaped)| escaped)),
            },
            // The bracket follows the quote.
            '\'' => return (at.saturating_add(2), name),
            c => name.push(c),
        }
    }
    (text.len(), name)
}
