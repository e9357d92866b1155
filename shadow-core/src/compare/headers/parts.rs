//! Comparison of header fields by part: references by component, cookies and links by name and attribute.

use std::collections::BTreeMap;

use shadow_proto::exchange::{Headers, Request};

use crate::compare::{
    ABSENT, Category,
    findings::{Findings, shorten},
    inside::{
        self, Texts,
        url::{self, Url},
    },
    media,
    scope::Parts,
};

/// Fields that hold a reference.
const REFERENCES: [&str; 3] = ["location", "content-location", "referer"];

/// Compares a field by its parts; false when it has no parts, or is absent on one side.
pub(super) fn compare(
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
    if name == "cache-control" {
        let (a, b) = (directives(production), directives(shadow));
        if a.is_empty() || b.is_empty() {
            return false;
        }
        by_name(name, &a, &b, "value", findings);
        return true;
    }
    let (Some(a), Some(b)) = (one(production), one(shadow)) else {
        return false;
    };
    if REFERENCES.contains(&name) {
        reference(&format!("header {name}"), request, &a, &b, findings);
        return true;
    }
    if name == "content-type" || name == "etag" {
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
        is_inside: false,
    };
    inside::compare(texts, |text| shorten(text.as_bytes()));
    true
}

/// Compares two references relative to the request.
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
        is_inside: false,
    };
    // A relative reference has the scheme of the request, which is not known behind a proxy.
    let schemes = Url::new(production).scheme.zip(Url::new(shadow).scheme);
    if let Some((left, right)) = schemes.filter(|(left, right)| !left.eq_ignore_ascii_case(right)) {
        texts.part("scheme", Some(left.as_bytes()), Some(right.as_bytes()));
    }
    url::components(Url::new(&a), Url::new(&b), &mut texts);
}

/// A reference resolved against the request (RFC 3986 section 5.2), without the host when it is the request's own, and
/// with normalised percent-encodings.
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

/// Cache directives by name, which ignores case, with their argument (RFC 9111 section 5.2): unquoted, a number without
/// leading zeros, a list without blanks. They have no order, and of several with one name the first counts.
pub(super) fn directives(headers: &Headers) -> BTreeMap<String, Attributes> {
    let mut all = BTreeMap::new();
    let values = headers
        .get_all("cache-control")
        .flat_map(|value| media::split_quoted(value, b','))
        .map(<[u8]>::trim_ascii)
        .filter(|directive| !directive.is_empty());
    for directive in values {
        let text = String::from_utf8_lossy(directive);
        let (name, argument) = text.split_once('=').unwrap_or((&text, ""));
        let argument = argument.trim();
        let plain = argument
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(argument);
        let items: Vec<&str> = plain.split(',').map(|item| digits(item.trim())).collect();
        let attributes = Attributes::from([("value".to_owned(), items.join(","))]);
        all.entry(name.trim().to_ascii_lowercase()).or_insert(attributes);
    }
    all
}

/// A number without leading zeros; other text as it is.
fn digits(text: &str) -> &str {
    let short = text.trim_start_matches('0');
    if !short.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        short
    } else {
        text
    }
}

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
                        is_inside: false,
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
