//! The walk over two documents.

use core::fmt::Write as _;

use hashbrown::DefaultHashBuilder;

use crate::compare::{
    ABSENT, Category,
    findings::{Findings, shorten},
    leaf::{self, Leaf},
    paths::Key,
    rules::{Added, Nulls},
    scope::{self, Level, Scope, Walk},
};

use super::{
    hash::{self, Hashes},
    tape::{Kind, Tape, Value},
};

/// One comparison.
#[derive(Debug)]
pub(super) struct Diff<'d> {
    production: &'d Tape<'d>,
    shadow: &'d Tape<'d>,
    scope: &'d Scope<'d>,
    findings: Findings,
    walk: Walk<'d>,
    root: &'d str,
    /// How the current value was reached; written out only for a discrepancy.
    trail: Vec<Step<'d>>,
    /// Of both documents, made when array elements have to be matched.
    hashes: Option<(Hashes, Hashes)>,
    pub(super) state: DefaultHashBuilder,
    probes: u8,
}

/// Arrays of one comparison that are walked once without telling what is found, in the hope that their elements are
/// equal where they are and nothing has to be hashed. Such walks are nested as arrays are, so they need a bound.
const PROBES: u8 = 16;

#[derive(Clone, Copy, Debug)]
enum Step<'d> {
    Member(Value<'d>),
    Element(usize),
}

/// Where two arrays of one length differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Differing {
    Nowhere,
    At(usize),
}

/// An element with its index.
pub(super) type Element<'d> = (usize, Value<'d>);

/// Two arrays, and what the rules ask of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrays<'d> {
    pub(super) production: Value<'d>,
    pub(super) shadow: Value<'d>,
    pub(super) level: Level<'d>,
}

/// A value on both sides or on one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pair<'d> {
    Both(Value<'d>, Value<'d>),
    Production(Value<'d>),
    Shadow(Value<'d>),
}

/// Compares two documents.
pub(super) fn documents<'d>(
    scope: &'d Scope<'d>,
    production: &'d Tape<'d>,
    shadow: &'d Tape<'d>,
    root: &'d str,
    findings: &mut Findings,
) {
    let (walk, level) = scope.walk(scope::Kind::Values);
    let mut diff = Diff {
        production,
        shadow,
        scope,
        findings: core::mem::replace(findings, Findings::new(0)),
        walk,
        root,
        trail: Vec::new(),
        hashes: None,
        state: DefaultHashBuilder::default(),
        probes: PROBES,
    };
    if let (Some(left), Some(right)) = (production.root(), shadow.root()) {
        diff.values(left, right, level);
    }
    *findings = diff.findings;
}

impl<'d> Diff<'d> {
    pub(super) fn is_full(&self) -> bool {
        self.findings.is_full()
    }

    /// Looks for the positions at which two arrays of one length differ: `None` when there are several, or when this
    /// was done often enough.
    pub(super) fn probe(
        &mut self,
        left: &[Element<'d>],
        right: &[Element<'d>],
        arrays: Arrays<'d>,
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

    /// Whether this walk only asks if there is any difference.
    pub(super) fn is_probing(&self) -> bool {
        self.findings.is_probe()
    }

    /// What the values of production and those of the shadow system count as.
    pub(super) fn hashes(&mut self) -> &(Hashes, Hashes) {
        let Self {
            production,
            shadow,
            scope,
            hashes,
            state,
            ..
        } = self;
        hashes.get_or_insert_with(|| {
            let known = scope.allows_added().then(|| hash::names(production));
            (
                hash::hashes(scope, production, None, state),
                hash::hashes(scope, shadow, known.as_ref(), state),
            )
        })
    }

    /// Recursion is as deep as the documents, which the parser bounds.
    fn values(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level<'d>) {
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
                });
            }
            _ if leaves_equal(&level, production, shadow) => return,
            _ if a.same_type(b) => Category::Value,
            _ => Category::Type,
        };
        self.found(category, production.raw(), shadow.raw());
    }

    /// Members by name, whatever their order; duplicates (RFC 8259 section 4 leaves open what they mean) by name and
    /// occurrence, so that one more or one less is a discrepancy.
    fn objects(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level<'d>) {
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
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        // The name of the members last met.
        let mut last = None;
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return,
                (Some(_), None) => core::cmp::Ordering::Less,
                (None, Some(_)) => core::cmp::Ordering::Greater,
                (Some((a, ..)), Some((b, ..))) => a.cmp(b),
            };
            // The sides that have this member go on.
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            let pair = match (&a, &b) {
                (Some((.., a)), Some((.., b))) => Pair::Both(*a, *b),
                (Some((.., a)), None) => Pair::Production(*a),
                (None, Some((.., b))) => Pair::Shadow(*b),
                (None, None) => return,
            };
            let Some((text, name, _)) = a.or(b) else { return };
            let repeated = last.as_ref() == Some(&text);
            self.member(name, pair, repeated, level);
            last = Some(text);
        }
    }

    /// A member; `repeated` when the object has had one of the same name.
    fn member(&mut self, name: Value<'d>, pair: Pair<'d>, repeated: bool, level: Level<'d>) {
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
            // Two members of one name are two readings of one object: no rule lets them pass.
            Some(Pair::Production(a)) if repeated => self.repeated(Category::Missing, a.raw(), ABSENT),
            Some(Pair::Shadow(b)) if repeated => self.repeated(Category::Added, ABSENT, b.raw()),
            Some(Pair::Shadow(_)) if below.below.added == Added::Allow => {}
            Some(pair) => self.pair(pair, below),
        }
        self.trail.pop();
        self.walk.leave(below);
    }

    /// An element; `index` is production's, or the shadow system's when only that has it.
    pub(super) fn element(&mut self, index: usize, pair: Pair<'d>, arrays: Arrays<'d>) {
        if pair.is_same_text() || self.is_full() {
            return;
        }
        let below = if arrays.level.is_closed() {
            self.walk.below(arrays.level)
        } else {
            let array = match pair {
                Pair::Both(..) | Pair::Production(_) => arrays.production,
                Pair::Shadow(_) => arrays.shadow,
            };
            self.walk.enter(arrays.level, Key::Element(index, array.len()))
        };
        self.trail.push(Step::Element(index));
        if below.ignored.is_none() {
            self.pair(pair, below);
        }
        self.trail.pop();
        self.walk.leave(below);
    }

    fn pair(&mut self, pair: Pair<'d>, level: Level<'d>) {
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
        self.findings.push(
            category,
            place,
            shorten(production.as_bytes()),
            shorten(shadow.as_bytes()),
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

    fn place(&self) -> String {
        let mut place = self.root.to_owned();
        for step in &self.trail {
            let written = match step {
                Step::Element(index) => write!(place, "{}", Key::Index(*index)),
                Step::Member(name) => {
                    let name = name.string();
                    write!(place, "{}", Key::Name(&String::from_utf8_lossy(&name)))
                }
            };
            // A String takes everything.
            written.unwrap_or_default();
        }
        place
    }
}

impl Pair<'_> {
    /// Equal text is an equal value, under every rule. Most of two answers that differ is this.
    fn is_same_text(self) -> bool {
        matches!(self, Self::Both(a, b) if a.raw() == b.raw())
    }

    /// The pair when a null is as good as nothing.
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

/// Whether two values without parts are equal under the rules of their place.
fn leaves_equal(level: &Level<'_>, production: Value<'_>, shadow: Value<'_>) -> bool {
    let (a, b) = (production.kind(), shadow.kind());
    if !(a.is_text_or_number() && b.is_text_or_number()) {
        return a == b && a.is_scalar();
    }
    let (x, y) = (production.content(), shadow.content());
    match (core::str::from_utf8(&x), core::str::from_utf8(&y)) {
        (Ok(x), Ok(y)) => leaf::equal(level, as_leaf(a, x), as_leaf(b, y)),
        // A lone surrogate is no text that a rule could be about.
        _ => x == y,
    }
}

fn as_leaf(kind: Kind, text: &str) -> Leaf<'_> {
    match kind {
        Kind::Number => Leaf::Number(text),
        _ => Leaf::Text(text),
    }
}

type Member<'d> = (std::borrow::Cow<'d, [u8]>, Value<'d>, Value<'d>);

/// Members by name; equal names stay in order.
fn sorted<'d>(object: Value<'d>) -> Vec<Member<'d>> {
    let mut members: Vec<Member<'d>> = object
        .members()
        .map(|(name, value)| (name.string(), name, value))
        .collect();
    members.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    members
}
