//! Parsing of timestamps in responses.

/// Nanoseconds since 1970-01-01T00:00:00Z of an RFC 3339 timestamp (section 5.6); a fraction beyond nanoseconds is
/// truncated.
pub(super) fn rfc3339(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    // A character beyond ASCII cannot be at any of these places, and only digits and an offset may follow them.
    let (date, rest) = text.split_at_checked(10)?;
    let mark = rest.bytes().next()?;
    let (time, rest) = rest.get(1..)?.split_at_checked(8)?;
    if !matches!(mark, b'T' | b't' | b' ') || !bytes.is_ascii() {
        return None;
    }
    let (year, month, day) = three(date, '-', [4, 2, 2])?;
    let (hour, minute, second) = three(time, ':', [2, 2, 2])?;
    let (nanos, offset) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let offset = match offset {
        "Z" | "z" => 0,
        _ => {
            let sign = match offset.bytes().next()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
            (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))?
        }
    };
    let leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap_year),
        _ => return None,
    };
    // A leap second is the first one of the next minute.
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds since 1970 of a date in the preferred format of HTTP (RFC 9110 section 5.6.7).
pub(super) fn http_date(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day = number(parts.next()?, 2)?;
    let name = parts.next()?;
    let month = (1i64..).zip(MONTHS).find(|(_, month)| *month == name)?.0;
    let year = number(parts.next()?, 4)?;
    let (hour, minute, second) = three(parts.next()?, ':', [2, 2, 2])?;
    if parts.next() != Some("GMT") || parts.next().is_some() || day > 31 || hour > 23 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Seconds since 1970 of a date in any form that a field may have: the formats of HTTP (RFC 9110 section 5.6.7), and
/// those of cookies, whose parts are in any order (RFC 6265 section 5.1.1).
pub(super) fn any_date(text: &str) -> Option<i64> {
    let is_delimiter = |c: char| !(c.is_ascii_alphanumeric() || c == ':');
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text
        .split(is_delimiter)
        .filter(|token| !token.is_empty())
        .take(12)
    {
        let digits = token.bytes().take_while(u8::is_ascii_digit).count();
        let value = token.get(..digits).and_then(|digits| digits.parse::<i64>().ok());
        if time.is_none() && token.contains(':') {
            time = clock_time(token);
        } else if day.is_none() && (1..=2).contains(&digits) {
            day = value;
        } else if month.is_none() && digits == 0 {
            let name = token.get(..3).unwrap_or_default();
            let mut months = (1i64..).zip(MONTHS);
            month = months.find(|(_, month)| month.eq_ignore_ascii_case(name));
        } else if year.is_none() && matches!(digits, 2 | 4) {
            year = value.map(|year| match year {
                0..=69 => year + 2000,
                70..=99 => year + 1900,
                year => year,
            });
        }
    }
    let ((hour, minute, second), day, (month, _), year) = (time?, day?, month?, year?);
    let valid = (1..=31).contains(&day) && hour <= 23 && minute <= 59 && second <= 60 && year >= 1601;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    valid.then_some(seconds)
}

/// `8:49:37`
fn clock_time(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(':').map(|part| {
        let is_short = is_digits(part, 1..=2);
        is_short.then(|| part.parse::<i64>().ok()).flatten()
    });
    let time = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(time)
}

/// Nanoseconds since 1970 of a timestamp as text or as a number.
pub(crate) fn nanos(text: &str) -> Option<i128> {
    rfc3339(text).or_else(|| epoch(text))
}

/// Nanoseconds since 1970 of a number with as many digits as seconds or milliseconds between 1973 and 2286.
pub(super) fn epoch(text: &str) -> Option<i128> {
    let power = if is_seconds(text) {
        9
    } else if is_millis(text) {
        6
    } else {
        return None;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let kept = fraction.get(..fraction.len().min(power))?;
    let padding = "0".repeat(power.saturating_sub(kept.len()));
    format!("{whole}{kept}{padding}").parse().ok()
}

/// Seconds since 1970, with a fraction or without.
pub(super) fn is_seconds(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    is_digits(whole, 9..=10) && is_digits(fraction, 1..=usize::MAX)
}

/// Milliseconds since 1970.
pub(super) fn is_millis(text: &str) -> bool {
    is_digits(text, 12..=13)
}

fn is_digits(text: &str, count: core::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Three numbers with the given number of digits.
fn three(text: &str, separator: char, digits: [usize; 3]) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(separator);
    let [a, b, c] = digits;
    let found = (
        number(parts.next()?, a)?,
        number(parts.next()?, b)?,
        number(parts.next()?, c)?,
    );
    parts.next().is_none().then_some(found)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    is_digits(text, digits..=digits)
        .then(|| text.parse().ok())
        .flatten()
}

/// Nanoseconds, and the rest after the digits.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let kept = digits.get(..digits.len().min(9))?;
    let nanos = format!("{kept:0<9}").parse().ok()?;
    (!digits.is_empty()).then_some((nanos, rest))
}

/// Proleptic Gregorian calendar; years are counted from March, so that a leap day is the last of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_points_in_time() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59z", -1),
            ("2000-02-29t12:00:00+00:00", 951_825_600),
            ("2026-11-23 01:00:00+01:00", 1_795_392_000),
            ("2026-11-22T18:30:00-05:30", 1_795_392_000),
            ("1990-12-31T23:59:60Z", 662_688_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
        ] {
            assert_eq!(rfc3339(text), Some(seconds * 1_000_000_000), "{text}");
        }
        assert_eq!(rfc3339("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(rfc3339("1970-01-01T00:00:00.0000000019Z"), Some(1));
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T20:00Z",
            "2026-11-22T20:00:00",
            "2026-02-29T20:00:00Z",
            "2026-00-10T20:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T20:00:00.Z",
            "2026-11-22T20:00:00+1:00",
            "2026-11-22T20:00:00+01:00x",
            "2026-11-22T20:00:00Zx",
            "2026-11-2éT20:00:00Z",
            "+026-11-22T20:00:00Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn dates_of_header_fields_are_points_in_time() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for text in [
            "",
            "Sun, 06 Nov 1994",
            "Sun, 06 Non 1994 08:49:37 GMT",
            "06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn dates_of_cookies_have_many_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "6 november 1994 8:49:37",
        ] {
            assert_eq!(any_date(text), Some(784_111_777), "{text}");
        }
        assert_eq!(any_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        for text in [
            "",
            "0",
            "-1",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994",
            "06 Nov 1994 8:49",
        ] {
            assert_eq!(any_date(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        assert_eq!(epoch("1790000000"), Some(1_790_000_000_000_000_000));
        assert_eq!(epoch("1790000000.25"), Some(1_790_000_000_250_000_000));
        assert_eq!(epoch("1790000000123"), Some(1_790_000_000_123_000_000));
        for text in [
            "",
            "x",
            "17",
            "1790000000.",
            "179000000x",
            "17900000001234",
            "17900000000",
        ] {
            assert_eq!(epoch(text), None, "{text}");
        }
    }
}
