//! The header fields that are compared, by what they mean.
//!
//! References are resolved against the request (RFC 9110 section 10.2.2) and differ by component, cookies by name and
//! attribute. What describes content that is not there (RFC 9110 section 15.4.5) is not compared.

use std::collections::BTreeMap;

use shadow_proto::exchange::{Headers, Request};

use super::{
    ABSENT, Category, Side,
    findings::Findings,
    findings::shorten,
    inside::{
        self, Texts,
        url::{self, Url},
    },
    media,
    rules::{FieldName, Redirects},
    scope::{Parts, Scope},
};

/// Fields that hold a reference.
const REFERENCES: [&str; 3] = ["location", "content-location", "referer"];

/// Bytes of content that a redirect has for people.
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
        if scope.is_parted() && parts(name, request, left, right, findings) {
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

/// Whether an answer has no content for which a media type could say something (RFC 9110 sections 15.3.5 and 15.4.5).
fn is_without_content(side: Side<'_>) -> bool {
    matches!(side.status, 204 | 304) && side.body.len == 0
}

/// Whether both answers are redirects with no more content than a note for people.
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

/// Whether two different texts of a field say the same.
fn same_meaning(name: &str, production: &Headers, shadow: &Headers) -> bool {
    if production.get(name).is_none() || shadow.get(name).is_none() {
        return false;
    }
    let normal = |headers: &Headers| -> Vec<Vec<u8>> {
        let values = headers.get_all(name);
        if name.eq_ignore_ascii_case("content-type") {
            values.map(media::normalised).collect()
        } else if name.eq_ignore_ascii_case("cache-control") {
            directives(values)
        } else if name.eq_ignore_ascii_case("set-cookie") {
            // Not a list that commas could separate (RFC 9110 section 5.3), and without an order.
            let mut cookies: Vec<Vec<u8>> = values.map(<[u8]>::to_vec).collect();
            cookies.sort();
            cookies
        } else {
            // One element a line or all on one line is the same.
            values
                .flat_map(|value| media::split_quoted(value, b','))
                .map(|element| element.trim_ascii().to_vec())
                .collect()
        }
    };
    normal(production) == normal(shadow)
}

/// Cache directives have no order, and names without letter case (RFC 9111 section 5.2).
fn directives<'v>(values: impl Iterator<Item = &'v [u8]>) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = values
        .flat_map(|value| media::split_quoted(value, b','))
        .map(<[u8]>::trim_ascii)
        .filter(|directive| !directive.is_empty())
        .map(|directive| {
            let end = memchr::memchr(b'=', directive).unwrap_or(directive.len());
            let (name, argument) = directive.split_at_checked(end).unwrap_or((directive, &[]));
            [&name.to_ascii_lowercase(), argument].concat()
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Compares a field by its parts; false when it has none, or one side does not have it.
fn parts(
    name: &str,
    request: &Request,
    production: &Headers,
    shadow: &Headers,
    findings: &mut Findings,
) -> bool {
    let one = |headers: &'_ Headers| -> Option<String> {
        let mut values = headers.get_all(name);
        let value = String::from_utf8(values.next()?.to_vec()).ok()?;
        values.next().is_none().then_some(value)
    };
    if name == "set-cookie" {
        return cookies(production, shadow, findings);
    }
    if name == "link" {
        return links(request, production, shadow, findings);
    }
    let (Some(a), Some(b)) = (one(production), one(shadow)) else {
        return false;
    };
    if REFERENCES.contains(&name) {
        reference(&format!("header {name}"), request, &a, &b, findings);
        return true;
    }
    if name == "content-type" || name == "cache-control" || name == "etag" {
        return false;
    }
    let place = format!("header {name}");
    let texts = Texts {
        place: &place,
        production: &a,
        shadow: &b,
        category: Category::Header,
        without: Parts::default(),
        findings,
        parts: 0,
    };
    inside::compare(texts, |text| shorten(text.as_bytes()));
    true
}

/// Compares two references as seen from the request.
fn reference(place: &str, request: &Request, production: &str, shadow: &str, findings: &mut Findings) {
    let without_scheme = |reference: &str| {
        let url = resolved(request, reference);
        match url.split_once("//") {
            Some((scheme, rest)) if scheme.ends_with(':') => format!("//{rest}"),
            _ => url,
        }
    };
    let (a, b) = (without_scheme(production), without_scheme(shadow));
    let mut texts = Texts {
        place,
        production: &a,
        shadow: &b,
        category: Category::Header,
        without: Parts::default(),
        findings,
        parts: 0,
    };
    // A relative reference has the scheme of the request, which nobody sees before a proxy.
    let schemes = Url::new(production).scheme.zip(Url::new(shadow).scheme);
    if let Some((left, right)) = schemes.filter(|(left, right)| !left.eq_ignore_ascii_case(right)) {
        texts.part("scheme", Some(left.as_bytes()), Some(right.as_bytes()));
    }
    url::components(Url::new(&a), Url::new(&b), &mut texts);
}

/// A reference resolved against the request (RFC 3986 section 5.2), without the host when it is the request's own, and
/// with percent-encodings in one form.
fn resolved(request: &Request, reference: &str) -> String {
    let reference = url::normalised(reference.trim());
    let url = Url::new(&reference);
    let host = request
        .headers
        .get("host")
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let own = |authority: &str| without_port(authority).eq_ignore_ascii_case(without_port(&host));
    let web = url
        .scheme
        .is_none_or(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"));
    let target = String::from_utf8_lossy(&request.target).into_owned();
    let base = Url::new(&target);
    let (start, path, query) = match url.authority {
        Some(authority) if !web || !own(authority) => {
            let scheme = url.scheme.map_or_else(String::new, |scheme| format!("{scheme}:"));
            (format!("{scheme}//{authority}"), absolute(url.path), url.query)
        }
        Some(_) => (String::new(), absolute(url.path), url.query),
        None if url.scheme.is_some() => return reference.into_owned(),
        None if url.path.is_empty() => (String::new(), absolute(base.path), url.query.or(base.query)),
        None if url.path.starts_with('/') => (String::new(), absolute(url.path), url.query),
        None => {
            let folder = base.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            (
                String::new(),
                absolute(&format!("{folder}/{}", url.path)),
                url.query,
            )
        }
    };
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let fragment = url
        .fragment
        .map_or_else(String::new, |fragment| format!("#{fragment}"));
    format!("{start}{path}{query}{fragment}")
}

/// A host without the default port of its scheme.
fn without_port(authority: &str) -> &str {
    [":80", ":443"]
        .into_iter()
        .find_map(|port| authority.strip_suffix(port))
        .unwrap_or(authority)
}

/// An absolute path without dot segments (RFC 3986 section 5.2.4).
fn absolute(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at.saturating_add(1) == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

type Attributes = BTreeMap<String, String>;

/// Cookies by name, and each by value and attribute (RFC 6265 section 5.2).
fn cookies(production: &Headers, shadow: &Headers, findings: &mut Findings) -> bool {
    let read = |headers: &Headers| -> BTreeMap<String, Attributes> {
        headers
            .get_all("set-cookie")
            .map(|value| {
                let value = String::from_utf8_lossy(value).into_owned();
                let mut parts = value.split(';').map(str::trim);
                let pair = |part: &str, name: fn(&str) -> String| match part.split_once('=') {
                    Some((left, right)) => (name(left.trim()), right.trim().to_owned()),
                    None => (name(part), String::new()),
                };
                let (name, content) = pair(parts.next().unwrap_or_default(), str::to_owned);
                let mut attributes: Attributes = parts
                    .filter(|part| !part.is_empty())
                    .map(|part| pair(part, str::to_ascii_lowercase))
                    .collect();
                attributes.insert("value".to_owned(), content);
                (name, attributes)
            })
            .collect()
    };
    by_name("set-cookie", &read(production), &read(shadow), "value", findings);
    true
}

/// Links by relation and title, each by reference and attribute (RFC 8288 section 3).
fn links(request: &Request, production: &Headers, shadow: &Headers, findings: &mut Findings) -> bool {
    let read = |headers: &Headers| -> BTreeMap<String, Attributes> {
        let mut links = BTreeMap::new();
        let values = headers
            .get_all("link")
            .flat_map(|value| media::split_quoted(value, b','));
        for value in values {
            let text = String::from_utf8_lossy(value.trim_ascii()).into_owned();
            let Some((target, rest)) = text.strip_prefix('<').and_then(|text| text.split_once('>')) else {
                links.insert(text, Attributes::new());
                continue;
            };
            let parameter = |name| {
                let value = media::parameter(rest.as_bytes(), name)?;
                Some(String::from_utf8_lossy(&value).into_owned())
            };
            let target = resolved(request, target);
            let name = parameter("rel").unwrap_or_else(|| target.clone());
            let mut attributes = Attributes::from([("target".to_owned(), target)]);
            for name in ["type", "title", "hreflang", "as", "crossorigin", "media"] {
                if let Some(value) = parameter(name) {
                    attributes.insert(name.to_owned(), value);
                }
            }
            let mut unique = name.clone();
            let mut number = 1usize;
            while links.contains_key(&unique) {
                number = number.saturating_add(1);
                unique = format!("{name} {number}");
            }
            links.insert(unique, attributes);
        }
        links
    };
    by_name("link", &read(production), &read(shadow), "target", findings);
    true
}

fn by_name(
    field: &str,
    production: &BTreeMap<String, Attributes>,
    shadow: &BTreeMap<String, Attributes>,
    main: &str,
    findings: &mut Findings,
) {
    let mut names: Vec<&String> = production.keys().chain(shadow.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let place = format!("header {field} {}", media::shown_name(name.as_bytes()));
        let whole = |side: Option<&Attributes>| {
            let value = side.map(|attributes| attributes.get(main).map_or("", String::as_str));
            value.map_or_else(|| ABSENT.to_owned(), |value| shorten(value.as_bytes()))
        };
        let (a, b) = match (production.get(name), shadow.get(name)) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => {
                findings.push(Category::Header, place, whole(a), whole(b));
                continue;
            }
        };
        let mut attributes: Vec<&String> = a.keys().chain(b.keys()).collect();
        attributes.sort_unstable();
        attributes.dedup();
        for attribute in attributes {
            let (a, b) = (a.get(attribute), b.get(attribute));
            if a == b {
                continue;
            }
            match (a, b) {
                (Some(a), Some(b)) if attribute == main => {
                    let texts = Texts {
                        place: &place,
                        production: a,
                        shadow: b,
                        category: Category::Header,
                        without: Parts::default(),
                        findings,
                        parts: 0,
                    };
                    inside::compare(texts, |text| shorten(text.as_bytes()));
                }
                (a, b) => {
                    let shown = |side: Option<&String>| {
                        side.map_or_else(|| ABSENT.to_owned(), |side| shorten(side.as_bytes()))
                    };
                    findings.push(
                        Category::Header,
                        format!("{place} {attribute}"),
                        shown(a),
                        shown(b),
                    );
                }
            }
        }
    }
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
        let cases: [(Fields<'_>, Fields<'_>); 6] = [
            (
                &[("Content-Type", "text/html; charset=UTF-8")],
                &[("content-type", "text/html;charset=utf-8")],
            ),
            (
                &[("Cache-Control", "no-cache, max-age=0")],
                &[("Cache-Control", "Max-Age=0"), ("Cache-Control", "no-cache")],
            ),
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
                row("header cache-control", "no-store", "no-store, private"),
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
