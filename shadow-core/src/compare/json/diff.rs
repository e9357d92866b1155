//! The walk over two documents.

use core::fmt::Write as _;

use hashbrown::DefaultHashBuilder;

use crate::compare::{
    ABSENT, Category, Rules,
    findings::{Findings, shorten},
    paths::{Key, Level, PathSet, Walk},
    scope::Scope,
};

use super::{
    hash,
    number::{Decimal, within},
    tape::{Kind, Tape, Value},
};

/// One comparison.
#[derive(Debug)]
pub(super) struct Diff<'d> {
    production: &'d Tape<'d>,
    shadow: &'d Tape<'d>,
    pub(super) rules: &'d Rules,
    ignore: &'d PathSet,
    findings: Findings,
    walk: Walk<'d>,
    root: &'d str,
    /// How the current value was reached; written out only for a discrepancy.
    trail: Vec<Step<'d>>,
    /// Of both documents, made when array elements have to be matched.
    hashes: Option<(Vec<u64>, Vec<u64>)>,
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

/// A value on both sides or on one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pair<'d> {
    Both(Value<'d>, Value<'d>),
    Production(Value<'d>),
    Shadow(Value<'d>),
}

/// Compares two documents.
pub(super) fn documents<'d>(
    scope: Scope<'d>,
    production: &'d Tape<'d>,
    shadow: &'d Tape<'d>,
    root: &'d str,
    findings: &mut Findings,
) {
    let Scope { rules, ignore } = scope;
    let (walk, level) = Walk::new(ignore);
    let mut diff = Diff {
        production,
        shadow,
        rules,
        ignore,
        findings: core::mem::replace(findings, Findings::new(0)),
        walk,
        root,
        trail: Vec::new(),
        hashes: None,
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
        level: Level,
    ) -> Option<Differing> {
        if self.hashes.is_some() || self.probes == 0 || !self.findings.has_room() {
            return None;
        }
        self.probes = self.probes.saturating_sub(1);
        let findings = core::mem::replace(&mut self.findings, Findings::new(0));
        let mut differing = Some(Differing::Nowhere);
        for (position, ((index, a), (_, b))) in left.iter().zip(right).enumerate() {
            self.element(*index, Pair::Both(*a, *b), level);
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

    /// The hashes of a value of production and one of the shadow system's.
    pub(super) fn hashes(&mut self) -> &(Vec<u64>, Vec<u64>) {
        let Self {
            production,
            shadow,
            rules,
            ignore,
            hashes,
            ..
        } = self;
        hashes.get_or_insert_with(|| {
            let state = DefaultHashBuilder::default();
            (
                hash::hashes(production, rules, ignore, &state),
                hash::hashes(shadow, rules, ignore, &state),
            )
        })
    }

    /// Recursion is as deep as the documents, which the parser bounds.
    fn values(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level) {
        if self.is_full() {
            return;
        }
        let (a, b) = (production.kind(), shadow.kind());
        let category = match (a, b) {
            (Kind::Object, Kind::Object) => return self.objects(production, shadow, level),
            (Kind::Array, Kind::Array) => return self.arrays(production, shadow, level),
            _ if !a.same_type(b) => Category::Type,
            (Kind::Number, Kind::Number) if self.numbers_equal(production.raw(), shadow.raw()) => return,
            (Kind::Plain | Kind::Escaped, _) if production.string() == shadow.string() => return,
            (Kind::Null | Kind::False | Kind::True, _) if a == b => return,
            _ => Category::Value,
        };
        self.found(category, production.raw(), shadow.raw());
    }

    fn numbers_equal(&self, a: &str, b: &str) -> bool {
        a == b
            || Decimal::new(a) == Decimal::new(b)
            || self
                .rules
                .tolerance
                .is_some_and(|tolerance| within(tolerance, a, b))
    }

    /// Members by name, whatever their order; duplicates (RFC 8259 section 4 leaves open what they mean) by name and
    /// occurrence, so that one more or one less is a discrepancy.
    fn objects(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level) {
        let same_names = production.len() == shadow.len()
            && production
                .members()
                .zip(shadow.members())
                .all(|((a, _), (b, _))| a.raw() == b.raw());
        if same_names {
            for ((name, a), (_, b)) in production.members().zip(shadow.members()) {
                self.member(name, Pair::Both(a, b), level);
            }
            return;
        }
        let (left, right) = (sorted(production), sorted(shadow));
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
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
            match (a, b) {
                (Some((_, name, a)), Some((_, _, b))) => self.member(name, Pair::Both(a, b), level),
                (Some((_, name, a)), None) => self.member(name, Pair::Production(a), level),
                (None, Some((_, name, b))) => self.member(name, Pair::Shadow(b), level),
                (None, None) => return,
            }
        }
    }

    fn member(&mut self, name: Value<'d>, pair: Pair<'d>, level: Level) {
        if pair.is_same_text() || self.is_full() {
            return;
        }
        let below = if level.is_closed() {
            Some(level)
        } else {
            let text = name.string();
            self.walk.enter(level, Key::Name(&String::from_utf8_lossy(&text)))
        };
        self.step(Step::Member(name), pair, level, below);
    }

    /// An element; `index` is production's, or the shadow system's when only that has it.
    pub(super) fn element(&mut self, index: usize, pair: Pair<'d>, level: Level) {
        if pair.is_same_text() || self.is_full() {
            return;
        }
        let below = if level.is_closed() {
            Some(level)
        } else {
            self.walk.enter(level, Key::Index(index))
        };
        self.step(Step::Element(index), pair, level, below);
    }

    fn step(&mut self, step: Step<'d>, pair: Pair<'d>, level: Level, below: Option<Level>) {
        let Some(below) = below else { return };
        self.trail.push(step);
        match pair {
            Pair::Both(a, b) => self.values(a, b, below),
            Pair::Production(a) => self.found(Category::Missing, a.raw(), ABSENT),
            Pair::Shadow(b) => self.found(Category::Added, ABSENT, b.raw()),
        }
        self.trail.pop();
        if !level.is_closed() {
            self.walk.leave(below);
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
