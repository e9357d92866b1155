//! Points in time in the formats of recorders and servers.
//!
//! Accepted are ISO 8601 (also with a space or a lower-case `t`, without seconds, with a comma, with hour 24), RFC
//! 9110's dates and JavaScript's `Date`, the Common Log Format's `09/Oct/2025:08:53:20 +0200`, and seconds,
//! milliseconds, microseconds or nanoseconds since 1970. Without a zone, UTC is assumed. A date with an ambiguous order
//! of day and month is refused.

use shadow_proto::time::Timestamp;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const SECOND: i128 = 1_000_000_000;
/// Longer texts are not dates.
const LONGEST: usize = 80;

/// Parses a time; `None` if the text has no reading, or more than one.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_matches(['[', ']']);
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    if let Ok(number) = text.parse() {
        return since_1970(number);
    }
    if let Some(inner) = text.strip_prefix("/Date(") {
        // Microsoft's JSON: milliseconds, and a zone that does not change the value.
        let end = 1 + inner.get(1..)?.find(['+', '-', ')'])?;
        return since_1970(inner.get(..end)?.parse().ok()?);
    }
    let (date, time) = halves(text)?;
    let days = day(date)?;
    let (nanos, zone) = clock(time)?;
    let at = i128::from(days) * 86_400 * SECOND + nanos - i128::from(zone) * 60 * SECOND;
    u64::try_from(at).ok().map(Timestamp::from_nanos)
}

/// Seconds, or fractions of them, since 1970. The unit is unambiguous for any time between 1973 and 5138.
pub(super) fn since_1970(number: f64) -> Option<Timestamp> {
    let unit = match number {
        1e8..1e11 => 1e9,
        1e11..1e14 => 1e6,
        1e14..1e17 => 1e3,
        1e17..1.8e19 => 1.0,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range, as just seen"
    )]
    let (whole, part) = (number.trunc() as u64, number.fract());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below 10^9, and not negative"
    )]
    let (unit, part) = (unit as u64, (part * unit) as u64);
    Some(Timestamp::from_nanos(whole.checked_mul(unit)?.checked_add(part)?))
}

/// Date and time of day: the time begins at two digits and a colon.
fn halves(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let place = (0..bytes.len().saturating_sub(4)).find(|place| {
        let before = place.checked_sub(1).and_then(|before| bytes.get(before));
        let digits = |range: core::ops::Range<usize>| {
            bytes
                .get(range)
                .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
        };
        before.is_none_or(|byte| !byte.is_ascii_digit())
            && digits(*place..place + 2)
            && bytes.get(place + 2) == Some(&b':')
            && digits(place + 3..place + 5)
    });
    text.split_at_checked(place?)
}

/// Days since 1970.
fn day(text: &str) -> Option<i64> {
    // `2025-10-09T`: the separator before the time is not part of the day, but `Oct` keeps its `t`.
    let bare = |word: &str| {
        word.trim_end_matches(['T', 't'])
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    };
    let words: Vec<&str> = text
        .split(|sign: char| !sign.is_ascii_alphanumeric())
        .map(|word| {
            if bare(word) {
                word.trim_end_matches(['T', 't'])
            } else {
                word
            }
        })
        .filter(|word| !word.is_empty())
        .collect();
    let named = words.iter().find_map(|word| {
        let name = word.get(..3)?.to_ascii_lowercase();
        MONTHS.iter().position(|month| *month == name)
    });
    let numbers: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    let number = |text: &str| text.parse::<i64>().ok();
    let (year, month, day) = match (&*numbers, named) {
        ([day, year] | [year, day], Some(month)) if year.len() == 4 && day.len() <= 2 => {
            (number(year)?, i64::try_from(month).ok()? + 1, number(day)?)
        }
        ([year, month, day], None) if year.len() == 4 => (number(year)?, number(month)?, number(day)?),
        ([packed], None) if packed.len() == 8 => (
            number(packed.get(..4)?)?,
            number(packed.get(4..6)?)?,
            number(packed.get(6..)?)?,
        ),
        _ => return None,
    };
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days(year, month, day))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Nanoseconds of the day, and the offset of the zone from UTC in minutes.
fn clock(text: &str) -> Option<(i128, i64)> {
    let end = text
        .find(|sign: char| !(sign.is_ascii_digit() || matches!(sign, ':' | '.' | ',')))
        .unwrap_or(text.len());
    let (time, rest) = text.split_at_checked(end)?;
    let (time, part) = time.split_once(['.', ',']).unwrap_or((time, ""));
    let mut parts = time.split(':').map(|part| part.parse::<i128>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let within = hour < 24 || (hour == 24 && minute == 0 && second == 0);
    if parts.next().is_some() || !within || minute > 59 || second > 60 {
        return None;
    }
    let digits: String = part
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .map(char::from)
        .collect();
    let nanos = ((hour * 60 + minute) * 60 + second) * SECOND + digits.parse::<i128>().ok()?;
    Some((nanos, zone(rest)?))
}

/// `Z`, `GMT`, `+02:00`, `GMT+0200 (CEST)`, or nothing.
fn zone(text: &str) -> Option<i64> {
    // A year may follow, as in the output of `date`, or a name in parentheses.
    let text = text.split('(').next().unwrap_or_default().trim();
    let named = ["GMT", "UTC", "Z", "z"]
        .iter()
        .find_map(|name| text.strip_prefix(name));
    let text = named.unwrap_or(text).trim();
    if text.is_empty() {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|sign| *sign != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i64 = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().unwrap_or(0);
    (minutes <= 24 * 60).then_some(sign * minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_point_in_time_in_many_words() {
        // 2025-10-09T06:53:20Z
        let at = Timestamp::from_nanos(1_759_992_800_000_000_000);
        for text in [
            "2025-10-09T06:53:20Z",
            "2025-10-09t06:53:20z",
            "2025-10-09 06:53:20",
            "2025-10-09T08:53:20+02:00",
            "2025-10-09T08:53:20.000+0200",
            "2025-10-09T08:53:20,0+02",
            "2025-10-09T06:53:20.000000000 UTC",
            "20251009T06:53:20Z",
            "Thu Oct 09 2025 08:53:20 GMT+0200 (Central European Summer Time)",
            "Thu, 09 Oct 2025 06:53:20 GMT",
            "09/Oct/2025:08:53:20 +0200",
            "[09/Oct/2025:01:53:20 -0500]",
            "1759992800",
            "1759992800.000",
            "1759992800000",
            "1759992800000000000",
            "/Date(1759992800000)/",
            "/Date(1759992800000+0200)/",
        ] {
            assert_eq!(read(text), Some(at), "{text}");
        }
        assert_eq!(read("2025-10-08T24:00:00Z"), read("2025-10-09T00:00Z"));
        let half = read("2025-10-09T06:53:20.5Z").unwrap();
        assert_eq!(half.as_nanos() - at.as_nanos(), 500_000_000);
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(Timestamp::from_nanos(0)));
        assert_eq!(
            read("2024-02-29T00:00:00Z").unwrap().as_nanos(),
            1_709_164_800 * 1_000_000_000
        );
    }

    #[test]
    fn what_has_no_reading_or_two_is_no_time() {
        for text in [
            "",
            "-",
            "yesterday",
            "10/9/2025 8:53:20 AM",
            "2025-13-09T06:53:20Z",
            "2025-10-09T25:00:00Z",
            "2025-10-09T24:00:01Z",
            "2026-01-01T11:00:01+99999999999999999999",
            "2026-01-01T11:00:01+25:00",
            "2026-01-01T11:00:01-99",
            "1960-01-01T00:00:00Z",
            "+-+-+-",
            "12",
            "NaN",
            "1e300",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
