//! The walk over two documents.

use core::fmt::Write as _;

use hashbrown::DefaultHashBuilder;

use crate::compare::{
    ABSENT, Category,
    findings::{Findings, shorten},
    paths::{Key, keyed},
    rules::{Added, Nulls},
    scope::{self, Level, Scope, Walk},
};

use super::{
    checked::scalars,
    hash::{self, Hashes},
    keys::{self, Renamed},
    strings::leaves_equal,
    tape::{Kind, Tape, Value},
};

/// One comparison.
#[derive(Debug)]
pub(super) struct Diff<'d, 's> {
    pub(super) production: &'d Tape<'d>,
    pub(super) shadow: &'d Tape<'d>,
    pub(super) scope: &'s Scope<'s>,
    pub(super) findings: Findings,
    pub(super) walk: Walk<'s>,
    /// The level of the outermost value.
    pub(super) level: Level<'s>,
    pub(super) root: &'d str,
    /// The path to the current value; formatted only for a discrepancy.
    pub(super) trail: Vec<Step<'d>>,
    /// Hashes of both documents, computed when array elements have to be matched.
    pub(super) hashes: Option<(Hashes, Hashes)>,
    pub(super) state: DefaultHashBuilder,
    pub(super) probes: u8,
    /// Nesting depth of documents in strings.
    pub(super) nested: u8,
}

/// Arrays of one comparison that are first walked without reporting, in case their elements are equal by position and
/// no hashing is needed. Such walks nest like arrays, so they need a bound.
const PROBES: u8 = 16;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'d> {
    Member(Value<'d>),
    Element(usize),
    /// An element by the name and the value of its identifying member.
    Keyed(Value<'d>, Value<'d>),
}

/// Where two arrays of one length differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Differing {
    Nowhere,
    At(usize),
}

/// An element with its index.
pub(super) type Element<'d> = (usize, Value<'d>);

/// Two arrays, and the rules for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrays<'d, 's> {
    pub(super) production: Value<'d>,
    pub(super) shadow: Value<'d>,
    pub(super) level: Level<'s>,
    /// The name of the member that identifies the elements.
    pub(super) key: Option<Value<'d>>,
}

/// A value on both sides or on one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pair<'d> {
    Both(Value<'d>, Value<'d>),
    Production(Value<'d>),
    Shadow(Value<'d>),
}

/// Compares two documents.
pub(super) fn documents<'d, 's>(
    scope: &'s Scope<'s>,
    production: &'d Tape<'d>,
    shadow: &'d Tape<'d>,
    root: &'d str,
    findings: &mut Findings,
) {
    let (walk, level) = scope.walk(scope::Kind::Values);
    let diff = Diff {
        production,
        shadow,
        scope,
        findings: core::mem::replace(findings, Findings::new(0)),
        walk,
        level,
        root,
        trail: Vec::new(),
        hashes: None,
        state: DefaultHashBuilder::default(),
        probes: PROBES,
        nested: 0,
    };
    (*findings, _) = diff.run();
}

impl<'d, 's> Diff<'d, 's> {
    pub(super) fn run(mut self) -> (Findings, Walk<'s>) {
        if let (Some(left), Some(right)) = (self.production.root(), self.shadow.root()) {
            self.values(left, right, self.level);
        }
        (self.findings, self.walk)
    }

    pub(super) fn is_full(&self) -> bool {
        self.findings.is_full()
    }

    /// Looks for the positions at which two arrays of equal length differ: `None` when there are several, or over the
    /// bound.
    pub(super) fn probe(
        &mut self,
        left: &[Element<'d>],
        right: &[Element<'d>],
        arrays: Arrays<'d, 's>,
    ) -> Option<Differing> {
        if self.hashes.is_some() || self.probes == 0 || !self.findings.has_room() {
            return None;
        }
        self.probes = self.probes.saturating_sub(1);
        let findings = core::mem::replace(&mut self.findings, Findings::new(0));
        let mut differing = Some(Differing::Nowhere);
        for (position, ((index, a), (_, b))) in left.iter().zip(right).enumerate() {
            self.element(*index, Pair::Both(*a, *b), arrays);
            if core::mem::replace(&mut self.findings, Findings::new(0)).is_full() {
                differing = match differing {
                    Some(Differing::Nowhere) => Some(Differing::At(position)),
                    _ => None,
                };
            }
            if differing.is_none() {
                break;
            }
        }
        self.findings = findings;
        differing
    }

    /// Whether this walk only detects whether there is a difference.
    pub(super) fn is_probing(&self) -> bool {
        self.findings.is_probe()
    }

    /// The hashes of the production values and of the shadow values.
    pub(super) fn hashes(&mut self) -> &(Hashes, Hashes) {
        let Self {
            production,
            shadow,
            scope,
            hashes,
            state,
            walk,
            level,
            ..
        } = self;
        hashes.get_or_insert_with(|| {
            let known = scope.allows_added().then(|| hash::names(production));
            let at = || hash::At {
                scope,
                walk: walk.clone(),
                level: *level,
            };
            (
                hash::hashes(at(), production, None, state),
                hash::hashes(at(), shadow, known.as_ref(), state),
            )
        })
    }

    /// Recursion depth is that of the documents, which the parser bounds.
    fn values(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level<'s>) {
        if self.is_full() {
            return;
        }
        let (a, b) = (production.kind(), shadow.kind());
        let category = match (a, b) {
            (Kind::Object, Kind::Object) => return self.objects(production, shadow, level),
            (Kind::Array, Kind::Array) => {
                return self.arrays(Arrays {
                    production,
                    shadow,
                    level,
                    key: None,
                });
            }
            _ if leaves_equal(&level, production, shadow) => return,
            (Kind::Plain | Kind::Escaped, Kind::Plain | Kind::Escaped) => {
                return self.strings(production, shadow, level);
            }
            _ if a.same_type(b) => Category::Value,
            _ => Category::Type,
        };
        self.found(category, production.raw(), shadow.raw());
    }

    /// Members by name, in any order; duplicates (RFC 8259 section 4 leaves their meaning open) by name and occurrence,
    /// so that one more or one less is a discrepancy.
    fn objects(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level<'s>) {
        let same_names = production.len() == shadow.len()
            && production
                .members()
                .zip(shadow.members())
                .all(|((a, _), (b, _))| a.raw() == b.raw());
        if same_names {
            for ((name, a), (_, b)) in production.members().zip(shadow.members()) {
                self.member(name, Pair::Both(a, b), false, level);
            }
            return;
        }
        let (left, right) = (sorted(production), sorted(shadow));
        let renamed = keys::renamed(&left, &right);
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        // The name of the last members seen.
        let mut last = None;
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => core::cmp::Ordering::Less,
                (None, Some(_)) => core::cmp::Ordering::Greater,
                (Some((a, ..)), Some((b, ..))) => a.cmp(b),
            };
            // The sides that have this member advance.
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            let pair = match (&a, &b) {
                (Some((.., a)), Some((.., b))) => Pair::Both(*a, *b),
                (Some((.., a)), None) => Pair::Production(*a),
                (None, Some((.., b))) => Pair::Shadow(*b),
                (None, None) => break,
            };
            let Some((text, name, _)) = a.or(b) else { break };
            let repeated = last.as_ref() == Some(&text);
            if renamed.is_none() || pair.is_both() || repeated {
                self.member(name, pair, repeated, level);
            }
            last = Some(text);
        }
        for pair in renamed.into_iter().flatten() {
            self.renamed(pair, level);
        }
    }

    /// Members whose names are keys that differ in each answer.
    fn renamed(&mut self, pair: Renamed<'d>, level: Level<'s>) {
        if self.is_full() {
            return;
        }
        let (a, b) = match pair {
            Renamed::Both(a, b) => (Some(a), Some(b)),
            Renamed::Production(a) => (Some(a), None),
            Renamed::Shadow(b) => (None, Some(b)),
        };
        let Some((name, _)) = a.or(b) else { return };
        let below = if level.is_closed() {
            self.walk.below(level)
        } else {
            let text = name.string();
            self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&text)))
        };
        let (category, passes) = match (a, b) {
            (Some(_), Some(_)) => (Category::Value, false),
            (_, None) => (Category::Missing, false),
            (None, _) => (Category::Added, below.below.added == Added::Allow),
        };
        if below.ignored.is_none() && !passes {
            if !self.findings.has_room() {
                self.findings.overflow();
            } else if !level.parts.leave_out(keys::PART) {
                let place = format!("{} {}", self.place(), keys::PART);
                let shown = |side: Option<(Value<'_>, Value<'_>)>| {
                    side.map_or_else(|| ABSENT.to_owned(), |(name, _)| shorten(name.raw().as_bytes()))
                };
                let leaves = a
                    .filter(|_| b.is_none())
                    .map_or(1, |(_, value)| scalars(value.raw()));
                self.findings
                    .push_element(category, place, shown(a), shown(b), leaves);
            }
            if let (Some((_, a)), Some((_, b))) = (a, b)
                && a.raw() != b.raw()
            {
                self.trail.push(Step::Member(name));
                self.values(a, b, below);
                self.trail.pop();
            }
        }
        self.walk.leave(below);
    }

    /// A member; `repeated` when the object already had one of the same name.
    fn member(&mut self, name: Value<'d>, pair: Pair<'d>, repeated: bool, level: Level<'s>) {
        if pair.is_same_text() || self.is_full() {
            return;
        }
        let below = if level.is_closed() {
            self.walk.below(level)
        } else {
            let text = name.string();
            self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&text)))
        };
        let pair = match below.below.nulls {
            Nulls::Distinct => Some(pair),
            Nulls::Missing => pair.without_nulls(),
        };
        self.trail.push(Step::Member(name));
        match pair {
            _ if below.ignored.is_some() => {}
            None => {}
            // Duplicate members make an object ambiguous: no rule lets them pass.
            Some(Pair::Production(a)) if repeated => self.repeated(Category::Missing, a.raw(), ABSENT),
            Some(Pair::Shadow(b)) if repeated => self.repeated(Category::Added, ABSENT, b.raw()),
            Some(Pair::Shadow(_)) if below.below.added == Added::Allow => {}
            Some(pair) => self.pair(pair, below),
        }
        self.trail.pop();
        self.walk.leave(below);
    }

    /// An element; `index` is production's, or the shadow system's when only that has it.
    pub(super) fn element(&mut self, index: usize, pair: Pair<'d>, arrays: Arrays<'d, 's>) {
        if pair.is_same_text() || self.is_full() {
            return;
        }
        let (array, element) = match pair {
            Pair::Both(a, _) | Pair::Production(a) => (arrays.production, a),
            Pair::Shadow(b) => (arrays.shadow, b),
        };
        let below = if arrays.level.is_closed() {
            self.walk.below(arrays.level)
        } else {
            self.walk
                .enter(arrays.level, Key::Item(index, array.len(), element))
        };
        let keyed = arrays.key.and_then(|name| {
            let member = element.member(&name.string())?;
            member
                .kind()
                .is_text_or_number()
                .then_some(Step::Keyed(name, member))
        });
        self.trail.push(keyed.unwrap_or(Step::Element(index)));
        if below.ignored.is_none() {
            self.pair(pair, below);
        }
        self.trail.pop();
        self.walk.leave(below);
    }

    fn pair(&mut self, pair: Pair<'d>, level: Level<'s>) {
        match pair {
            Pair::Both(a, b) => self.values(a, b, level),
            Pair::Production(a) => self.found(Category::Missing, a.raw(), ABSENT),
            Pair::Shadow(b) => self.found(Category::Added, ABSENT, b.raw()),
        }
    }

    pub(super) fn found(&mut self, category: Category, production: &str, shadow: &str) {
        if !self.findings.has_room() {
            return self.findings.overflow();
        }
        let place = self.place();
        let leaves = if category == Category::Missing {
            scalars(production)
        } else {
            1
        };
        self.findings.push_element(
            category,
            place,
            shorten(production.as_bytes()),
            shorten(shadow.as_bytes()),
            leaves,
        );
    }

    fn repeated(&mut self, category: Category, production: &str, shadow: &str) {
        let shown = |value: &str| match value {
            ABSENT => value.to_owned(),
            value => format!("{value} (a second member of this name)"),
        };
        let (production, shadow) = (shown(production), shown(shadow));
        self.found(category, &production, &shadow);
    }

    pub(super) fn place(&self) -> String {
        let mut place = self.root.to_owned();
        for step in &self.trail {
            let written = match step {
                Step::Element(index) => write!(place, "{}", Key::Index(*index)),
                Step::Keyed(name, value) => {
                    let (name, value) = (name.string(), value.content());
                    let text = String::from_utf8_lossy;
                    place.push_str(&keyed(&text(&name), &text(&value)));
                    Ok(())
                }
                Step::Member(name) => {
                    let name = name.string();
                    write!(place, "{}", Key::Name(&String::from_utf8_lossy(&name)))
                }
            };
            // Writing to a String does not fail.
            written.unwrap_or_default();
        }
        place
    }
}

impl Pair<'_> {
    /// Equal text is an equal value, under every rule. This is the most frequent case.
    fn is_same_text(self) -> bool {
        matches!(self, Self::Both(a, b) if a.raw() == b.raw())
    }

    fn is_both(self) -> bool {
        matches!(self, Self::Both(..))
    }

    /// The pair when null counts as missing.
    fn without_nulls(self) -> Option<Self> {
        let there = |value: Value<'_>| value.kind() != Kind::Null;
        match self {
            Self::Both(a, b) => match (there(a), there(b)) {
                (true, true) => Some(self),
                (true, false) => Some(Self::Production(a)),
                (false, true) => Some(Self::Shadow(b)),
                (false, false) => None,
            },
            Self::Production(value) | Self::Shadow(value) => there(value).then_some(self),
        }
    }
}

pub(super) type Member<'d> = (std::borrow::Cow<'d, [u8]>, Value<'d>, Value<'d>);

/// Members sorted by name; equal names stay in order.
fn sorted<'d>(object: Value<'d>) -> Vec<Member<'d>> {
    let mut members: Vec<Member<'d>> = object
        .members()
        .map(|(name, value)| (name.string(), name, value))
        .collect();
    members.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    members
}
