//! Comparison of header fields by meaning.
//!
//! References are resolved against the request (RFC 9110 section 10.2.2) and differ by component, cookies by name and
//! attribute. Fields that describe absent content (RFC 9110 section 15.4.5) are not compared.

mod parts;

use shadow_proto::exchange::{Headers, Request};

use super::{
    ABSENT, Category, Side,
    findings::Findings,
    findings::shorten,
    media,
    rules::{FieldName, Redirects},
    scope::Scope,
};

/// Largest human-readable note of a redirect, in bytes.
const NOTE: usize = 16 << 10;

/// Compares the listed fields and nothing else.
pub(super) fn compare(
    scope: &Scope<'_>,
    request: &Request,
    production: Side<'_>,
    shadow: Side<'_>,
    findings: &mut Findings,
) {
    let (left, right) = (production.headers, shadow.headers);
    let without_content = is_without_content(production) && is_without_content(shadow);
    let note = is_redirect_note(scope, production, shadow);
    for name in scope.headers.iter().map(FieldName::as_str) {
        if left.get_all(name).eq(right.get_all(name))
            || same_meaning(name, left, right)
            || ((without_content || note) && name == "content-type")
        {
            continue;
        }
        if scope.is_parted() && parts::compare(name, request, left, right, findings) {
            continue;
        }
        found(name, shown(name, left), shown(name, right), findings);
    }
    for name in scope.header_presence.iter().map(FieldName::as_str) {
        let there = |headers: &Headers| headers.get(name).map_or(ABSENT, |_| "(present)").to_owned();
        let (left, right) = (there(left), there(right));
        if left != right {
            found(name, left, right, findings);
        }
    }
}

/// Fields that a 304 has in common with the corresponding 200 (RFC 9110 section 15.4.5), where the 304 has them.
const OF_NOT_MODIFIED: [&str; 5] = ["cache-control", "content-location", "etag", "expires", "vary"];

/// Compares production's 304 (Not Modified) with the full answer of the shadow system.
pub(super) fn not_modified(
    scope: &Scope<'_>,
    request: &Request,
    production: Side<'_>,
    shadow: Side<'_>,
    findings: &mut Findings,
) {
    let common: Vec<_> = production
        .headers
        .iter()
        .filter(|(name, _)| {
            OF_NOT_MODIFIED
                .iter()
                .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
        })
        .collect();
    let said = |(name, _): &(&[u8], &[u8])| common.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let (left, right) = (
        Headers::from_pairs(common.iter().copied()),
        Headers::from_pairs(shadow.headers.iter().filter(said)),
    );
    let [production, shadow] =
        [(production, &left), (shadow, &right)].map(|(side, headers)| Side { headers, ..side });
    compare(scope, request, production, shadow, findings);
}

/// Whether an answer has no content that a media type could describe (RFC 9110 sections 15.3.5 and 15.4.5).
fn is_without_content(side: Side<'_>) -> bool {
    matches!(side.status, 204 | 304) && side.body.len == 0
}

/// Whether both answers are redirects with only a short note for people as content.
pub(super) fn is_redirect_note(scope: &Scope<'_>, production: Side<'_>, shadow: Side<'_>) -> bool {
    let is_note = |side: Side<'_>| {
        let text = matches!(
            media::kind(side.headers),
            media::Kind::Text | media::Kind::Html | media::Kind::Unknown
        );
        matches!(side.status, 301..=303 | 307 | 308)
            && side.headers.get("location").is_some()
            && side.body.len <= NOTE as u64
            && (text || side.body.len == 0)
    };
    scope.redirects == Redirects::Target && is_note(production) && is_note(shadow)
}

fn found(name: &str, production: String, shadow: String, findings: &mut Findings) {
    let place = format!("header {name}");
    findings.push(Category::Header, place, production, shadow);
}

/// Several fields of one name are one list (RFC 9110 section 5.3), shown with commas.
fn shown(name: &str, headers: &Headers) -> String {
    let values: Vec<&[u8]> = headers.get_all(name).collect();
    if values.is_empty() {
        return ABSENT.to_owned();
    }
    shorten(&values.join(b", ".as_slice()))
}

/// Whether two different texts of a field have the same meaning.
fn same_meaning(name: &str, production: &Headers, shadow: &Headers) -> bool {
    if production.get(name).is_none() || shadow.get(name).is_none() {
        return false;
    }
    if name.eq_ignore_ascii_case("cache-control") {
        return parts::directives(production) == parts::directives(shadow);
    }
    let normal = |headers: &Headers| -> Vec<Vec<u8>> {
        let values = headers.get_all(name);
        if name.eq_ignore_ascii_case("content-type") {
            values.map(media::normalised).collect()
        } else if name.eq_ignore_ascii_case("set-cookie") {
            // Not a comma-separated list (RFC 9110 section 5.3), and not ordered.
            let mut cookies: Vec<Vec<u8>> = values.map(<[u8]>::to_vec).collect();
            cookies.sort();
            cookies
        } else {
            // One element per line is the same as all on one line.
            values
                .flat_map(|value| media::split_quoted(value, b','))
                .map(|element| element.trim_ascii().to_vec())
                .collect()
        }
    };
    normal(production) == normal(shadow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Rules, compiled::Compiled};
    use shadow_proto::{exchange::Body, testing};

    fn differ(rules: &Rules, a: &[(&str, &str)], b: &[(&str, &str)]) -> Vec<(String, String, String)> {
        let mut findings = Findings::new(10);
        let (a, b) = (
            Headers::from_pairs(a.iter().copied()),
            Headers::from_pairs(b.iter().copied()),
        );
        let compiled = Compiled::new(rules.clone()).expect("the rules work");
        let scope = Scope::new(&compiled, &testing::exchange("GET", "/").request);
        let body = Body::default();
        let side = |headers| Side {
            status: 200,
            headers,
            trailers: Headers::none(),
            body: &body,
        };
        compare(
            &scope,
            &testing::exchange("GET", "/").request,
            side(&a),
            side(&b),
            &mut findings,
        );
        let found = findings.finish();
        assert!(
            found.iter().all(|found| found.category == Category::Header),
            "{found:?}"
        );
        found
            .into_iter()
            .map(|found| (found.place, found.production, found.shadow))
            .collect()
    }

    type Fields<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn equal_meaning_is_no_difference() {
        let rules = Rules {
            headers: ["content-type", "cache-control", "location", "vary", "set-cookie"]
                .map(|name| FieldName::try_from(name.to_owned()).expect(name))
                .to_vec(),
            ..Rules::default()
        };
        let cases: [(Fields<'_>, Fields<'_>); 8] = [
            (
                &[("Content-Type", "text/html; charset=UTF-8")],
                &[("content-type", "text/html;charset=utf-8")],
            ),
            (
                &[("Cache-Control", "no-cache, max-age=0")],
                &[("Cache-Control", "Max-Age=0"), ("Cache-Control", "no-cache")],
            ),
            (
                &[("Cache-Control", "max-age=\"060\", private=\"a, b\",")],
                &[("Cache-Control", "private=\"a,b\", max-age=60")],
            ),
            (&[("Location", "/caf\u{e9} x")], &[("Location", "/caf%C3%A9%20x")]),
            (&[("Vary", "a, b")], &[("Vary", "a"), ("Vary", "b")]),
            (
                &[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
                &[("Set-Cookie", "b=2"), ("Set-Cookie", "a=1")],
            ),
            (&[("ETag", "\"1\"")], &[("etag", "W/\"2\"")]),
            (&[("Date", "today"), ("X-Any", "1")], &[("Date", "tomorrow")]),
        ];
        for (a, b) in cases {
            assert_eq!(differ(&rules, a, b), [], "{a:?} {b:?}");
        }
    }

    #[test]
    fn cache_directives_differ_by_name() {
        let found = differ(
            &Rules::default(),
            &[("Cache-Control", "public, max-age=17")],
            &[("Cache-Control", "private, max-age=23")],
        );
        let places: Vec<&str> = found.iter().map(|(place, ..)| place.as_str()).collect();
        let of = |name: &str| format!("header cache-control {name}");
        assert_eq!(places, [of("max-age"), of("private"), of("public")]);
    }

    #[test]
    fn listed_fields_that_differ_are_found() {
        let rules = Rules::default();
        let found = differ(
            &rules,
            &[
                ("Content-Type", "text/html"),
                ("Location", "/a"),
                ("ETag", "x"),
                ("Cache-Control", "no-store"),
            ],
            &[
                ("Content-Type", "text/plain"),
                ("Location", "/A"),
                ("Cache-Control", "no-store, private"),
            ],
        );
        let row = |place: &str, a: &str, b: &str| (place.to_owned(), a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            [
                row("header content-type", "text/html", "text/plain"),
                row("header cache-control private", ABSENT, ""),
                row("header location path 1", "a", "A"),
                row("header etag", "(present)", ABSENT),
            ]
        );
        let gone = differ(&rules, &[], &[("Location", "")]);
        assert_eq!(
            gone,
            [row("header location", ABSENT, "")],
            "an empty field is a field"
        );
    }
}
