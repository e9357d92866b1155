//! Shapes of values, which separate the random part of a field from a wrong value.
//!
//! A [`Shift`] says that production's value had one shape and the shadow system's another, or the same. It is taken
//! before redaction and contains nothing of the values except status codes and the distance between two numbers.
//! Bounds: about twenty shapes; a group holds as many shifts as [`super::group`] allows.
//! Bias: few and wide shapes. Random values fall into many narrow shapes by chance, each too rare to distinguish from a
//! fault; a wrong value of the right shape is not detected at all while the field is noise.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::compare::{ABSENT, Category, Discrepancy};

/// The shape of a value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Shape {
    Absent,
    Null,
    True,
    False,
    Empty,
    /// A number without or with a fraction.
    Integer,
    Decimal,
    /// A number as a string.
    Digits,
    /// Seconds or milliseconds since 1970, in recent or coming decades.
    Epoch,
    Uuid,
    /// A date, with or without a time, as in RFC 3339.
    Date,
    /// At least eight hexadecimal digits.
    Hex,
    /// Letters only.
    Word,
    /// Text without spaces.
    Token,
    Text,
    Object,
    Array,
    Status(u16),
    Other,
}

/// The distance between two numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Distance {
    /// At least one of them is not a number.
    #[default]
    Unknown,
    OnePercent,
    TenPercent,
    Twofold,
    Tenfold,
    Further,
    Sign,
}

/// Production's value and the shadow system's, by shape.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Shift {
    pub(crate) production: Shape,
    pub(crate) shadow: Shape,
    pub(crate) apart: Distance,
}

impl Shift {
    pub(crate) fn of(found: &Discrepancy) -> Self {
        let shape = match found.category {
            Category::Status => status,
            Category::Length | Category::Decode | Category::More | Category::Order => |_: &str| Shape::Other,
            _ => shape,
        };
        let (production, shadow) = (shape(&found.production), shape(&found.shadow));
        let apart = match (number(&found.production), number(&found.shadow)) {
            (Some(a), Some(b)) if production.is_number() && shadow.is_number() => Distance::of(a, b),
            _ => Distance::Unknown,
        };
        Self {
            production,
            shadow,
            apart,
        }
    }

    /// The same shift in the opposite direction.
    pub(crate) fn mirrored(self) -> Self {
        Self {
            production: self.shadow,
            shadow: self.production,
            apart: self.apart,
        }
    }

    /// Whether both values are numbers.
    pub(crate) fn is_numeric(self) -> bool {
        self.apart != Distance::Unknown
    }

    /// Whether both values are times.
    pub(crate) fn is_time(self) -> bool {
        matches!(self.production, Shape::Date | Shape::Epoch) && !self.is_directed()
    }

    /// Whether both values are text without a format.
    pub(crate) fn is_free_text(self) -> bool {
        let free = |shape| {
            matches!(
                shape,
                Shape::Word | Shape::Token | Shape::Text | Shape::Hex | Shape::Digits
            )
        };
        free(self.production) && free(self.shadow)
    }

    /// Whether both values have the same format, so that a value of another form is still found.
    pub(crate) fn has_format(self) -> bool {
        let formatted = match self.production {
            Shape::Uuid | Shape::Date | Shape::Epoch | Shape::Hex => true,
            Shape::Integer | Shape::Decimal | Shape::Digits => {
                !matches!(self.apart, Distance::Further | Distance::Sign)
            }
            _ => false,
        };
        formatted && !self.is_directed()
    }

    /// Whether the two sides are distinguishable, so that it matters which system has which.
    pub(crate) fn is_directed(self) -> bool {
        self.production != self.shadow
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            production,
            shadow,
            apart,
        } = self;
        write!(f, "{production} -> {shadow}")?;
        match apart {
            Distance::Unknown => Ok(()),
            _ => write!(f, ", {}", apart.as_str()),
        }
    }
}

impl Shape {
    /// Whether the value is not there.
    pub(crate) fn is_absent(self) -> bool {
        self == Self::Absent
    }

    /// One shape for all of the same JSON type.
    pub(crate) fn json_type(self) -> Self {
        match self {
            Self::Uuid | Self::Date | Self::Hex | Self::Word | Self::Token | Self::Digits | Self::Empty => {
                Self::Text
            }
            Self::Integer => Self::Decimal,
            Self::False => Self::True,
            shape => shape,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Digits | Self::Epoch)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Null => "null",
            Self::True => "true",
            Self::False => "false",
            Self::Empty => "empty",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Digits => "digits",
            Self::Epoch => "epoch",
            Self::Uuid => "uuid",
            Self::Date => "rfc3339",
            Self::Hex => "hex",
            Self::Word => "word",
            Self::Token => "token",
            Self::Text => "text",
            Self::Object => "object",
            Self::Array => "array",
            Self::Status(code) => return write!(f, "{code}"),
            Self::Other => "other",
        })
    }
}

impl Distance {
    pub(crate) fn of(a: f64, b: f64) -> Self {
        let (small, large) = if a.abs() < b.abs() { (a, b) } else { (b, a) };
        if small * large < 0.0 {
            return Self::Sign;
        }
        let (small, large) = (small.abs(), large.abs());
        if large - small <= large * 0.01 {
            Self::OnePercent
        } else if large - small <= large * 0.1 {
            Self::TenPercent
        } else if large <= small * 2.0 {
            Self::Twofold
        } else if large <= small * 10.0 {
            Self::Tenfold
        } else {
            Self::Further
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::OnePercent => "within 1 %",
            Self::TenPercent => "within 10 %",
            Self::Twofold => "within 2x",
            Self::Tenfold => "within 10x",
            Self::Further => "over 10x",
            Self::Sign => "sign",
        }
    }
}

fn status(shown: &str) -> Shape {
    shown.trim().parse().map_or(Shape::Other, Shape::Status)
}

pub(crate) fn number(shown: &str) -> Option<f64> {
    let text = unquoted(shown).unwrap_or(shown);
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The content of a JSON string, `None` for anything else. Truncated text has no second quote.
fn unquoted(shown: &str) -> Option<&str> {
    let inner = shown.strip_prefix('"')?;
    Some(inner.strip_suffix('"').unwrap_or(inner))
}

/// The shape of a value as a discrepancy shows it: JSON text, the value of a header field, or a line.
fn shape(shown: &str) -> Shape {
    match shown {
        ABSENT => return Shape::Absent,
        "null" => return Shape::Null,
        "true" => return Shape::True,
        "false" => return Shape::False,
        _ if shown.starts_with('{') => return Shape::Object,
        _ if shown.starts_with('[') => return Shape::Array,
        _ => {}
    }
    match unquoted(shown) {
        Some(string) => text(string),
        None if is_number(shown) => numeric(shown),
        None => text(shown),
    }
}

fn is_number(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first == b'-' || first.is_ascii_digit())
        && bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok()
}

fn numeric(text: &str) -> Shape {
    if is_epoch(text) {
        Shape::Epoch
    } else if text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        Shape::Decimal
    } else {
        Shape::Integer
    }
}

/// Seconds from 2001 to 2049, or the same in milliseconds.
fn is_epoch(text: &str) -> bool {
    let whole = text.split('.').next().unwrap_or_default();
    let seconds = match whole.len() {
        10 => whole,
        13 => whole.get(..10).unwrap_or_default(),
        _ => return false,
    };
    seconds
        .parse::<u64>()
        .is_ok_and(|seconds| (1_000_000_000..2_500_000_000).contains(&seconds))
}

fn text(string: &str) -> Shape {
    let bytes = string.as_bytes();
    if bytes.is_empty() {
        Shape::Empty
    } else if is_uuid(bytes) {
        Shape::Uuid
    } else if is_date(bytes) {
        Shape::Date
    } else if is_epoch(string) {
        Shape::Epoch
    } else if bytes.len() >= 8 && bytes.iter().all(u8::is_ascii_hexdigit) {
        // Digits alone as well: some hexadecimal identifiers have no letter.
        Shape::Hex
    } else if is_number(string) {
        Shape::Digits
    } else if string.chars().any(char::is_whitespace) {
        Shape::Text
    } else if string.chars().all(char::is_alphabetic) {
        Shape::Word
    } else {
        Shape::Token
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_date(bytes: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = bytes else {
        return false;
    };
    [y1, y2, y3, y4, m1, m2, d1, d2]
        .into_iter()
        .all(u8::is_ascii_digit)
        && rest
            .first()
            .is_none_or(|next| matches!(next, b'T' | b't' | b'_' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(category: Category, production: &str, shadow: &str) -> String {
        Shift::of(&Discrepancy {
            category,
            place: "$.a".to_owned(),
            production: production.to_owned(),
            shadow: shadow.to_owned(),
            leaves: 1,
        })
        .to_string()
    }

    #[test]
    fn values_have_few_shapes() {
        for (value, expected) in [
            (ABSENT, "absent"),
            ("null", "null"),
            ("true", "true"),
            ("\"\"", "empty"),
            ("17", "integer"),
            ("-17.5", "decimal"),
            ("1e9", "decimal"),
            ("1763856000", "epoch"),
            ("1763856000123", "epoch"),
            ("\"1763856000.25\"", "epoch"),
            ("\"19.99\"", "digits"),
            ("\"123e4567-e89b-12d3-a456-426614174000\"", "uuid"),
            ("\"2026-11-23T00:36:08Z\"", "rfc3339"),
            ("\"2026-11-23\"", "rfc3339"),
            ("\"deadbeef\"", "hex"),
            ("\"12345678\"", "hex"),
            ("\"packed\"", "word"),
            ("\"p-0001f-000012\"", "token"),
            ("max-age=60", "token"),
            ("public, max-age=60", "text"),
            ("\"two words\"", "text"),
            ("{\"a\":1}", "object"),
            ("[1]", "array"),
            ("-", "token"),
            ("\"", "empty"),
        ] {
            assert_eq!(shape(value).to_string(), expected, "{value}");
        }
    }

    #[test]
    fn numbers_are_so_far_apart() {
        for (production, shadow, expected) in [
            ("100", "101", "integer -> integer, within 1 %"),
            ("100", "109", "integer -> integer, within 10 %"),
            ("100", "150", "integer -> integer, within 2x"),
            ("100", "900", "integer -> integer, within 10x"),
            ("19.99", "1999", "decimal -> integer, over 10x"),
            ("5", "-5", "integer -> integer, sign"),
            ("0", "0.5", "integer -> decimal, over 10x"),
            ("\"19.99\"", "19.98", "digits -> decimal, within 1 %"),
            ("1", "\"x\"", "integer -> word"),
        ] {
            assert_eq!(shift(Category::Value, production, shadow), expected);
        }
        assert_eq!(shift(Category::Status, "200", "503"), "200 -> 503");
        assert_eq!(shift(Category::Length, "5 bytes", "6 bytes"), "other -> other");
    }
}
