//! Comparison of `application/x-www-form-urlencoded` by field.
//!
//! The order of fields does not matter; the order of the values of one field does. Rules name a field as a member:
//! `$.total`, `$['user[name]']`. Bounds: fields ([`MAX_FIELDS`]); a body with more is compared as text.

use std::borrow::Cow;

use super::{
    ABSENT, Category, Compared,
    findings::{Findings, shorten},
    kinds, media,
    scope::{Parts, Scope},
};
use shadow_proto::request_target::form_decoded;

/// Fields of one body.
const MAX_FIELDS: usize = 1 << 14;

type Field<'t> = (Cow<'t, [u8]>, Cow<'t, [u8]>);

/// Compares two forms.
pub(super) fn compare(
    scope: &Scope<'_>,
    production: &[u8],
    shadow: &[u8],
    findings: &mut Findings,
) -> Compared {
    let (Some(left), Some(right)) = (fields(production), fields(shadow)) else {
        return Compared::Not;
    };
    let (mut a, mut b) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return Compared::Done,
            (Some(_), None) => core::cmp::Ordering::Less,
            (None, Some(_)) => core::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(&b.0),
        };
        let a = if order.is_le() { a.next() } else { None };
        let b = if order.is_ge() { b.next() } else { None };
        let (Some((name, _)), false) = (a.or(b), findings.is_full()) else {
            return Compared::Done;
        };
        // A second value of a name is not a new field.
        let is_known = || left.binary_search_by(|field| field.0.cmp(name)).is_ok();
        let category = match (a, b) {
            (Some(a), Some(b)) if a.1 == b.1 || scope.passes(name, Some(&a.1), &b.1) => continue,
            (Some(_), None) if scope.ignores(name) => continue,
            (None, Some(b)) if !is_known() && scope.passes(name, None, &b.1) => continue,
            (Some(a), Some(b)) => {
                values(scope, name, &a.1, &b.1, findings);
                continue;
            }
            (Some(_), None) => Category::Missing,
            _ => Category::Added,
        };
        let shown =
            |side: Option<&Field<'_>>| side.map_or_else(|| ABSENT.to_owned(), |(_, value)| shorten(value));
        findings.push(
            category,
            format!("field {}", media::shown_name(name)),
            shown(a),
            shown(b),
        );
    }
}

/// Compares the contents of two different values.
fn values(scope: &Scope<'_>, name: &[u8], a: &[u8], b: &[u8], findings: &mut Findings) {
    let place = format!("field {}", media::shown_name(name));
    match (core::str::from_utf8(a), core::str::from_utf8(b)) {
        (Ok(a), Ok(b)) if scope.is_parted() => {
            kinds::embedded(scope, (&place, Parts::default()), a, b, findings);
        }
        _ => findings.push(Category::Value, place, shorten(a), shorten(b)),
    }
}

/// Sorted by name; equal names stay in order.
pub(super) fn fields(body: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    for pair in body
        .trim_ascii()
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        if fields.len() >= MAX_FIELDS {
            return None;
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default();
        fields.push((
            form_decoded(name),
            form_decoded(halves.next().unwrap_or_default()),
        ));
    }
    fields.sort_by(|a: &Field<'_>, b| a.0.cmp(&b.0));
    Some(fields)
}
