//! Rules for a place in a document.

use core::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use shadow_proto::units::{AsOption, Span};

use crate::compare::paths::PlacePath;

use super::{Format, Pointer};

/// Rule for the values at a place. `tolerance`, `within`, `numbers_as_strings`, `nulls` and `added` also apply to
/// everything below it; the others only to the place itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceRule {
    /// Where.
    pub path: PlacePath,
    /// Whether it is left out, with everything below; `false` revokes an earlier `ignore` of the same place.
    #[serde(default)]
    pub ignore: Option<bool>,
    /// Two different values pass when both have this format.
    #[serde(default)]
    pub format: Option<Format>,
    /// The largest distance of two numbers.
    #[serde(default)]
    pub tolerance: Option<Tolerance>,
    /// The largest distance of two timestamps: RFC 3339, or seconds or milliseconds since 1970.
    #[serde(default, with = "AsOption::<Span>")]
    pub within: Option<Duration>,
    /// Whether `"1.50"` and `1.5` are the same number.
    #[serde(default)]
    pub numbers_as_strings: Option<bool>,
    /// Whether order and number of the array's elements matter.
    #[serde(default)]
    pub arrays: Option<Arrays>,
    /// The member by which elements of the array are matched, in any order: `id`, or `/product/id`.
    #[serde(default)]
    pub key: Option<Pointer>,
    /// Whether a null member counts as missing.
    #[serde(default)]
    pub nulls: Option<Nulls>,
    /// Whether the shadow system may have members that production does not have.
    #[serde(default)]
    pub added: Option<Added>,
}

impl PlaceRule {
    /// An entry of `ignore`.
    pub(crate) fn ignoring(path: PlacePath) -> Self {
        Self {
            path,
            ignore: Some(true),
            format: None,
            tolerance: None,
            within: None,
            numbers_as_strings: None,
            arrays: None,
            key: None,
            nulls: None,
            added: None,
        }
    }

    /// Returns the problem, if any.
    pub(super) fn validate(&self) -> Result<(), String> {
        let Self {
            path,
            ignore,
            format,
            tolerance,
            within,
            numbers_as_strings,
            arrays,
            key,
            nulls,
            added,
        } = self;
        let others = [
            format.is_some(),
            tolerance.is_some(),
            within.is_some(),
            numbers_as_strings.is_some(),
            arrays.is_some(),
            key.is_some(),
            nulls.is_some(),
            added.is_some(),
        ];
        let structural = [arrays.is_some(), key.is_some(), nulls.is_some(), added.is_some()];
        if path.is_markup() && structural.contains(&true) {
            return Err(format!(
                "{}: arrays, key, nulls and added are about JSON; of XML and HTML a place can be ignored, or have a format, a \
                 tolerance, within or numbers_as_strings",
                path.as_str()
            ));
        }
        if path.part().is_some() && others.contains(&true) {
            return Err(format!("{}: a part of a text can only be ignored", path.as_str()));
        }
        let path = path.as_str();
        if arrays.is_some() && key.is_some() {
            return Err(format!(
                "{path}: arrays and key exclude each other; leave arrays out"
            ));
        }
        if *ignore == Some(true) && others.contains(&true) {
            return Err(format!(
                "{path}: nothing else is asked of a place that is ignored"
            ));
        }
        if ignore.is_none() && !others.contains(&true) {
            return Err(format!(
                "{path}: the rule asks nothing; add for example format: uuid, or ignore: true"
            ));
        }
        Ok(())
    }
}

/// The largest distance of two numbers that count as equal; one of the two limits must hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// The largest distance.
    #[serde(deserialize_with = "at_least_zero")]
    pub absolute: f64,
    /// The largest distance as a share of the larger magnitude (`0.01` is 1 %).
    #[serde(deserialize_with = "at_least_zero")]
    pub relative: f64,
}

fn at_least_zero<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    from.deserialize_f64(AtLeastZero)
}

/// Checks while reading, so that the error has the position of the number.
struct AtLeastZero;

impl de::Visitor<'_> for AtLeastZero {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of at least 0")
    }

    fn visit_f64<E: de::Error>(self, given: f64) -> Result<f64, E> {
        if given.is_finite() && given >= 0.0 {
            return Ok(given);
        }
        Err(E::custom(format_args!(
            "a tolerance is a number of at least 0, not {given}"
        )))
    }

    fn visit_i64<E: de::Error>(self, given: i64) -> Result<f64, E> {
        i32::try_from(given)
            .map_err(E::custom)
            .and_then(|given| self.visit_f64(given.into()))
    }

    fn visit_u64<E: de::Error>(self, given: u64) -> Result<f64, E> {
        u32::try_from(given)
            .map_err(E::custom)
            .and_then(|given| self.visit_f64(given.into()))
    }
}

/// Whether order and number of array elements matter.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrays {
    /// Element by element.
    #[default]
    Ordered,
    /// The same elements, each as often, in any order.
    Multiset,
    /// The same elements, however often, in any order.
    Set,
}

/// Whether a null member counts as missing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// A null member is different from a missing one.
    #[default]
    Distinct,
    /// A null member counts as missing.
    Missing,
}

/// Whether the shadow system may have members that production does not have.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Added {
    /// Added members are discrepancies.
    #[default]
    Report,
    /// Added members pass.
    Allow,
}
