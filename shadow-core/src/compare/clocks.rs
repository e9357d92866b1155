//! Timestamps relative to the clock of their own answer.
//!
//! A value that says when the answer was made differs between two answers by as much as their `Date` fields (RFC 9110
//! section 6.6.1) do: by milliseconds live, and by a week when a recording is replayed a week later. Two timestamps in
//! the same notation are equal if both are that of their answer, or if the answers are far apart in time and the
//! timestamps just as far. Fixed timestamps are the same text in both answers, so a fixed one that is wrong is found.

use shadow_proto::exchange::Headers;

use super::instant;

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// Distance of a timestamp from the clock of its answer up to which it is the time of the answer. `Date` has whole
/// seconds, and an answer may take some to make.
const NOW: i128 = 5 * SECOND;

/// Deviation of two distances that are equal.
const DEVIATION: i128 = 2 * SECOND;

/// Distance of two answers that are far apart in time, in seconds.
const FAR: u32 = 60;

/// The clocks of both answers, in seconds since 1970. It is small, because it is part of the rules of each place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    production: u32,
    shadow: u32,
}

impl Clocks {
    /// The clocks of two answers; `None` if neither says it. Many servers send no `Date`: their answers are taken to
    /// be as old as those they are compared with.
    pub(super) fn of(production: &Headers, shadow: &Headers) -> Option<Self> {
        let date = |headers: &Headers| {
            let value = core::str::from_utf8(headers.get("date")?).ok()?;
            u32::try_from(instant::http_date(value.trim())?).ok()
        };
        let (production, shadow) = (date(production), date(shadow));
        let known = production.or(shadow)?;
        Some(Self {
            production: production.unwrap_or(known),
            shadow: shadow.unwrap_or(known),
        })
    }

    /// Whether two values are the same time, each by the clock of its answer.
    pub(super) fn same(self, production: &str, shadow: &str) -> bool {
        if production.len() != shadow.len() {
            return false;
        }
        let read = |text: &str| instant::rfc3339(text).map(|nanos| (true, nanos));
        let read = |text: &str| read(text).or_else(|| instant::epoch(text).map(|nanos| (false, nanos)));
        let (Some((a_is_text, a)), Some((b_is_text, b))) = (read(production), read(shadow)) else {
            return false;
        };
        let of = |clock: u32| i128::from(clock).saturating_mul(SECOND);
        let (a, b) = (
            a.saturating_sub(of(self.production)),
            b.saturating_sub(of(self.shadow)),
        );
        let are_now = a.abs() <= NOW && b.abs() <= NOW;
        let are_far = self.production.abs_diff(self.shadow) >= FAR;
        a_is_text == b_is_text && a.abs_diff(b) <= DEVIATION.unsigned_abs() && (are_now || are_far)
    }
}

#[cfg(test)]
mod tests {
    use crate::compare::{Comparator, Rules, Side};
    use shadow_proto::{
        exchange::{Body, Headers},
        testing::exchange,
    };

    /// The places that differ between two bodies, of answers with these dates.
    fn found(media: &str, (date_a, a): (&str, &str), (date_b, b): (&str, &str)) -> Vec<String> {
        let headers =
            [date_a, date_b].map(|date| Headers::from_pairs([("content-type", media), ("date", date)]));
        let bodies = [a, b].map(|body| Body::whole(body.as_bytes().to_vec()));
        let side = |at: usize| Side {
            status: 200,
            headers: &headers[at],
            trailers: Headers::none(),
            body: &bodies[at],
        };
        let comparator = Comparator::new(Rules::default()).expect("rules");
        let found = comparator.compare(&exchange("GET", "/").request, side(0), side(1));
        found.into_iter().map(|found| found.place).collect()
    }

    const NOON: &str = "Mon, 23 Nov 2026 12:00:00 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 12:00:01 GMT";
    const WEEK: &str = "Mon, 30 Nov 2026 12:30:00 GMT";
    const NONE: [&str; 0] = [];

    #[test]
    fn the_time_of_the_answer_is_the_same_live_and_a_week_later() {
        let json = "application/json";
        for (date, at, epoch) in [
            (AFTER, "2026-11-23T12:00:00.900Z", "1795435200.9"),
            (WEEK, "2026-11-30T12:29:59.100Z", "1796041799.1"),
        ] {
            let body =
                |at: &str, epoch: &str| format!("{{\"at\":\"{at}\",\"epoch\":{epoch},\"text\":\"{epoch}\"}}");
            let production = body("2026-11-23T12:00:00.100Z", "1795435200.1");
            let shadow = body(at, epoch);
            assert_eq!(found(json, (NOON, &production), (date, &shadow)), NONE, "{date}");
        }
        // An hour ahead, in both answers.
        let until = |at: &str| format!("<a until='{at}'/>");
        let (a, b) = (until("2026-11-23T13:00:00Z"), until("2026-11-30T13:30:00Z"));
        assert_eq!(found("application/xml", (NOON, &a), (WEEK, &b)), NONE);
    }

    #[test]
    fn another_time_is_a_difference() {
        let json = "application/json";
        let body = |at: &str| format!("{{\"at\":\"{at}\"}}");
        for (date, a, b) in [
            // A fixed time that is a second off.
            (AFTER, "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z"),
            // The same, with the answers a week apart.
            (WEEK, "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z"),
            // Another time zone, and a stale answer.
            (AFTER, "2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z"),
            (AFTER, "2026-11-23T12:00:00Z", "2026-11-23T11:50:00Z"),
            // Another precision.
            (AFTER, "2026-11-23T12:00:00.123Z", "2026-11-23T12:00:00Z"),
            (AFTER, "2026-11-23T12:00:00+00:00", "1795435201.00000000000000"),
            // The time of production's answer, replayed a week later.
            (WEEK, "2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z"),
        ] {
            assert_eq!(
                found(json, (NOON, &body(a)), (date, &body(b))),
                ["$.at"],
                "{a} {b}"
            );
        }
        let (a, b) = (body("2026-11-23T12:00:00Z"), body("2026-11-23T12:00:01Z"));
        assert_eq!(found(json, ("", &a), ("", &b)), ["$.at"], "without a clock");
    }

    #[test]
    fn an_answer_without_a_date_is_as_old_as_the_other() {
        let json = "application/json";
        let body = |at: &str| format!("{{\"at\":\"{at}\"}}");
        let (a, b) = (body("2026-11-23T12:00:00Z"), body("2026-11-23T12:00:01Z"));
        assert_eq!(found(json, ("", &a), (AFTER, &b)), NONE);
        assert_eq!(found(json, (NOON, &a), ("", &b)), NONE);
        let (a, b) = (body("2020-01-01T00:00:00Z"), body("2020-01-01T00:00:01Z"));
        assert_eq!(found(json, (NOON, &a), ("", &b)), ["$.at"], "a fixed time");
    }
}
