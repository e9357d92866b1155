//! A walk through one document, and the rules for each place in it.

use core::time::Duration;

use super::{Scope, State};
use crate::compare::{
    clocks::Clocks,
    compiled::CompiledPlace,
    paths::{self, Key},
    rules::{Added, Arrays, Format, Nulls, Numbers, PlaceRule, Pointer, Tolerance},
    usage::RuleId,
};

/// The settings for a place and everything below it.
#[derive(Clone, Copy, Debug)]
pub(in crate::compare) struct Below {
    pub(in crate::compare) tolerance: Option<Tolerance>,
    pub(in crate::compare) within: Option<Duration>,
    pub(in crate::compare) numbers: Numbers,
    pub(in crate::compare) numbers_as_strings: bool,
    pub(in crate::compare) nulls: Nulls,
    pub(in crate::compare) added: Added,
    /// The clocks of the two answers, if they are known.
    pub(in crate::compare) clocks: Option<Clocks>,
}

/// How the elements of an array are matched.
#[derive(Clone, Copy, Debug)]
pub(in crate::compare) enum Matching<'r> {
    /// By position.
    Ordered,
    /// By value, each once.
    Multiset,
    /// By value, any number of times.
    Set,
    /// By a member.
    Keyed(&'r Pointer),
}

/// The rules for one place.
#[derive(Clone, Copy, Debug)]
pub(in crate::compare) struct Level<'r> {
    open: paths::Level,
    /// Two different values pass when both have this format.
    pub(in crate::compare) format: Option<&'r Format>,
    /// Whether a limit (tolerance, span) was set for this place itself, so that it applies in addition to the format.
    pub(in crate::compare) limited: bool,
    pub(in crate::compare) below: Below,
    pub(in crate::compare) matching: Matching<'r>,
    /// The rule by which the place is left out, with everything below.
    pub(in crate::compare) ignored: Option<RuleId>,
    /// Parts of the text at the place that are left out.
    pub(in crate::compare) parts: Parts<'r>,
}

/// Parts of a text that are left out; there are few.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::compare) struct Parts<'r> {
    places: &'r [CompiledPlace],
    /// The numbers of the rules, each plus one.
    rules: [u16; 8],
}

impl<'r> Parts<'r> {
    fn add(&mut self, places: &'r [CompiledPlace], rule: u32) {
        self.places = places;
        if let Some(free) = self.rules.iter_mut().find(|known| **known == 0) {
            *free = u16::try_from(rule.saturating_add(1)).unwrap_or_default();
        }
    }

    /// Whether a part is left out: `word 3` is, by `word 3` or `word *`.
    pub(in crate::compare) fn leave_out(&self, part: &str) -> bool {
        self.rules
            .iter()
            .filter_map(|rule| {
                self.places
                    .get(usize::from(rule.checked_sub(1)?))?
                    .rule
                    .path
                    .part()
            })
            .any(|known| known == part || known.strip_suffix('*').is_some_and(|kind| part.starts_with(kind)))
    }
}

/// A walk through one document.
#[derive(Clone, Debug)]
pub(in crate::compare) struct Walk<'s> {
    scope: &'s Scope<'s>,
    paths: paths::Walk<'s>,
    /// The rules that name the place last entered.
    named: Vec<u32>,
}

impl<'s> Walk<'s> {
    /// Starts a walk, with the rules that name the outermost value.
    pub(super) fn new(
        scope: &'s Scope<'s>,
        paths: paths::Walk<'s>,
        named: Vec<u32>,
        open: paths::Level,
    ) -> (Self, Level<'s>) {
        let walk = Self { scope, paths, named };
        let level = walk.level(open, scope.below);
        (walk, level)
    }

    /// One step down. Every level that was entered must be left before a sibling is entered, even an ignored one.
    pub(in crate::compare) fn enter(&mut self, parent: Level<'s>, key: Key<'_>) -> Level<'s> {
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

    /// Like [`Walk::enter`], below a closed level: no rule can name the place, so its key is not needed.
    pub(in crate::compare) fn below(&mut self, parent: Level<'s>) -> Level<'s> {
        self.named.clear();
        self.level(parent.open, parent.below)
    }

    /// Returns to the parent of `level`.
    pub(in crate::compare) fn leave(&mut self, level: Level<'s>) {
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
            parts: Parts::default(),
        };
        for path in &self.named {
            if let Some(place) = self.scope.place(*path) {
                if let Some(state) = self.scope.places.get(*path as usize) {
                    state.set(State::Matched);
                }
                if place.rule.path.part().is_some() {
                    level.parts.add(&self.scope.compiled.places, *path);
                } else {
                    level.apply(place);
                }
            }
        }
        level
    }
}

impl<'r> Level<'r> {
    /// Whether no rule can name anything below.
    pub(in crate::compare) fn is_closed(self) -> bool {
        self.open.is_closed()
    }

    fn apply(&mut self, place: &'r CompiledPlace) {
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
        // A later rule for an ignored place revokes the `ignore`.
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
