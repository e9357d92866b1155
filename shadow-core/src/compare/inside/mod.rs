//! Comparison of text values by content: references by component, forms by field, tokens (JWT) by claim, prose and
//! composed identifiers by word, shuffled lists by item, numbers with a unit by both.
//!
//! The place of a part is appended to that of the value: `$.next query page`, `header location path 2`, `$.message word
//! 4`. So a part that varies never hides the others. Bounds: bytes of a value that is split into parts ([`MAX_TEXT`]);
//! a longer one differs as a whole. The number of parts is bounded by the limit of discrepancies. Bias: two texts that
//! differ always give a discrepancy, of a part or else of the whole.

mod compound;
mod jwt;
pub(super) mod packed;
mod quantity;
mod shuffled;
pub(super) mod url;
pub(super) mod words;

use super::{
    ABSENT, Category,
    findings::{Findings, shorten},
    scope::Parts,
};

/// Largest value that is split into parts, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// Two different texts with their place, and the collection of the parts that differ.
pub(super) struct Texts<'t, 'f> {
    /// The place of the value.
    pub(super) place: &'t str,
    pub(super) production: &'t str,
    pub(super) shadow: &'t str,
    /// The category of a different value: of a document, or of a header field.
    pub(super) category: Category,
    /// Parts that the rules leave out.
    pub(super) without: Parts<'t>,
    pub(super) findings: &'f mut Findings,
    /// The number of parts that differ so far, including those left out.
    pub(super) parts: usize,
    /// Whether they are a part of other texts already.
    pub(super) is_inside: bool,
}

impl<'t, 'f> Texts<'t, 'f> {
    /// Two texts of which no part is left out.
    pub(super) fn new(
        place: &'t str,
        [production, shadow]: [&'t str; 2],
        category: Category,
        findings: &'f mut Findings,
    ) -> Self {
        Self {
            place,
            production,
            shadow,
            category,
            without: Parts::default(),
            findings,
            parts: 0,
            is_inside: false,
        }
    }
}

/// Finds the differences of two unequal texts. `whole` shows a value that is not split.
pub(super) fn compare(mut texts: Texts<'_, '_>, whole: impl Fn(&str) -> String) {
    let short = texts.production.len().max(texts.shadow.len()) <= MAX_TEXT;
    let parted = short
        && (jwt::compare(&mut texts)
            || url::compare(&mut texts)
            || fields(&mut texts)
            || quantity::compare(&mut texts)
            || compound::compare(&mut texts)
            || shuffled::compare(&mut texts)
            || words::compare(&mut texts));
    if !parted {
        let (a, b) = (whole(texts.production), whole(texts.shadow));
        texts.findings.push(texts.category, texts.place, a, b);
    }
}

impl Texts<'_, '_> {
    /// A part that differs, or is only on one side.
    pub(super) fn part(&mut self, part: &str, production: Option<&[u8]>, shadow: Option<&[u8]>) {
        self.parts = self.parts.saturating_add(1);
        if self.without.leave_out(part) {
            return;
        }
        let category = match (production, shadow) {
            _ if self.category == Category::Header => Category::Header,
            (Some(_), Some(_)) => self.category,
            (Some(_), None) => Category::Missing,
            _ => Category::Added,
        };
        let shown = |side: Option<&[u8]>| side.map_or_else(|| ABSENT.to_owned(), shorten);
        self.findings.push(
            category,
            format!("{} {part}", self.place),
            shown(production),
            shown(shadow),
        );
    }
}

/// Whether a text consists of form fields: `a=1&b=2`.
pub(super) fn is_form(text: &str) -> bool {
    let name =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '%' | '+' | '$');
    let value =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '{' | '}' | '=' | '&');
    let mut fields = 0usize;
    for field in text.split('&') {
        let Some((left, right)) = field.split_once('=') else {
            return false;
        };
        let right = right.trim_end_matches('=');
        if left.is_empty() || !left.chars().all(name) || !right.chars().all(value) {
            return false;
        }
        fields = fields.saturating_add(1);
    }
    fields > 1
}

fn fields(texts: &mut Texts<'_, '_>) -> bool {
    if !(is_form(texts.production) && is_form(texts.shadow)) {
        return false;
    }
    let (a, b) = (texts.production, texts.shadow);
    url::by_name("field", a.as_bytes(), b.as_bytes(), texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::findings::stated;

    fn differ(a: &str, b: &str) -> Vec<String> {
        let mut findings = Findings::new(20);
        let texts = Texts::new("$.x", [a, b], Category::Value, &mut findings);
        compare(texts, |text| shorten(text.as_bytes()));
        stated(findings.finish())
    }

    #[test]
    fn a_reference_differs_by_component() {
        for (a, b, expected) in [
            (
                "/orders/7",
                "/error/8",
                &["value $.x path 1: orders | error", "value $.x path 2: 7 | 8"][..],
            ),
            ("/a/b", "/a", &["value $.x path: /a/b | /a"]),
            (
                "https://a.example/p?t=1&q=x#f",
                "http://b.example/p?q=y&t=2#g",
                &[
                    "value $.x scheme: https | http",
                    "value $.x host: a.example | b.example",
                    "value $.x query q: x | y",
                    "value $.x query t: 1 | 2",
                    "value $.x fragment: f | g",
                ],
            ),
            ("/p?a=1", "/p", &["missing $.x query a: 1 | (absent)"]),
            (
                "/p#token=1&ok=1",
                "/p#error=2&ok=1",
                &[
                    "added $.x fragment error: (absent) | 2",
                    "missing $.x fragment token: 1 | (absent)",
                ],
            ),
            (
                "/login?next=%2Fcart%3Ft%3D1",
                "/login?next=%2Ferror%3Ft%3D2",
                &[
                    "value $.x query next path 1: cart | error",
                    "value $.x query next query t: 1 | 2",
                ],
            ),
            (
                "/p?a=1&b=2",
                "/p?b=2&a=1",
                &["value $.x: /p?a=1&b=2 | /p?b=2&a=1"],
            ),
        ] {
            assert_eq!(differ(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn forms_and_prose_differ_by_part() {
        assert_eq!(differ("a=1&b=2", "a=1&b=3"), ["value $.x field b: 2 | 3"]);
        assert_eq!(
            differ("Paid by node f3a0: accepted", "Paid by node 9c1c: refused"),
            [
                "value $.x word 4: Paid by node f3a0: accepted | Paid by node 9c1c: refused",
                "value $.x word 5: Paid by node f3a0: accepted | Paid by node 9c1c: refused"
            ]
        );
        assert_eq!(
            differ("Welcome to the shop", "Access denied to page"),
            ["value $.x: Welcome to the shop | Access denied to page"]
        );
        assert_eq!(
            differ("one two three four five", "one two three five"),
            ["value $.x word 4: one two three four five | one two three five"]
        );
        let long = "word ".repeat(100);
        let found = differ(&format!("{long}1 end"), &format!("{long}2 end"));
        assert!(
            found[0].starts_with("value $.x word 101: …") && found[0].contains("word 1 end | …"),
            "{found:?}"
        );
        assert_eq!(differ("a  b c", "a b c"), ["value $.x: a  b c | a b c"]);
        assert_eq!(differ("a", "b"), ["value $.x: a | b"]);
    }

    #[test]
    fn a_token_differs_by_claim() {
        use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
        let token = |claims: &str, signature: &str| {
            let [head, claims, signature] =
                [r#"{"alg":"HS256"}"#, claims, signature].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
            format!("{head}.{claims}.{signature}")
        };
        let (a, b) = (
            token(r#"{"iat":1,"role":"user"}"#, "x"),
            token(r#"{"iat":2,"role":"admin","new":1}"#, "y"),
        );
        assert_eq!(
            differ(&a, &b),
            [
                "value $.x claim iat: 1 | 2",
                "added $.x claim new: (absent) | 1",
                "value $.x claim role: \"user\" | \"admin\"",
                "value $.x signature: eA | eQ"
            ]
        );
    }
}
