//! The rules in force for one exchange, and their effect on each place.
//!
//! Every content kind gets a [`Scope`] and uses it instead of the configuration: the entries of the rules that apply to
//! this method and path are selected once, when it is made. A kind with places walks them with [`Scope::walk`] and uses
//! the current [`Level`].

mod walk;

use core::cell::Cell;

use prost_reflect::MessageDescriptor;
use shadow_proto::exchange::Request;

use super::{
    clocks::Clocks,
    compiled::{Compiled, CompiledPlace, Masked},
    leaf::{self, Leaf},
    paths::{self, Key},
    rules::{
        Added, Arrays, Errors, FieldName, ParsedRequest, PlaceRule, Pointer, Redirects, Statuses, Structure,
        Texts,
    },
    usage::RuleId,
};
use crate::{connect, descriptors::Descriptors};

pub(super) use walk::{Below, Level, Matching, Parts, Walk};

/// Whole documents that are walked for a rule; after that, only one in this number.
const SURVEYS: u64 = 64;

/// The rules in force for one exchange.
#[derive(Debug)]
pub(super) struct Scope<'r> {
    compiled: &'r Compiled,
    /// For each rule for a place: whether it applies to this request, and whether it has matched.
    places: Vec<Cell<State>>,
    pub(super) headers: &'r [FieldName],
    pub(super) header_presence: &'r [FieldName],
    pub(super) status: Statuses,
    pub(super) same_status: &'r [(RuleId, Vec<u16>)],
    pub(super) errors: Errors,
    pub(super) error_type: &'r [(RuleId, Pointer)],
    pub(super) redirects: Redirects,
    structure: Structure,
    text: Texts,
    below: Below,
    arrays: Arrays,
    masks: Vec<&'r Masked>,
    /// The type of the messages in the answers.
    answer_type: Option<&'r MessageDescriptor>,
    is_connect: bool,
    number: u64,
}

/// The kind of places in a document, and so which rules can match in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// JSON, and forms.
    Values,
    /// XML and HTML.
    Markup,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    ForOthers,
    Active,
    Matched,
}

/// A setting that is not given is unchanged.
fn set<T: Copy>(to: &mut T, given: Option<T>) {
    *to = given.unwrap_or(*to);
}

impl<'r> Scope<'r> {
    /// Selects the rules for a request.
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
            redirects: rules.redirects,
            structure: rules.structure,
            text: rules.text,
            below: Below {
                numbers: rules.numbers,
                tolerance: rules.tolerance,
                within: None,
                numbers_as_strings: rules.numbers_as_strings,
                nulls: rules.nulls,
                added: rules.added,
                clocks: None,
            },
            arrays: rules.arrays,
            masks: Vec::new(),
            answer_type: rules.answer_type(request),
            is_connect: connect::is_call(request),
            number: compiled.next(),
        };
        let asked = (!rules.routes.is_empty())
            .then(|| ParsedRequest::new(request))
            .flatten();
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
        let is_here = |route: Option<usize>| route.is_none_or(|entry| matching.get(entry) == Some(&true));
        let state = |here| if here { State::Active } else { State::ForOthers };
        scope.places = places
            .iter()
            .map(|place| Cell::new(state(is_here(place.route))))
            .collect();
        scope.masks = compiled.masks.iter().filter(|mask| is_here(mask.route)).collect();
        scope
    }

    /// The type of the messages in answers to this request, if it is known.
    pub(super) fn answer_type(&self) -> Option<&'r MessageDescriptor> {
        self.answer_type
    }

    /// The type of messages with this full name, if it is known.
    pub(super) fn message_type(&self, name: &str) -> Option<MessageDescriptor> {
        let known = self.compiled.rules.proto_descriptors.as_ref();
        known.and_then(|known| known.message(name))
    }

    /// Records that there are descriptors, and none for the method of this request.
    pub(super) fn lacks_type(&self, request: &Request) {
        let known = self.compiled.rules.proto_descriptors.as_ref();
        if self.answer_type.is_none() && known.is_some_and(Descriptors::is_read) {
            self.compiled.counters.lacks_type(&request.target);
        }
    }

    /// Whether the request is a call of Connect.
    pub(super) fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// Most bytes of a content without its coding.
    pub(super) fn decoded(&self) -> usize {
        self.compiled.rules.decoded
    }

    /// The same, for two answers with these clocks.
    pub(super) fn at(mut self, clocks: Option<Clocks>) -> Self {
        self.below.clocks = clocks;
        self
    }

    /// Applies the single settings of an entry of `routes`.
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
        set(&mut self.redirects, entry.redirects);
        set(&mut self.structure, entry.structure);
        set(&mut self.text, entry.text);
        set(&mut self.below.numbers, entry.numbers);
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

    /// How the kind of a body is chosen.
    pub(super) fn structure(&self) -> Structure {
        self.structure
    }

    /// Whether text in documents is split into parts.
    pub(super) fn is_parted(&self) -> bool {
        self.text == Texts::Parts
    }

    /// Records that a body was compared by its structure: counted when its media type says otherwise.
    pub(super) fn compared_as_content(&self, otherwise: bool) {
        if otherwise {
            self.compiled.counters.content_otherwise();
        }
    }

    /// Whether the whole content is ignored.
    pub(super) fn ignores_all(&self) -> bool {
        self.compiled.set.whole() && self.walk(Kind::Values).1.ignored.is_some()
    }

    /// A walk, and the level of the outermost value.
    pub(super) fn walk(&self, kind: Kind) -> (Walk<'_>, Level<'_>) {
        let is_open = |path| self.place(path).is_some_and(|place| is_of(place, kind));
        let (paths, open) = paths::Walk::only(&self.compiled.set, is_open);
        // The root belongs to every kind.
        let mut roots = self.compiled.set.roots().to_vec();
        roots.retain(|path| self.place(*path).is_some());
        Walk::new(self, paths, roots, open)
    }

    /// The masks for lines of text.
    pub(super) fn masks(&self) -> &[&'r Masked] {
        &self.masks
    }

    /// Whether rules name places in documents of a kind.
    pub(super) fn names(&self, kind: Kind) -> bool {
        self.active(kind).next().is_some()
    }

    /// Whether two different values of one name, or an added one, pass in a kind that has only names and text.
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
        let (mut walk, root) = self.walk(Kind::Values);
        if root.ignored.is_some() {
            return root;
        }
        walk.enter(root, Key::Name(&String::from_utf8_lossy(name)))
    }

    /// Whether different values may count as equal: only then must values with equal hashes be compared.
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
    pub(super) fn wants_survey(&self, kind: Kind) -> bool {
        self.is_due(self.active(kind).map(|place| place.id))
    }

    /// Like [`Scope::wants_survey`], for the masks.
    pub(super) fn wants_lines(&self) -> bool {
        self.is_due(self.masks.iter().map(|mask| mask.id))
    }

    fn is_due(&self, mut rules: impl Iterator<Item = RuleId>) -> bool {
        let counters = &self.compiled.counters;
        let now = self.number.is_multiple_of(SURVEYS);
        rules.any(|rule| now || counters.times_asked(rule) < SURVEYS)
    }

    /// Records a walk over a whole document. `hiding` are the rules that left nothing of it to compare, if any.
    pub(super) fn surveyed(&self, kind: Kind, hiding: &[RuleId]) {
        for place in self.active(kind) {
            self.compiled.counters.asked(place.id);
        }
        self.hidden(hiding);
    }

    /// Records rules that left nothing of a body to compare.
    pub(super) fn hidden(&self, hiding: &[RuleId]) {
        for rule in hiding {
            self.compiled.counters.hid_all(*rule);
        }
    }

    /// Records that a rule other than one for a place was tried.
    pub(super) fn tried(&self, rule: RuleId, matched: bool) {
        self.compiled.counters.asked(rule);
        if matched {
            self.compiled.counters.matched(rule);
        }
    }

    fn active(&self, kind: Kind) -> impl Iterator<Item = &'r CompiledPlace> {
        let states = self.places.iter().zip(&self.compiled.places);
        states
            .filter(move |(state, place)| state.get() != State::ForOthers && is_of(place, kind))
            .map(|(_, place)| place)
    }

    fn rules(&self) -> impl Iterator<Item = &'r PlaceRule> {
        self.active(Kind::Values).map(|place| &place.rule)
    }

    /// The rule of a path, if it applies to this request.
    fn place(&self, path: u32) -> Option<&'r CompiledPlace> {
        let state = self.places.get(path as usize)?;
        (state.get() != State::ForOthers).then(|| self.compiled.places.get(path as usize))?
    }
}

fn is_of(place: &CompiledPlace, kind: Kind) -> bool {
    place.rule.path.is_markup() == (kind == Kind::Markup)
}

impl Drop for Scope<'_> {
    /// In one exchange a rule counts as matched once, however many places it names.
    fn drop(&mut self) {
        for (state, place) in self.places.iter().zip(&self.compiled.places) {
            if state.get() == State::Matched {
                self.compiled.counters.matched(place.id);
            }
        }
    }
}
