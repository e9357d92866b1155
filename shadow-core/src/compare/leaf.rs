//! Equality of scalar values that are written differently, under the rules of their place.

use core::hash::BuildHasher as _;

use hashbrown::DefaultHashBuilder;

use super::{
    instant,
    number::{self, Decimal},
    rules::{Format, Numbers},
    scope::Level,
};

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaf<'v> {
    /// A number in a notation that distinguishes numbers from text.
    Number(&'v str),
    /// Text in such a notation, without quotes and escapes.
    Text(&'v str),
    /// In a notation that has only text, such as XML or a form: numeric text is a number where a tolerance requires it.
    Untyped(&'v str),
}

/// The class of a leaf when array elements are matched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    /// Equal for equal leaves.
    pub(super) hash: u64,
    /// Its order among those of the same hash, when these may differ.
    pub(super) weight: Option<f64>,
}

/// Whether two leaves are equal under the rules of their place.
pub(super) fn equal(level: &Level<'_>, a: Leaf<'_>, b: Leaf<'_>) -> bool {
    let (x, y) = (a.text(), b.text());
    let numbers_as_strings = level.below.numbers_as_strings;
    if a.is_number() != b.is_number() && !numbers_as_strings {
        return false;
    }
    if let Some(format) = level.format {
        let both = format.fits(x) && format.fits(y) && format.extent(x) == format.extent(y);
        if !both || !level.limited {
            return both;
        }
    }
    let tolerance = level.below.tolerance;
    let by_value = level.below.numbers == Numbers::Value;
    let numbers = match (a, b) {
        (Leaf::Number(_), Leaf::Number(_)) => true,
        (Leaf::Untyped(_), Leaf::Untyped(_)) => {
            (numbers_as_strings || tolerance.is_some()) && number::is_number(x) && number::is_number(y)
        }
        _ => numbers_as_strings && number::is_number(x) && number::is_number(y),
    };
    let exact = match (a, b) {
        (Leaf::Untyped(_), Leaf::Untyped(_)) if !numbers_as_strings => x == y,
        _ if numbers => x == y || (by_value && Decimal::new(x) == Decimal::new(y)),
        _ => x == y,
    };
    exact
        || (numbers && tolerance.is_some_and(|tolerance| number::within(tolerance, x, y)))
        || level.below.within.is_some_and(|span| {
            moment(level.format, a)
                .zip(moment(level.format, b))
                .is_some_and(|(a, b)| a.abs_diff(b) <= span.as_nanos())
        })
        || level.below.clocks.is_some_and(|clocks| clocks.same(x, y))
}

/// The class of a leaf: equal leaves have one class under the same rules.
pub(super) fn class(level: &Level<'_>, leaf: Leaf<'_>, state: &DefaultHashBuilder) -> Class {
    let text = leaf.text();
    let typed = !level.below.numbers_as_strings && leaf.is_number();
    if let Some(format) = level.format
        && format.fits(text)
    {
        return Class {
            hash: state.hash_one((0u8, typed, format.extent(text))),
            weight: level.limited.then(|| weight(level, leaf)),
        };
    }
    let numeric = || number::is_number(text);
    let is_number = match leaf {
        Leaf::Number(_) => true,
        Leaf::Text(_) => level.below.numbers_as_strings && numeric(),
        Leaf::Untyped(_) => (level.below.numbers_as_strings || level.below.tolerance.is_some()) && numeric(),
    };
    let loose = (is_number && level.below.tolerance.is_some())
        || (level.below.within.is_some() && moment(level.format, leaf).is_some());
    if loose {
        return Class {
            hash: state.hash_one((1u8, typed)),
            weight: Some(weight(level, leaf)),
        };
    }
    let hash = if is_number && level.below.numbers == Numbers::Value {
        state.hash_one((2u8, Decimal::new(text)))
    } else {
        state.hash_one((3u8, text))
    };
    Class { hash, weight: None }
}

/// A number that is close for close leaves.
#[expect(clippy::cast_precision_loss, reason = "only an order among near values")]
fn weight(level: &Level<'_>, leaf: Leaf<'_>) -> f64 {
    match moment(level.format, leaf) {
        Some(nanos) if level.below.within.is_some() => nanos as f64 / 1e9,
        _ => leaf.text().parse().unwrap_or_default(),
    }
}

/// The timestamp in a leaf: RFC 3339, or as many digits as seconds or milliseconds since 1970 have.
fn moment(format: Option<&Format>, leaf: Leaf<'_>) -> Option<i128> {
    let text = leaf.text();
    if let Some(nanos) = instant::rfc3339(text) {
        return Some(nanos);
    }
    // Text of digits is a number only if a format says so.
    let may_be_number = format.is_some() || !matches!(leaf, Leaf::Text(_));
    may_be_number.then(|| instant::epoch(text)).flatten()
}

impl<'v> Leaf<'v> {
    fn text(self) -> &'v str {
        match self {
            Self::Number(text) | Self::Text(text) | Self::Untyped(text) => text,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Number(_))
    }
}
