//! A compiled set of JSONPath expressions, followed while a document is walked.
//!
//! Owns: the subset of RFC 9535 that names places: `$`, `.name`, `['name']`, `[0]`, `.*`, `[*]` and the same after
//! `..`. Filters, slices, negative indices and selector lists are refused with the column, because a rule that is
//! half understood hides differences.
//! Bounds: all paths are one automaton; a step down costs the number of steps that are still open, nothing when
//! there are none.

use core::fmt;

/// Characters of a member's name that are shown in a place.
const LONGEST_NAME: usize = 100;

/// A path that is not understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path:?} is no path that can be used, at column {column}: {problem}")]
pub struct PathError {
    /// The path.
    pub path: String,
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// Any number of paths in one automaton.
#[derive(Debug, Default)]
pub(crate) struct PathSet {
    steps: Vec<Step>,
    starts: Vec<u32>,
    whole: bool,
}

#[derive(Debug)]
struct Step {
    /// May be any number of levels further down (`..`).
    descend: bool,
    select: Select,
    /// The path ends here.
    last: bool,
}

#[derive(Debug, Eq, PartialEq)]
enum Select {
    Name(Box<str>),
    Index(u64),
    Any,
}

/// One step down in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    Name(&'a str),
    Index(usize),
}

impl fmt::Display for Key<'_> {
    /// As it is written behind a place: `.name`, `['other name']`, `[3]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
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
                        c if c.is_control() => write!(f, "{}", c.escape_default())?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("']")
            }
        }
    }
}

fn is_shorthand(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(is_shorthand_char)
}

fn is_shorthand_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || (!c.is_ascii() && !c.is_control())
}

impl PathSet {
    /// Compiles them all; the error says which one, by its place in the list.
    pub(crate) fn compile(paths: &[String]) -> Result<Self, (usize, PathError)> {
        let mut set = Self::default();
        for (index, path) in paths.iter().enumerate() {
            set.add(path).map_err(|error| (index, error))?;
        }
        Ok(set)
    }

    /// Whether one of them is `$`.
    pub(crate) fn whole(&self) -> bool {
        self.whole
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        !self.whole && self.starts.is_empty()
    }

    fn add(&mut self, path: &str) -> Result<(), PathError> {
        let mut parser = Parser { path, rest: path };
        let steps = parser.steps()?;
        if steps.is_empty() {
            self.whole = true;
        } else {
            self.starts
                .push(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
            self.steps.extend(steps);
        }
        Ok(())
    }
}

/// Where in the automaton the walk of one document is. Levels form a stack in one buffer.
#[derive(Debug)]
pub(crate) struct Walk<'p> {
    set: &'p PathSet,
    open: Vec<u32>,
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
        let open = set.starts.clone();
        let level = Level {
            start: 0,
            end: open.len(),
        };
        (Self { set, open }, level)
    }

    /// One step down. `None` when a path ends there: the place is to be ignored.
    ///
    /// Every level that was entered must be left before a sibling is entered.
    pub(crate) fn enter(&mut self, parent: Level, key: Key<'_>) -> Option<Level> {
        let start = self.open.len();
        for at in parent.start..parent.end {
            let Some(&number) = self.open.get(at) else { break };
            let Some(step) = self.set.steps.get(number as usize) else {
                break;
            };
            if step.descend {
                self.push(start, number);
            }
            if step.select.matches(key) {
                if step.last {
                    self.open.truncate(start);
                    return None;
                }
                self.push(start, number.saturating_add(1));
            }
        }
        Some(Level {
            start,
            end: self.open.len(),
        })
    }

    /// Back up from `level`.
    pub(crate) fn leave(&mut self, level: Level) {
        self.open.truncate(level.start);
    }

    /// Back up to `level` from anywhere below it.
    pub(crate) fn leave_below(&mut self, level: Level) {
        self.open.truncate(level.end);
    }

    fn push(&mut self, start: usize, number: u32) {
        if !self.open.iter().skip(start).any(|&open| open == number) {
            self.open.push(number);
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
        match (self, key) {
            (Self::Any, _) => true,
            (Self::Name(name), Key::Name(given)) => **name == *given,
            (Self::Index(index), Key::Index(given)) => *index == given as u64,
            (Self::Name(_), Key::Index(_)) | (Self::Index(_), Key::Name(_)) => false,
        }
    }
}

struct Parser<'a> {
    path: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn steps(&mut self) -> Result<Vec<Step>, PathError> {
        if !self.eat("$") {
            return Err(self.wrong("a path begins with $"));
        }
        let mut steps = Vec::new();
        while !self.rest.is_empty() {
            let descend = self.eat("..");
            let select = if self.eat("[") {
                self.bracket()?
            } else if descend || self.eat(".") {
                self.shorthand()?
            } else {
                return Err(self.wrong("expected . or [ here"));
            };
            steps.push(Step {
                descend,
                select,
                last: false,
            });
        }
        if let Some(step) = steps.last_mut() {
            step.last = true;
        }
        Ok(steps)
    }

    fn shorthand(&mut self) -> Result<Select, PathError> {
        if self.eat("*") {
            return Ok(Select::Any);
        }
        let end = self
            .rest
            .find(|c| !is_shorthand_char(c))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !is_shorthand(name) {
            return Err(self.wrong("expected a name; write other names as ['name']"));
        }
        self.rest = rest;
        Ok(Select::Name(name.into()))
    }

    fn bracket(&mut self) -> Result<Select, PathError> {
        self.blank();
        let select = if self.eat("*") {
            Select::Any
        } else if self.eat("'") {
            Select::Name(self.quoted('\'')?)
        } else if self.eat("\"") {
            Select::Name(self.quoted('"')?)
        } else {
            self.index()?
        };
        self.blank();
        if self.eat("]") {
            return Ok(select);
        }
        Err(self.wrong("expected ]; slices, filters and lists of selectors are not supported"))
    }

    fn index(&mut self) -> Result<Select, PathError> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let Ok(index) = digits.parse() else {
            return Err(self.wrong("expected an index from 0, a quoted name or *"));
        };
        self.rest = rest;
        Ok(Select::Index(index))
    }

    fn quoted(&mut self, quote: char) -> Result<Box<str>, PathError> {
        let mut name = String::new();
        loop {
            let Some(c) = self.next() else {
                return Err(self.wrong("the quoted name does not end"));
            };
            match c {
                '\\' => {
                    match self.next() {
                        Some(escaped @ ('\\' | '\'' | '"' | '/')) => name.push(escaped),
                        _ => {
                            return Err(self.wrong("only \\\\, \\', \\\" and \\/ can be escaped; write other characters as they are"));
                        }
                    }
                }
                c if c == quote => return Ok(name.into()),
                c => name.push(c),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn wrong(&self, problem: &'static str) -> PathError {
        let read = self
            .path
            .chars()
            .count()
            .saturating_sub(self.rest.chars().count());
        PathError {
            path: self.path.to_owned(),
            column: read.saturating_add(1),
            problem,
        }
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
