//! Comparison of strings by content: documents, or other text.

use crate::compare::{
    Category,
    findings::{Findings, shorten},
    inside::{self, Texts, packed},
    leaf::{self, Leaf},
    scope::{self, Level},
};

use super::{
    diff::Diff,
    tape::{Kind, Tape, Value},
};

/// Nesting depth of documents in strings.
const MAX_NESTED: u8 = 4;

impl<'d, 's> Diff<'d, 's> {
    /// Compares strings by content, where no rule applies to their whole text.
    pub(super) fn strings(&mut self, production: Value<'d>, shadow: Value<'d>, level: Level<'s>) {
        let (a, b) = (production.string(), shadow.string());
        let (Ok(a), Ok(b)) = (core::str::from_utf8(&a), core::str::from_utf8(&b)) else {
            return self.found(Category::Value, production.raw(), shadow.raw());
        };
        if !self.scope.is_parted() || level.format.is_some() || level.limited {
            return self.found(Category::Value, production.raw(), shadow.raw());
        }
        let packed = packed::documents(a, b);
        let (x, y) = packed.as_ref().map_or((a, b), |(a, b)| (a.as_str(), b.as_str()));
        if self.documents_inside(x, y, level) {
            return;
        }
        if !self.findings.has_room() {
            return self.findings.overflow();
        }
        let place = self.place();
        let texts = Texts {
            without: level.parts,
            ..Texts::new(&place, [a, b], Category::Value, &mut self.findings)
        };
        let (raw_a, raw_b) = (production.raw(), shadow.raw());
        inside::compare(texts, |text| {
            let raw = if core::ptr::eq(text, a) { raw_a } else { raw_b };
            shorten(raw.as_bytes())
        });
    }

    /// Compares two documents that are the contents of strings, as if they replaced the strings; false when one of the
    /// strings is not a document.
    fn documents_inside(&mut self, production: &str, shadow: &str, level: Level<'s>) -> bool {
        let holds = |text: &str| super::looks_like_json(text.as_bytes());
        if self.nested >= MAX_NESTED || !holds(production) || !holds(shadow) {
            return false;
        }
        let tapes = (Tape::parse(production.as_bytes()), Tape::parse(shadow.as_bytes()));
        let (Ok(left), Ok(right)) = tapes else {
            return false;
        };
        let root = if self.findings.has_room() {
            self.place()
        } else {
            String::new()
        };
        let inside = Diff {
            production: &left,
            shadow: &right,
            scope: self.scope,
            findings: core::mem::replace(&mut self.findings, Findings::new(0)),
            walk: core::mem::replace(&mut self.walk, self.scope.walk(scope::Kind::Values).0),
            level,
            root: &root,
            trail: Vec::new(),
            hashes: None,
            state: self.state.clone(),
            probes: self.probes,
            nested: self.nested.saturating_add(1),
        };
        (self.findings, self.walk) = inside.run();
        true
    }
}

/// Whether two values without parts are equal under the rules of their place.
pub(super) fn leaves_equal(level: &Level<'_>, production: Value<'_>, shadow: Value<'_>) -> bool {
    let (a, b) = (production.kind(), shadow.kind());
    if !(a.is_text_or_number() && b.is_text_or_number()) {
        return a == b && a.is_scalar();
    }
    let (x, y) = (production.content(), shadow.content());
    match (core::str::from_utf8(&x), core::str::from_utf8(&y)) {
        (Ok(x), Ok(y)) => leaf::equal(level, as_leaf(a, x), as_leaf(b, y)),
        // Rules do not apply to text with a lone surrogate.
        _ => x == y,
    }
}

fn as_leaf(kind: Kind, text: &str) -> Leaf<'_> {
    match kind {
        Kind::Number => Leaf::Number(text),
        _ => Leaf::Text(text),
    }
}
