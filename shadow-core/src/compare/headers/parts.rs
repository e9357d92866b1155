//! Comparison of header fields by part: references by component, links by relation and attribute.

use std::collections::{BTreeMap, HashSet};

use shadow_proto::exchange::{Headers, Request};

use crate::compare::{
    ABSENT, Category, PRESENT,
    findings::{Findings, shorten},
    inside::{
        self, Texts,
        url::{self, Url},
    },
    media,
};

/// Compares a field with one value on both sides by the parts of its text; false for any other.
pub(super) fn compare(
    name: &str,
    is_reference: bool,
    request: &Request,
    [production, shadow]: [&Headers; 2],
    findings: &mut Findings,
) -> bool {
    let one = |headers: &'_ Headers| -> Option<String> {
        let mut values = headers.get_all(name);
        let value = String::from_utf8(values.next()?.to_vec()).ok()?;
        values.next().is_none().then_some(value)
    };
    let (Some(a), Some(b)) = (one(production), one(shadow)) else {
        return false;
    };
    let place = format!("header {name}");
    if is_reference {
        reference(&place, request, &a, &b, findings);
        return true;
    }
    let texts = Texts::new(&place, [&a, &b], Category::Header, findings);
    inside::compare(texts, |text| shorten(text.as_bytes()));
    true
}

/// Compares two references relative to the request.
fn reference(place: &str, request: &Request, production: &str, shadow: &str, findings: &mut Findings) {
    let port = findings.port().filter(|_| names_port(production));
    let without_scheme = |reference: &str| {
        let url = resolved((request, port), reference);
        match url.split_once("//") {
            Some((scheme, rest)) if scheme.ends_with(':') => format!("//{rest}"),
            _ => url,
        }
    };
    let (a, b) = (without_scheme(production), without_scheme(shadow));
    let mut texts = Texts::new(place, [&a, &b], Category::Header, findings);
    // A relative reference has the scheme of the request, which is not known behind a proxy.
    let schemes = Url::new(production).scheme.zip(Url::new(shadow).scheme);
    if let Some((left, right)) = schemes.filter(|(left, right)| !left.eq_ignore_ascii_case(right)) {
        texts.part("scheme", Some(left.as_bytes()), Some(right.as_bytes()));
    }
    url::components(Url::new(&a), Url::new(&b), &mut texts);
}

/// Whether a reference has a port. A system that adds its own where production has none sends clients to a port that
/// they may not reach.
fn names_port(reference: &str) -> bool {
    let authority = reference.split_once("//").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#', '>']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// A reference resolved against the request (RFC 3986 section 5.2), without the host when it is the request's own, and
/// with normalised percent-encodings. Where production names itself with a port, the shadow system may do so with the
/// one that it listens on, which is its own only until it takes production's place.
fn resolved((request, port): (&Request, Option<u16>), reference: &str) -> String {
    let reference = url::normalised(reference.trim());
    let url = Url::new(&reference);
    let host = request
        .headers
        .get("host")
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let name = name.map_or(&*host, |(name, _)| name);
    let own = |authority: &str| {
        let listens = port.and_then(|port| authority.strip_suffix(&format!(":{port}")));
        without_port(authority).eq_ignore_ascii_case(without_port(&host))
            || listens.is_some_and(|authority| authority.eq_ignore_ascii_case(name))
    };
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

/// One link: its relations, and its target and other parameters.
struct Link {
    relation: String,
    target: String,
    attributes: Attributes,
}

/// Links by relation, each by reference and attribute (RFC 8288 section 3). Where an answer has several of one
/// relation, the target tells which is which.
pub(super) fn links(request: &Request, production: &Headers, shadow: &Headers, findings: &mut Findings) {
    let says = |headers: &Headers| {
        headers
            .get_all("link")
            .any(|value| names_port(&String::from_utf8_lossy(value)))
    };
    let port = findings.port().filter(|_| says(production));
    let read = |headers: &Headers| -> Vec<Link> {
        let values = headers.get_all("link").flat_map(split_links);
        values.filter_map(|value| link((request, port), value)).collect()
    };
    let (production, shadow) = (read(production), read(shadow));
    let mut several: HashSet<&str> = HashSet::new();
    for side in [&production, &shadow] {
        let mut seen: HashSet<&str> = HashSet::new();
        several.extend(
            side.iter()
                .map(|link| link.relation.as_str())
                .filter(|name| !seen.insert(name)),
        );
    }
    let named = |links: &[Link]| -> BTreeMap<String, Attributes> {
        let name = |link: &Link| match link.relation.as_str() {
            // A target that is different in each answer is no name.
            "" if !several.contains("") => "unnamed".to_owned(),
            "" => link.target.clone(),
            relation if several.contains(relation) => format!("{relation} {}", link.target),
            relation => relation.to_owned(),
        };
        links
            .iter()
            .map(|link| (name(link), link.attributes.clone()))
            .collect()
    };
    by_name("link", &named(&production), &named(&shadow), "target", findings);
}

fn link(asked: (&Request, Option<u16>), value: &[u8]) -> Option<Link> {
    let text = String::from_utf8_lossy(value.trim_ascii()).into_owned();
    if text.is_empty() {
        return None;
    }
    let bracketed = text.strip_prefix('<').and_then(|text| text.split_once('>'));
    let (target, rest) = bracketed.unwrap_or_else(|| {
        let end = text.find(';').unwrap_or(text.len());
        text.split_at(end)
    });
    let target = resolved(asked, target);
    let mut relation = String::new();
    let mut attributes = Attributes::new();
    if bracketed.is_none() {
        // Clients that read links strictly ignore it.
        attributes.insert("unbracketed".to_owned(), PRESENT.to_owned());
    }
    for parameter in media::split_quoted(rest.as_bytes(), b';') {
        let mut halves = parameter.splitn(2, |byte| *byte == b'=');
        let text = |half: Option<&[u8]>| {
            let half = media::unquoted(half.unwrap_or_default().trim_ascii());
            String::from_utf8_lossy(&half).into_owned()
        };
        let name = text(halves.next()).to_ascii_lowercase();
        let value = text(halves.next());
        match name.as_str() {
            "" => {}
            // Only the first one counts (RFC 8288 section 3.3), and it may name several relations.
            "rel" if relation.is_empty() => {
                let mut relations: Vec<String> = value
                    .split_ascii_whitespace()
                    .map(str::to_ascii_lowercase)
                    .collect();
                relations.sort_unstable();
                relations.dedup();
                relation = relations.join(" ");
            }
            "rel" => {}
            _ => {
                let value = match name.as_str() {
                    "type" | "hreflang" | "as" | "crossorigin" => value.to_ascii_lowercase(),
                    "anchor" => resolved(asked, &value),
                    _ => value,
                };
                attributes.entry(name).or_insert(value);
            }
        }
    }
    attributes.insert("target".to_owned(), target.clone());
    Some(Link {
        relation,
        target,
        attributes,
    })
}

/// The links of a field: the parts between commas that are neither in a reference nor in a quoted string.
fn split_links(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    value.split(move |&byte| {
        let escape = core::mem::take(&mut escaped);
        match byte {
            _ if escape => {}
            b'\\' if quoted => escaped = true,
            b'"' if !inside => quoted = !quoted,
            b'<' if !quoted => inside = true,
            b'>' => inside = false,
            _ => return byte == b',' && !quoted && !inside,
        }
        false
    })
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
                    let texts = Texts::new(&place, [a, b], Category::Header, findings);
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
