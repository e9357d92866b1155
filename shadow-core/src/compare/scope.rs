//! The rules that are in force for one exchange, and what they ask of each place.
//!
//! Every content kind is handed a [`Scope`] and asks it, never the configuration: which entries of the rules apply to
//! this method and path was decided once, when it was made. A kind that has places walks them with [`Scope::walk`] and
//! asks the [`Level`] that it is at.

use core::{cell::Cell, time::Duration};

use crate::exchange::Request;

use super::{
    compiled::{Compiled, Place},
    leaf::{self, Leaf},
    paths::{self, Key},
    rules::{
        Added, Arrays, Asked, Errors, FieldName, Format, Nulls, PlaceRule, Pointer, Statuses, Tolerance,
    },
    usage::RuleId,
};

/// Whole documents that are walked for a rule, before only one of so many is.
const SURVEYS: u64 = 64;

/// The rules in force for one exchange.
#[derive(Debug)]
pub(super) struct Scope<'r> {
    compiled: &'r Compiled,
    /// By rule for a place: whether it is for this request, and whether it has matched.
    places: Vec<Cell<State>>,
    pub(super) headers: &'r [FieldName],
    pub(super) header_presence: &'r [FieldName],
    pub(super) status: Statuses,
    pub(super) same_status: &'r [(RuleId, Vec<u16>)],
    pub(super) errors: Errors,
    pub(super) error_type: &'r [(RuleId, Pointer)],
    below: Below,
    arrays: Arrays,
    number: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    ForOthers,
    Active,
    Matched,
}

/// A setting that is not given stays as it is.
fn set<T: Copy>(to: &mut T, given: Option<T>) {
    *to = given.unwrap_or(*to);
}

/// What holds for a place and everything below it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Below {
    pub(super) tolerance: Option<Tolerance>,
    pub(super) within: Option<Duration>,
    pub(super) numbers_as_strings: bool,
    pub(super) nulls: Nulls,
    pub(super) added: Added,
}

/// How the elements of an array belong together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matching<'r> {
    /// By position.
    Ordered,
    /// By what they are, each once.
    Multiset,
    /// By what they are, however often.
    Set,
    /// By a member.
    Keyed(&'r Pointer),
}

/// What the rules ask of one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level<'r> {
    open: paths::Level,
    /// Two different values pass when both have it.
    pub(super) format: Option<&'r Format>,
    /// Whether a limit (tolerance, span) was set for this very place, so that it holds besides the format.
    pub(super) limited: bool,
    pub(super) below: Below,
    pub(super) matching: Matching<'r>,
    /// The rule by which the place is left out, with everything below.
    pub(super) ignored: Option<RuleId>,
}

/// A way through one document.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    scope: &'s Scope<'s>,
    paths: paths::Walk<'s>,
    /// The rules that name the place last entered.
    named: Vec<u32>,
}

impl<'r> Scope<'r> {
    /// For a request.
    pub(super) fn new(compiled: &'r Compiled, request: &Request) -> Self {
        let Compiled {
            rules,
            top,
            places,
            counters,
            ..
        } = compiled;
        let mut scope = Self {
            compiled,
            places: Vec::new(),
            headers: &rules.headers,
            header_presence: &rules.header_presence,
            status: rules.status,
            same_status: &top.same_status,
            errors: rules.errors,
            error_type: &top.error_type,
            below: Below {
                tolerance: rules.tolerance,
                within: None,
                numbers_as_strings: rules.numbers_as_strings,
                nulls: rules.nulls,
                added: rules.added,
            },
            arrays: rules.arrays,
            number: compiled.next(),
        };
        let asked = if rules.routes.is_empty() {
            None
        } else {
            Asked::new(request)
        };
        let is_for = |entry: usize| {
            let route = rules.routes.get(entry).map(|entry| &entry.route);
            asked
                .as_ref()
                .zip(route)
                .is_some_and(|(asked, route)| route.matches(asked))
        };
        let matching: Vec<bool> = (0..rules.routes.len()).map(is_for).collect();
        for (index, entry) in compiled.routes.iter().enumerate() {
            counters.asked(entry.id);
            if matching.get(index) == Some(&true) {
                counters.matched(entry.id);
                scope.add(index);
            }
        }
        scope.places = places
            .iter()
            .map(|place| match place.route {
                Some(entry) if matching.get(entry) != Some(&true) => Cell::new(State::ForOthers),
                _ => Cell::new(State::Active),
            })
            .collect();
        scope
    }

    /// Takes over the single settings of an entry of `routes`.
    fn add(&mut self, index: usize) {
        let (rules, entries) = (&self.compiled.rules.routes, &self.compiled.routes);
        let (Some(entry), Some(compiled)) = (rules.get(index), entries.get(index)) else {
            return;
        };
        set(&mut self.headers, entry.headers.as_deref());
        set(&mut self.header_presence, entry.header_presence.as_deref());
        set(&mut self.status, entry.status);
        set(&mut self.errors, entry.errors);
        set(&mut self.arrays, entry.arrays);
        set(&mut self.below.numbers_as_strings, entry.numbers_as_strings);
        set(&mut self.below.nulls, entry.nulls);
        set(&mut self.below.added, entry.added);
        self.below.tolerance = entry.tolerance.or(self.below.tolerance);
        if entry.same_status.is_some() {
            self.same_status = &compiled.lists.same_status;
        }
        if entry.error_type.is_some() {
            self.error_type = &compiled.lists.error_type;
        }
    }

    /// Whether the whole content is ignored.
    pub(super) fn ignores_all(&self) -> bool {
        self.compiled.set.whole() && self.walk().1.ignored.is_some()
    }

    /// A walk, and what is asked of the outermost value.
    pub(super) fn walk(&self) -> (Walk<'_>, Level<'_>) {
        let (paths, open) = paths::Walk::only(&self.compiled.set, |path| self.place(path).is_some());
        let mut walk = Walk {
            scope: self,
            paths,
            named: self.compiled.set.roots().to_vec(),
        };
        walk.named.retain(|path| self.place(*path).is_some());
        let level = walk.level(open, self.below);
        (walk, level)
    }

    /// Whether two different values of one name pass, in a kind that has only names and text; or a new one.
    pub(super) fn passes(&self, name: &[u8], production: Option<&[u8]>, shadow: &[u8]) -> bool {
        let level = self.named(name);
        if level.ignored.is_some() {
            return true;
        }
        match (production.map(core::str::from_utf8), core::str::from_utf8(shadow)) {
            (Some(Ok(a)), Ok(b)) => leaf::equal(&level, Leaf::Untyped(a), Leaf::Untyped(b)),
            (None, _) => level.below.added == Added::Allow,
            _ => false,
        }
    }

    /// Whether a name is ignored, in such a kind.
    pub(super) fn ignores(&self, name: &[u8]) -> bool {
        self.named(name).ignored.is_some()
    }

    fn named(&self, name: &[u8]) -> Level<'_> {
        let (mut walk, root) = self.walk();
        if root.ignored.is_some() {
            return root;
        }
        walk.enter(root, Key::Name(&String::from_utf8_lossy(name)))
    }

    /// Whether some values may be equal without being the same: only then must what is equal by hash be looked at.
    pub(super) fn is_loose(&self) -> bool {
        self.below.tolerance.is_some()
            || self
                .rules()
                .any(|rule| rule.tolerance.is_some() || rule.within.is_some())
    }

    /// Whether added members may pass anywhere.
    pub(super) fn allows_added(&self) -> bool {
        self.below.added == Added::Allow || self.rules().any(|rule| rule.added == Some(Added::Allow))
    }

    /// Whether a whole document should be walked for the rules: at first every one, later some.
    pub(super) fn wants_survey(&self) -> bool {
        let counters = &self.compiled.counters;
        let mut places = self.active().peekable();
        places.peek().is_some()
            && (self.number.is_multiple_of(SURVEYS)
                || places.any(|place| counters.times_asked(place.id) < SURVEYS))
    }

    /// A whole document was walked. `hiding` are the rules that left nothing of it to compare, if it was so.
    pub(super) fn surveyed(&self, hiding: &[RuleId]) {
        for place in self.active() {
            self.compiled.counters.asked(place.id);
        }
        for rule in hiding {
            self.compiled.counters.hid_all(*rule);
        }
    }

    /// A rule that is no rule for a place was tried.
    pub(super) fn tried(&self, rule: RuleId, matched: bool) {
        self.compiled.counters.asked(rule);
        if matched {
            self.compiled.counters.matched(rule);
        }
    }

    fn active(&self) -> impl Iterator<Item = &'r Place> {
        let states = self.places.iter().zip(&self.compiled.places);
        states
            .filter(|(state, _)| state.get() != State::ForOthers)
            .map(|(_, place)| place)
    }

    fn rules(&self) -> impl Iterator<Item = &'r PlaceRule> {
        self.active().map(|place| &place.rule)
    }

    /// The rule of a path, when it is for this request.
    fn place(&self, path: u32) -> Option<&'r Place> {
        let state = self.places.get(path as usize)?;
        (state.get() != State::ForOthers).then(|| self.compiled.places.get(path as usize))?
    }
}

impl Drop for Scope<'_> {
    /// In one exchange a rule matches once, however many places it names.
    fn drop(&mut self) {
        for (state, place) in self.places.iter().zip(&self.compiled.places) {
            if state.get() == State::Matched {
                self.compiled.counters.matched(place.id);
            }
        }
    }
}

impl<'s> Walk<'s> {
    /// One step down. Every level that was entered must be left before a sibling is entered, also an ignored one.
    pub(super) fn enter(&mut self, parent: Level<'s>, key: Key<'_>) -> Level<'s> {
        if parent.is_closed() {
            return self.below(parent);
        }
        let named = &mut self.named;
        named.clear();
        let open = self.paths.step(parent.open, key, |path| named.push(path));
        // The later rule wins.
        named.sort_unstable();
        self.level(open, parent.below)
    }

    /// As [`Walk::enter`], below a level that is closed: no rule can name the place, so its key is not needed.
    pub(super) fn below(&mut self, parent: Level<'s>) -> Level<'s> {
        self.named.clear();
        self.level(parent.open, parent.below)
    }

    /// Back up from `level`.
    pub(super) fn leave(&mut self, level: Level<'s>) {
        if !level.is_closed() {
            self.paths.leave(level.open);
        }
    }

    fn level(&self, open: paths::Level, below: Below) -> Level<'s> {
        let mut level = Level {
            open,
            format: None,
            limited: false,
            below,
            matching: match self.scope.arrays {
                Arrays::Ordered => Matching::Ordered,
                Arrays::Multiset => Matching::Multiset,
                Arrays::Set => Matching::Set,
            },
            ignored: None,
        };
        for path in &self.named {
            if let Some(place) = self.scope.place(*path) {
                if let Some(state) = self.scope.places.get(*path as usize) {
                    state.set(State::Matched);
                }
                level.apply(place);
            }
        }
        level
    }
}

impl<'r> Level<'r> {
    /// Whether no rule can name anything below.
    pub(super) fn is_closed(self) -> bool {
        self.open.is_closed()
    }

    fn apply(&mut self, place: &'r Place) {
        let PlaceRule {
            path: _,
            ignore,
            format,
            tolerance,
            within,
            numbers_as_strings,
            arrays,
            key,
            nulls,
            added,
        } = &place.rule;
        // Whatever is asked of a place after it was ignored takes that back.
        self.ignored = (*ignore == Some(true)).then_some(place.id);
        if let Some(format) = format {
            self.format = Some(format);
        }
        if tolerance.is_some() || within.is_some() {
            self.limited = true;
        }
        let below = &mut self.below;
        below.tolerance = tolerance.or(below.tolerance);
        below.within = within.or(below.within);
        below.numbers_as_strings = numbers_as_strings.unwrap_or(below.numbers_as_strings);
        below.nulls = nulls.unwrap_or(below.nulls);
        below.added = added.unwrap_or(below.added);
        match (arrays, key) {
            (Some(Arrays::Ordered), _) => self.matching = Matching::Ordered,
            (Some(Arrays::Multiset), _) => self.matching = Matching::Multiset,
            (Some(Arrays::Set), _) => self.matching = Matching::Set,
            (None, Some(key)) => self.matching = Matching::Keyed(key),
            (None, None) => {}
        }
    }
}
