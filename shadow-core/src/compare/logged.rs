//! Comparison with an answer of which only a line of an access log is known.

use core::{fmt, str::FromStr};

use shadow_proto::exchange::{Headers, Request};

use super::{
    Category, Side,
    findings::Findings,
    headers,
    rules::{Errors, Redirects},
    scope::Scope,
    status,
};

/// How much two lengths may differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LengthTolerance {
    /// By this many bytes.
    Bytes(u64),
    /// By this share of production's.
    Share(f64),
}

impl Default for LengthTolerance {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl FromStr for LengthTolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("{text:?} is no tolerance; write a number of bytes such as 64, or a share such as 5%");
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Bytes).map_err(|_error| wrong());
        };
        let percent: f64 = percent.trim().parse().map_err(|_error| wrong())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(wrong());
        }
        Ok(Self::Share(percent / 100.0))
    }
}

impl fmt::Display for LengthTolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Share(share) => write!(f, "{} %", share * 100.0),
        }
    }
}

impl LengthTolerance {
    fn allows(self, production: u64, shadow: u64) -> bool {
        let apart = production.abs_diff(shadow);
        match self {
            Self::Bytes(bytes) => apart <= bytes,
            #[expect(
                clippy::cast_precision_loss,
                reason = "lengths above 2^53 do not occur, and a tolerance need not be exact"
            )]
            Self::Share(share) => apart as f64 <= production as f64 * share,
        }
    }
}

/// How an answer is compared with a line of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Logged {
    /// How much the lengths of the contents may differ.
    pub tolerance: LengthTolerance,
    /// Whether a logged length may include the framing of chunks (RFC 9112 section 7.1), as that of nginx does.
    pub counts_chunks: bool,
}

/// Compares status, redirect and length, each where the log has it.
///
/// The request may have lacked fields that the log does not hold: an answer with the whole content is as good as 206 or
/// 304. Lengths of errors and redirects are compared only where the rules ask for their content.
pub(super) fn compare(
    scope: &Scope<'_>,
    logged: Logged,
    request: &Request,
    (production, shadow): (Side<'_>, Side<'_>),
    findings: &mut Findings,
) {
    let is_partial = matches!(production.status, 206 | 304);
    if is_partial && matches!(shadow.status, 200 | 206 | 304) {
        return;
    }
    if !status::same(scope, production.status, shadow.status) {
        let [a, b] = [production, shadow].map(|side| side.status.to_string());
        findings.push(Category::Status, "status", a, b);
    }
    if !status::same_class(production.status, shadow.status) {
        return;
    }
    if production.headers.get("location").is_some() {
        let location = |side: Side<'_>| {
            Headers::from_pairs(side.headers.get("location").map(|value| ("Location", value)))
        };
        let (left, right) = (location(production), location(shadow));
        let [a, b] = [(production, &left), (shadow, &right)].map(|(side, headers)| Side { headers, ..side });
        headers::compare(scope, request, a, b, findings);
    }
    let is_note = matches!(production.status, 301..=303 | 307 | 308) && scope.redirects == Redirects::Target;
    let is_error = status::is_error(production.status) && scope.errors != Errors::Whole;
    let is_known = production.body.missing == 0 && shadow.body.missing == 0;
    if is_note || is_error || !is_known || scope.ignores_all() || request.method.as_ref() == b"HEAD" {
        return;
    }
    let (a, b) = (production.body.len, shadow.body.len);
    let is_same = logged.tolerance.allows(a, b) || (logged.counts_chunks && is_chunked(a, b));
    if !is_same {
        findings.push(
            Category::Length,
            "body",
            format!("{a} bytes"),
            format!("{b} bytes"),
        );
    }
}

/// Shortest chunk, but for the last one, that a server writes of a long content.
const CHUNK: u64 = 1024;

/// Whether `logged` may be `length` bytes of content in chunks: one for a short content, any number for a long one.
fn is_chunked(logged: u64, length: u64) -> bool {
    let Some(framing) = logged.checked_sub(length) else {
        return false;
    };
    let digits = |length: u64| u64::from(length.max(1).ilog2() / 4).saturating_add(1);
    // A size, two line ends for each chunk, and the last chunk with its line ends.
    let least = if length == 0 {
        5
    } else {
        digits(length).saturating_add(9)
    };
    let most = digits(CHUNK)
        .saturating_add(5)
        .saturating_mul(length / CHUNK)
        .saturating_add(least);
    framing == least || (length > 4 * CHUNK && (least..=most).contains(&framing))
}

#[cfg(test)]
mod tests {
    use shadow_proto::{exchange::Body, testing};

    use super::*;
    use crate::compare::{Comparator, Discrepancy, Rules};

    fn length(len: u64) -> Body {
        Body {
            len,
            ..Body::default()
        }
    }

    fn unknown() -> Body {
        Body {
            missing: 1,
            ..Body::default()
        }
    }

    fn found(
        (rules, logged): (Rules, Logged),
        method: &str,
        (status, location, body): (u16, Option<&str>, Body),
        (other, target, content): (u16, Option<&str>, &'static str),
    ) -> Vec<Discrepancy> {
        let mut comparator = Comparator::new(rules).unwrap();
        comparator.logged_production(Some(logged));
        let fields =
            |location: Option<&str>| Headers::from_pairs(location.map(|location| ("Location", location)));
        let request = testing::exchange(method, "/a").request;
        comparator.compare(
            &request,
            Side {
                status,
                headers: &fields(location),
                trailers: Headers::none(),
                body: &body,
            },
            Side {
                status: other,
                headers: &fields(target),
                trailers: Headers::none(),
                body: &Body::whole(content.as_bytes().to_vec()),
            },
        )
    }

    fn places(found: &[Discrepancy]) -> Vec<(Category, &str)> {
        found
            .iter()
            .map(|found| (found.category, &*found.place))
            .collect()
    }

    #[test]
    fn only_what_a_log_has_is_compared() {
        let plain = || (Rules::default(), Logged::default());
        let case = |production, shadow| places(&found(plain(), "GET", production, shadow)).len();
        assert_eq!(case((200, None, length(4)), (200, None, "abcd")), 0);
        assert_eq!(case((200, None, unknown()), (200, None, "abcd")), 0);
        assert_eq!(case((200, None, length(5)), (200, None, "abcd")), 1);
        // An answer of nothing is a length, too.
        assert_eq!(case((200, None, length(0)), (200, None, "abcd")), 1);
        assert_eq!(case((200, None, length(4)), (404, None, "abcd")), 1);
        // Neither the text of an error, nor the note in a redirect.
        assert_eq!(case((404, None, length(9)), (404, None, "abcd")), 0);
        assert_eq!(case((302, Some("/b"), length(9)), (302, Some("/b"), "abcd")), 0);
        assert_eq!(case((302, Some("/b"), length(9)), (302, Some("/c"), "abcd")), 1);
        assert_eq!(case((302, Some("/b"), length(9)), (302, None, "abcd")), 1);
        assert_eq!(case((302, None, length(9)), (302, Some("/b"), "abcd")), 0);
        // Validators and ranges are not logged.
        assert_eq!(case((304, None, length(0)), (200, None, "abcd")), 0);
        assert_eq!(case((206, None, length(2)), (200, None, "abcd")), 0);
        assert_eq!(case((304, None, length(0)), (404, None, "abcd")), 1);
        let head = found(plain(), "HEAD", (200, None, length(0)), (200, None, "abcd"));
        assert_eq!(places(&head), []);
        let found = found(plain(), "GET", (201, None, length(5)), (200, None, "abcd"));
        assert_eq!(
            places(&found),
            [(Category::Status, "status"), (Category::Length, "body")]
        );
    }

    #[test]
    fn lengths_have_a_tolerance() {
        let with = |tolerance: &str, production, content| {
            let tolerance = tolerance.parse().unwrap();
            let logged = Logged {
                tolerance,
                counts_chunks: false,
            };
            found(
                (Rules::default(), logged),
                "GET",
                (200, None, length(production)),
                (200, None, content),
            )
            .len()
        };
        assert_eq!(with("2", 6, "abcd"), 0);
        assert_eq!(with("1", 6, "abcd"), 1);
        assert_eq!(with("50%", 8, "abcd"), 0);
        assert_eq!(with("49%", 8, "abcd"), 1);
        for wrong in ["", "x", "-1", "5 %%", "101%", "nan%"] {
            let error = wrong.parse::<LengthTolerance>().unwrap_err();
            assert!(error.contains("5%"), "{error}");
        }
    }

    #[test]
    fn the_framing_of_chunks_may_be_in_a_length() {
        // "4\r\nabcd\r\n0\r\n\r\n"
        assert!(is_chunked(14, 4) && !is_chunked(15, 4) && !is_chunked(3, 4));
        assert!(is_chunked(5, 0));
        // 40,000 bytes in chunks of 8 KiB: four of "2000" and one of "1c40".
        assert!(is_chunked(40_000 + 5 * 8 + 5, 40_000));
        assert!(!is_chunked(41_000, 40_000) && !is_chunked(u64::MAX, 1) && !is_chunked(0, u64::MAX));
        let logged = |counts_chunks| Logged {
            counts_chunks,
            ..Logged::default()
        };
        let count = |counts_chunks| {
            let rules = (Rules::default(), logged(counts_chunks));
            found(rules, "GET", (200, None, length(14)), (200, None, "abcd")).len()
        };
        assert_eq!((count(true), count(false)), (0, 1));
    }
}
