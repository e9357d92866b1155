//! Redaction of JSON, complete or truncated: a body, an event, or the value that a discrepancy shows.
//!
//! A scanner, not a parser, because it must also read invalid documents: it copies the text and replaces values by the
//! name before them, by the paths that lead to them, and strings by their form. After a syntax error the rest is judged
//! as text; it is replaced as a whole if a path could lead into it.

mod beside;
mod start;

use crate::compare::paths::{Key, Level, Walk};

use super::{
    Redactor,
    beside::KnownSecrets,
    judge::{Says, has_random_run},
    strings::{string, unescaped},
};

use beside::Span;

pub(super) use start::Start;

/// Nested arrays and objects; deeper ones are replaced as a whole.
const MAX_DEPTH: usize = 128;

/// Largest growth of the text, as a factor: a hash may be longer than the value it replaces.
pub(super) const GROWTH: usize = 4;

/// The reason why a value is secret, if it is. Ordered: greater hides more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Secret {
    No,
    /// By a name, which may leave the decision to the value.
    Named(Says),
    /// By a configured path: the whole value is hidden.
    Path,
}

impl From<Says> for Secret {
    fn from(says: Says) -> Self {
        if says == Says::Nothing {
            Self::No
        } else {
            Self::Named(says)
        }
    }
}

/// The result.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) text: String,
    /// Whether the end is missing.
    pub(super) cut: bool,
}

/// Copies `text` without its secrets, until `shown` bytes of it are read. A value that begins before that is read as a
/// whole.
pub(super) fn replace(text: &str, shown: usize, start: Start<'_>, secrets: &mut KnownSecrets) -> Replaced {
    let Start {
        redactor,
        walk,
        level,
        secret,
    } = start;
    let mut scanner = Scanner {
        redactor,
        secrets,
        rest: text,
        end: text.len().saturating_sub(shown),
        out: String::with_capacity(text.len().min(shown)),
        walk,
        open: Vec::new(),
        here: Here {
            level: Some(level),
            secret,
            beside: false,
        },
        name_next: false,
        naming: false,
        cut: false,
    };
    let most = shown.saturating_mul(GROWTH);
    while scanner.rest.len() > scanner.end && scanner.out.len() <= most {
        if !scanner.token() {
            scanner.give_up();
        }
    }
    Replaced {
        cut: !scanner.rest.is_empty() || scanner.cut,
        text: scanner.out,
    }
}

/// An array or object that is not yet closed.
#[derive(Debug)]
struct Open {
    object: bool,
    here: Here,
    index: usize,
    /// The effect of a naming member on another one, or of an element on the next.
    named: Says,
    /// The position in the output of a value that another member may name.
    value: Option<Span>,
}

/// The secrecy of a value, and the state of the paths there. No level: the paths end above, or do not match.
#[derive(Clone, Copy, Debug)]
struct Here {
    level: Option<Level>,
    secret: Secret,
    /// The reason is a neighbouring name, not the path.
    beside: bool,
}

struct Scanner<'t, 'r> {
    redactor: &'r Redactor,
    secrets: &'r mut KnownSecrets,
    rest: &'t str,
    /// Bytes of the text that are left when enough is read.
    end: usize,
    out: String,
    /// Something was left out.
    cut: bool,
    walk: Walk<'r>,
    open: Vec<Open>,
    /// The state for the next value.
    here: Here,
    /// The next string is a member name.
    name_next: bool,
    /// The next string may name another member.
    naming: bool,
}

impl<'t> Scanner<'t, '_> {
    /// Takes one token. `false` on a syntax error.
    fn token(&mut self) -> bool {
        let Some(c) = self.rest.chars().next() else {
            return true;
        };
        // In a value that was escaped for display, line ends are escapes.
        for blank in ["\\n", "\\r", "\\t"] {
            if self.rest.starts_with(blank) {
                self.copy(2);
                return true;
            }
        }
        match c {
            ' ' | '\t' | '\n' | '\r' | '\u{feff}' | '…' => self.copy(c.len_utf8()),
            '{' | '[' => return self.begin(c == '{'),
            '}' | ']' => return self.end(c == '}'),
            ':' => {
                self.copy(1);
                self.after_colon();
            }
            ',' => return self.comma(),
            '"' => self.string(),
            _ => return self.scalar(),
        }
        true
    }

    fn copy(&mut self, len: usize) {
        let text = self.take(len);
        self.out.push_str(text);
    }

    fn take(&mut self, len: usize) -> &'t str {
        let (text, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        text
    }

    fn begin(&mut self, object: bool) -> bool {
        if self.open.len() >= MAX_DEPTH {
            return false;
        }
        self.copy(1);
        self.open.push(Open {
            object,
            here: self.here,
            index: 0,
            named: Says::Nothing,
            value: None,
        });
        self.name_next = object;
        self.naming = false;
        if !object {
            self.down(Key::Index(0));
        }
        true
    }

    fn end(&mut self, object: bool) -> bool {
        self.value_ends();
        match self.open.pop() {
            Some(open) if open.object == object => {
                self.back_to(open.here);
                self.name_next = false;
                self.copy(1);
                true
            }
            _ => false,
        }
    }

    fn comma(&mut self) -> bool {
        self.value_ends();
        let Some(open) = self.open.last_mut() else {
            return false;
        };
        let (here, object) = (open.here, open.object);
        open.index = open.index.saturating_add(1);
        let named = if object {
            Says::Nothing
        } else {
            core::mem::replace(&mut open.named, Says::Nothing)
        };
        let index = open.index;
        self.back_to(here);
        self.name_next = object;
        if !object {
            self.down(Key::Index(index));
            self.named_beside(named);
        }
        self.copy(1);
        true
    }

    fn member(&mut self, name: &str) {
        self.down(Key::Name(name));
        self.naming = beside::NAMING
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        self.value_begins(name);
    }

    /// The state for a member or an element of the innermost open value.
    fn down(&mut self, key: Key<'_>) {
        let Here {
            level,
            secret,
            beside,
        } = self.here;
        if secret == Secret::Path {
            return;
        }
        let secret = match key {
            Key::Name(name) => secret.max(self.redactor.names.document(name).into()),
            _ => secret,
        };
        let below = level.map(|level| self.walk.enter(level, key));
        self.here = match below {
            Some(None) => Here {
                level: None,
                secret: Secret::Path,
                beside,
            },
            below => Here {
                level: below.flatten(),
                secret,
                beside,
            },
        };
    }

    fn back_to(&mut self, here: Here) {
        // Levels below `here` follow it in the walk's buffer.
        if let Some(level) = here.level {
            self.walk.leave_below(level);
        }
        self.here = here;
    }

    fn string(&mut self) {
        let (raw, whole) = string(self.rest);
        self.take(raw.len());
        let value = unescaped(raw);
        if self.name_next {
            self.name_next = false;
            let around = self.here.secret;
            self.member(&value);
            // Where a path ends in a wildcard, the names are also data.
            let around = if self.here.secret == Secret::Path {
                Secret::Path
            } else {
                around
            };
            let name = member_name(self.redactor, &value, around);
            self.write(raw, &value, &name);
            return;
        }
        self.names_another(&value);
        let redacted = match self.here.secret {
            Secret::Named(named) if named.hides(&value) => self.hidden(&value),
            Secret::No | Secret::Named(_) => self.read_value(&value, raw.len()),
            Secret::Path => self.redactor.hash(&value),
        };
        self.write(raw, &value, &redacted);
        if !whole {
            self.cut = true;
        }
    }

    /// Redacts a value of `len` bytes that was just taken, until enough is read.
    fn read_value(&mut self, value: &str, len: usize) -> String {
        let room = self.rest.len().saturating_add(len).saturating_sub(self.end);
        self.cut |= len > room && value.chars().nth(room).is_some();
        self.redactor.value(value, room)
    }

    /// Writes a value, unchanged when nothing in it is secret.
    fn write(&mut self, raw: &str, value: &str, redacted: &str) {
        if value == redacted {
            self.out.push_str(raw);
            return;
        }
        let quoted = serde_json::to_string(redacted).unwrap_or_default();
        self.out.push_str(&quoted);
    }

    /// A number or a literal; a word is neither, and the text around it may be a secret.
    fn scalar(&mut self) -> bool {
        let len = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')))
            .unwrap_or(self.rest.len());
        let (raw, behind) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        let plain = matches!(raw, "null" | "true" | "false");
        let number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        // Text that continues belongs to the value: otherwise only half of an address would be judged.
        let ends = behind.chars().next().is_none_or(|c| {
            c.is_whitespace() || matches!(c, ',' | ':' | '"' | '{' | '}' | '[' | ']' | '\\' | '…')
        });
        if !(plain || number) || !ends {
            return false;
        }
        self.take(len);
        let redacted = match self.here.secret {
            Secret::Named(says) if says.hides(raw) => self.hidden(raw),
            Secret::No | Secret::Named(_) => self.redactor.by_detectors(raw, usize::MAX),
            Secret::Path => self.redactor.hash(raw),
        };
        self.write(raw, raw, &redacted);
        true
    }

    fn give_up(&mut self) {
        let rest = core::mem::take(&mut self.rest);
        if self.here.secret <= Secret::Named(Says::IfLikely) && self.redactor.paths.is_empty() {
            let text = self.read_value(rest, rest.len());
            self.out.push_str(&text);
        } else {
            let hash = self.redactor.hash(rest);
            self.out.push_str(&hash);
        }
    }
}

/// A member's name. Inside a secret it is data, unless it has the form of a name.
pub(super) fn member_name(redactor: &Redactor, name: &str, around: Secret) -> String {
    let word = name.len() <= 32
        && name
            .chars()
            .all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-'));
    let cut = name.ends_with('…');
    let secret = match around {
        Secret::No => false,
        Secret::Named(says) if says < Says::UnlessCount => says.hides(name),
        Secret::Named(_) | Secret::Path => !word,
    };
    if secret || cut || has_random_run(name) {
        return redactor.hash(name);
    }
    redactor.by_detectors(name, usize::MAX)
}
