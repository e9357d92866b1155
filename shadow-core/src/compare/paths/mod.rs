//! A compiled set of places, followed while a document is walked.
//!
//! Owns: RFC 9535 without filters: names, indices, wildcards, slices, lists of selectors and descendants; negative
//! indices count from the end. For XML and HTML the notation of [`place`]. Bounds: all paths are one automaton; a step
//! down costs the number of open steps, and nothing when there are none.

mod keyed;
mod parse;
mod place;

use core::{fmt, str::FromStr};

pub(crate) use keyed::keyed;
pub use place::PlacePath;
pub(crate) use place::{Node, parted};

use super::{as_text::written_as_text, json::tape::Value};

/// Characters of a member's name that are shown in a place.
const LONGEST_NAME: usize = 100;

/// A path that could not be parsed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path:?} is no path that can be used, at column {column}: {problem}")]
pub struct PathError {
    /// The path.
    pub path: String,
    /// The position of the error, in characters from 1.
    pub column: usize,
    /// The problem at that position.
    pub problem: &'static str,
}

/// One parsed path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

impl JsonPath {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl FromStr for JsonPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let steps = parse::steps(text)?;
        let text = text.to_owned();
        Ok(Self { text, steps })
    }
}

impl TryFrom<String> for JsonPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

written_as_text!(JsonPath, "a path such as $.items[*].price");

/// Any number of paths in one automaton. Each is identified by its number in the list.
#[derive(Debug, Default)]
pub(crate) struct PathSet {
    steps: Vec<Numbered>,
    /// First step and number of each path that has steps.
    starts: Vec<(u32, u32)>,
    /// The paths without steps: `$`.
    roots: Vec<u32>,
}

#[derive(Debug)]
struct Numbered {
    step: Step,
    /// The path that ends with this step.
    ends: Option<u32>,
}

/// One segment of a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    /// Matches any number of levels further down (`..`).
    descend: bool,
    /// The selectors; any one may match.
    select: Box<[Select]>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Select {
    Name(Box<str>),
    /// Counted from the end when negative.
    Index(i64),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    Any,
    /// Elements with a member of this name and content.
    Keyed {
        name: Box<str>,
        value: Box<str>,
    },
    /// A child node of an element.
    Child(place::Child),
    /// An attribute; `None` for any name.
    Attribute(Option<Box<str>>),
}

/// One step down in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    Name(&'a str),
    /// An element of an array whose length is not known. Selectors that depend on it are taken to match.
    Index(usize),
    /// Its index, the number of elements, and the element itself.
    Item(usize, usize, Value<'a>),
    /// An unspecified element.
    Some,
    /// A child node of an element in a markup document.
    Child(Node<'a>),
    /// An attribute of an element.
    Attribute(&'a str),
}

impl fmt::Display for Key<'_> {
    /// As written after a place: `.name`, `['other name']`, `[3]`. It can be parsed as a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) | Self::Item(index, ..) => write!(f, "[{index}]"),
            Self::Some => f.write_str("[*]"),
            Self::Child(node) => write!(f, "/{}", node.name),
            Self::Attribute(name) => write!(f, "/@{name}"),
            Self::Name(name) if is_shorthand(name) && name.len() <= LONGEST_NAME => write!(f, ".{name}"),
            Self::Name(name) => {
                f.write_str("['")?;
                for (count, c) in name.chars().enumerate() {
                    match c {
                        _ if count == LONGEST_NAME => {
                            f.write_str("…")?;
                            break;
                        }
                        '\\' | '\'' => write!(f, "\\{c}")?,
                        c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("']")
            }
        }
    }
}

/// Whether a name can be written after a dot. Besides those of the RFC, these are numbers of fields: `$.1.3`.
fn is_shorthand(name: &str) -> bool {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    !name.is_empty()
        && (is_number || !name.starts_with(|c: char| c.is_ascii_digit()))
        && name.chars().all(|c| is_shorthand_char(c) && !c.is_control())
}

fn is_shorthand_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

impl PathSet {
    /// All of them.
    pub(crate) fn of<'p>(paths: impl IntoIterator<Item = &'p [Step]>) -> Self {
        let mut set = Self::default();
        for (index, steps) in paths.into_iter().enumerate() {
            set.add(index, steps);
        }
        set
    }

    /// Whether there are no paths.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty() && self.starts.is_empty()
    }

    /// Whether one of them is `$`.
    pub(crate) fn whole(&self) -> bool {
        !self.roots.is_empty()
    }

    /// The numbers of those that are `$`.
    pub(crate) fn roots(&self) -> &[u32] {
        &self.roots
    }

    fn add(&mut self, number: usize, steps: &[Step]) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        if steps.is_empty() {
            return self.roots.push(number);
        }
        let first = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        self.starts.push((first, number));
        self.steps
            .extend(steps.iter().cloned().map(|step| Numbered { step, ends: None }));
        if let Some(last) = self.steps.last_mut() {
            last.ends = Some(number);
        }
    }
}

/// The state of the automaton during the walk of one document. Levels form a stack in one buffer.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'p> {
    set: &'p PathSet,
    open: Vec<u32>,
    /// For each step, the last call of [`Walk::step`] that opened it.
    opened: Vec<u64>,
    calls: u64,
}

/// The open steps of one node of the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    start: usize,
    end: usize,
}

impl<'p> Walk<'p> {
    /// At the root.
    pub(crate) fn new(set: &'p PathSet) -> (Self, Level) {
        Self::only(set, |_| true)
    }

    /// At the root, with the paths for which `is_active` holds.
    pub(crate) fn only(set: &'p PathSet, is_active: impl Fn(u32) -> bool) -> (Self, Level) {
        let open: Vec<u32> = set
            .starts
            .iter()
            .filter(|(_, number)| is_active(*number))
            .map(|(first, _)| *first)
            .collect();
        let level = Level {
            start: 0,
            end: open.len(),
        };
        let opened = if open.is_empty() {
            Vec::new()
        } else {
            vec![0; set.steps.len()]
        };
        let walk = Self {
            set,
            open,
            opened,
            calls: 0,
        };
        (walk, level)
    }

    /// One step down. `None` when a path ends there.
    ///
    /// Every level that was entered must be left before a sibling is entered.
    pub(crate) fn enter(&mut self, parent: Level, key: Key<'_>) -> Option<Level> {
        let mut ended = false;
        let level = self.step(parent, key, |_| ended = true);
        if ended {
            self.leave(level);
            return None;
        }
        Some(level)
    }

    /// One step down; `ends` is called with the number of each path that ends there.
    ///
    /// Every level that was entered must be left before a sibling is entered.
    pub(crate) fn step(&mut self, parent: Level, key: Key<'_>, mut ends: impl FnMut(u32)) -> Level {
        let start = self.open.len();
        self.calls = self.calls.wrapping_add(1);
        for at in parent.start..parent.end {
            let Some(&number) = self.open.get(at) else { break };
            let Some(Numbered { step, ends: path }) = self.set.steps.get(number as usize) else {
                break;
            };
            if step.descend {
                self.push(number);
            }
            if step.select.iter().any(|select| select.matches(key)) {
                match *path {
                    Some(path) => ends(path),
                    None => self.push(number.saturating_add(1)),
                }
            }
        }
        Level {
            start,
            end: self.open.len(),
        }
    }

    /// Returns to the parent of `level`.
    pub(crate) fn leave(&mut self, level: Level) {
        self.open.truncate(level.start);
    }

    /// Returns to `level` from anywhere below it.
    pub(crate) fn leave_below(&mut self, level: Level) {
        self.open.truncate(level.end);
    }

    /// Opens a step, once per level.
    fn push(&mut self, number: u32) {
        let calls = self.calls;
        match self.opened.get_mut(number as usize) {
            Some(opened) if *opened != calls => {
                *opened = calls;
                self.open.push(number);
            }
            _ => {}
        }
    }
}

impl Level {
    /// Whether nothing below can match any more.
    pub(crate) fn is_closed(self) -> bool {
        self.start == self.end
    }
}

impl Select {
    fn matches(&self, key: Key<'_>) -> bool {
        let (index, len) = match (self, key) {
            (Self::Any, _) => return true,
            (Self::Keyed { name, value }, Key::Item(.., element)) => {
                return element
                    .get(name)
                    .is_some_and(|member| *member.content() == *value.as_bytes());
            }
            (Self::Index(_) | Self::Slice { .. } | Self::Keyed { .. }, Key::Some) => return true,
            (Self::Keyed { .. }, _) | (_, Key::Some) => return false,
            (Self::Name(name), Key::Name(given)) => return **name == *given,
            (Self::Child(wanted), Key::Child(node)) => return wanted.matches(node),
            (Self::Attribute(name), Key::Attribute(given)) => {
                return name.as_deref().is_none_or(|name| name == given);
            }
            (Self::Name(_) | Self::Child(_) | Self::Attribute(_), _)
            | (_, Key::Name(_) | Key::Child(_) | Key::Attribute(_)) => return false,
            (_, Key::Index(index)) => (index, None),
            (_, Key::Item(index, len, _)) => (index, i64::try_from(len).ok()),
        };
        let Ok(index) = i64::try_from(index) else {
            return false;
        };
        match *self {
            Self::Index(wanted) if wanted >= 0 => index == wanted,
            Self::Index(wanted) => len.is_none_or(|len| index == len.saturating_add(wanted)),
            Self::Slice { start, end, step } => in_slice(start, end, step, index, len),
            Self::Name(_) | Self::Any | Self::Keyed { .. } | Self::Child(_) | Self::Attribute(_) => false,
        }
    }
}

/// RFC 9535 section 2.3.4.2 for one index.
fn in_slice(start: Option<i64>, end: Option<i64>, step: i64, index: i64, len: Option<i64>) -> bool {
    let negative = start.is_some_and(|n| n < 0) || end.is_some_and(|n| n < 0);
    let len = match len {
        Some(len) => len,
        None if step > 0 && !negative => i64::MAX,
        None => return step != 0,
    };
    let normal = |n: i64| if n < 0 { n.saturating_add(len) } else { n };
    match step {
        1.. => {
            let lower = start.map_or(0, normal).clamp(0, len);
            let upper = end.map_or(len, normal).clamp(0, len);
            (lower..upper).contains(&index) && index.saturating_sub(lower) % step == 0
        }
        0 => false,
        _ => {
            let last = len.saturating_sub(1);
            let upper = start.map_or(last, normal).clamp(-1, last.max(-1));
            let lower = end.map_or(-1, normal).clamp(-1, last.max(-1));
            lower < index && index <= upper && upper.saturating_sub(index) % step.saturating_neg() == 0
        }
    }
}

#[cfg(test)]
mod tests;
