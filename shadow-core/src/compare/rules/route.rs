//! Selection of the requests for a rule: method and path.

use core::str::FromStr;
use std::borrow::Cow;

use crate::route_text::{METHODS, literal, path, without_parameters};
use shadow_proto::exchange::Request;

use crate::compare::as_text::written_as_text;

/// `GET /users/{id}`: an optional method and a path. Without a method any matches.
///
/// In the path `{anything}` and `*` match one segment or a part of one, `**` and `{rest}` any number of segments. So
/// the name of a route in the report is a pattern that matches its requests. `%2A`, `%7B` and `%7D` are `*`, `{` and
/// `}` in a path, whether or not the request encodes them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoutePattern {
    text: String,
    method: Method,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Method {
    Any,
    /// None of those that reports distinguish.
    Other,
    Is(Box<str>),
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Segment {
    /// Exactly this.
    Is(Box<str>),
    /// Beginning, middle parts and end, with anything between them, but not empty.
    Parts(Vec<Box<str>>),
    /// Any number of segments.
    Many,
}

/// Error for text that is not a route.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{given:?} is no route, at column {column}: {problem}; write for example GET /users/{{id}}")]
pub struct RouteError {
    given: String,
    column: usize,
    problem: &'static str,
}

/// Method and segments of a request, parsed once for any number of patterns.
#[derive(Debug)]
pub(crate) struct ParsedRequest<'q> {
    method: &'q [u8],
    segments: Vec<Cow<'q, str>>,
}

impl<'q> ParsedRequest<'q> {
    /// `None` for a target that is not a URI: no pattern matches it.
    pub(crate) fn new(request: &'q Request) -> Option<Self> {
        Some(Self {
            method: &request.method,
            segments: path(&request.target)?
                .split('/')
                .map(|segment| literal(without_parameters(segment)))
                .collect(),
        })
    }
}

impl RoutePattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches a request.
    pub(crate) fn matches(&self, asked: &ParsedRequest<'_>) -> bool {
        let known = |method: &str| method.as_bytes() == asked.method;
        let method = match &self.method {
            Method::Any => true,
            Method::Other => !METHODS.iter().any(|method| known(method)),
            Method::Is(method) => known(method),
        };
        method && self.matches_path(&asked.segments)
    }

    /// Only the last `**` passed is ever retried, so the cost is at most the product of both lengths.
    fn matches_path(&self, mut path: &[Cow<'_, str>]) -> bool {
        let mut pattern = self.segments.as_slice();
        let mut again: Option<(&[Segment], &[Cow<'_, str>])> = None;
        loop {
            let step = match (pattern, path) {
                ([Segment::Many, behind @ ..], _) => {
                    again = Some((behind, path));
                    Some((behind, path))
                }
                ([], []) => return true,
                ([segment, behind @ ..], [given, rest @ ..]) if segment.matches(given) => {
                    Some((behind, rest))
                }
                _ => again.as_mut().and_then(|(behind, from)| {
                    *from = from.get(1..)?;
                    Some((*behind, *from))
                }),
            };
            match step {
                Some(step) => (pattern, path) = step,
                None => return false,
            }
        }
    }
}

impl Segment {
    fn matches(&self, given: &str) -> bool {
        match self {
            Self::Many => true,
            Self::Is(text) => **text == *given,
            Self::Parts(parts) => {
                let Some((first, rest)) = parts.split_first() else {
                    return false;
                };
                let Some((last, middle)) = rest.split_last() else {
                    return false;
                };
                let inner = given
                    .strip_prefix(&**first)
                    .and_then(|given| given.strip_suffix(&**last));
                let Some(mut inner) = inner.filter(|_| !given.is_empty()) else {
                    return false;
                };
                middle.iter().all(|part| match inner.split_once(&**part) {
                    Some((_, behind)) => {
                        inner = behind;
                        true
                    }
                    None => false,
                })
            }
        }
    }
}

impl FromStr for RoutePattern {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let wrong = |column, problem| RouteError {
            given: text.to_owned(),
            column,
            problem,
        };
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => (method, path),
            None => ("", text),
        };
        let column = text.chars().count().saturating_sub(path.chars().count());
        if let Some(at) = method
            .chars()
            .position(|c| !c.is_ascii_alphanumeric() && c != '*' && c != '-')
        {
            return Err(wrong(
                at.saturating_add(1),
                "a method is followed by one blank and a path",
            ));
        }
        let Some(path) = path.strip_prefix('/') else {
            return Err(wrong(column.saturating_add(1), "a path begins with /"));
        };
        if let Some(at) = path
            .chars()
            .position(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#'))
        {
            let problem = "the path ends before the query, and is written as in a request, percent-encoded";
            return Err(wrong(column.saturating_add(at).saturating_add(2), problem));
        }
        let mut at = column.saturating_add(2);
        let mut segments = Vec::new();
        for text in path.split('/') {
            segments.push(segment(text).map_err(|problem| wrong(at, problem))?);
            at = at.saturating_add(text.len()).saturating_add(1);
        }
        Ok(Self {
            method: match method {
                "" | "*" => Method::Any,
                "OTHER" => Method::Other,
                method => Method::Is(method.into()),
            },
            segments,
            text: text.to_owned(),
        })
    }
}

fn segment(text: &str) -> Result<Segment, &'static str> {
    match text {
        "**" | "{rest}" => return Ok(Segment::Many),
        _ if text.contains("**") => return Err("** stands alone between two slashes"),
        _ => {}
    }
    let mut parts = vec![String::new()];
    let mut rest = text;
    while let Some(at) = rest.find(['*', '{', '}']) {
        let (plain, behind) = rest.split_at(at);
        if let Some(part) = parts.last_mut() {
            part.push_str(&literal(plain));
        }
        parts.push(String::new());
        rest = match behind.strip_prefix('*') {
            Some(behind) => behind,
            None => behind
                .strip_prefix('{')
                .and_then(|behind| behind.split_once('}'))
                .map(|(_, behind)| behind)
                .ok_or("a { in it has no }, or a } no {")?,
        };
    }
    if let Some(part) = parts.last_mut() {
        part.push_str(&literal(rest));
    }
    Ok(if parts.len() == 1 {
        Segment::Is(literal(text).into())
    } else {
        Segment::Parts(parts.into_iter().map(Into::into).collect())
    })
}

impl TryFrom<String> for RoutePattern {
    type Error = RouteError;

    fn try_from(text: String) -> Result<Self, RouteError> {
        text.parse()
    }
}

written_as_text!(RoutePattern, "a route such as GET /users/{id}");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::route::Routes;
    use shadow_proto::testing;

    fn matches(pattern: &str, request: &str) -> bool {
        let pattern: RoutePattern = pattern.parse().unwrap_or_else(|error| panic!("{error}"));
        let (method, target) = request.split_once(' ').expect("method and target");
        let request = testing::exchange(method, target).request;
        ParsedRequest::new(&request).is_some_and(|asked| pattern.matches(&asked))
    }

    #[test]
    fn a_pattern_matches_its_requests_and_no_others() {
        for (pattern, matching, others) in [
            (
                "GET /users/{id}",
                &[
                    "GET /users/1",
                    "GET /users/x?y=/z",
                    "GET http://h/users/1",
                    "GET /users/1;v=2",
                ][..],
                &[
                    "POST /users/1",
                    "GET /users",
                    "GET /users/",
                    "GET /users/1/x",
                    "get /users/1",
                    "GET /Users/1",
                ][..],
            ),
            (
                "/users/*",
                &["GET /users/1", "BREW /users/1"],
                &["GET /users/1/2"],
            ),
            (
                "* /a/**",
                &["GET /a", "GET /a/", "PUT /a/b/c"],
                &["GET /b", "GET /"],
            ),
            (
                "GET /**/price",
                &["GET /price", "GET /a/b/price", "GET /price/price"],
                &["GET /price/x", "GET /aprice"],
            ),
            (
                "GET /a/**/b/**/c",
                &["GET /a/b/c", "GET /a/x/b/y/b/z/c"],
                &["GET /a/c/b", "GET /a/b/x"],
            ),
            ("GET /", &["GET /", "GET http://h", "GET /?x"], &["GET /a"]),
            (
                "GET /files/{name}.json",
                &["GET /files/a.json", "GET /files/.json"],
                &["GET /files/a.xml", "GET /files/json"],
            ),
            (
                "GET /v*-*/x",
                &["GET /v1-2/x", "GET /v-/x"],
                &["GET /v1/x", "GET /1-2/x"],
            ),
            (
                "GET /%2a/%7Bid%7d",
                &["GET /*/{id}", "GET /%2A/%7bid%7D"],
                &["GET /x/{id}", "GET /*/1"],
            ),
            ("GET /v%2A-*", &["GET /v*-1", "GET /v%2a-1"], &["GET /v1-1"]),
            ("GET /ab*ba", &["GET /abba", "GET /abxba"], &["GET /aba"]),
            ("OTHER /**", &["BREW /", "PROPFIND /x"], &["GET /", "DELETE /x"]),
            // The names used in reports.
            (
                "GET /a/b/c/d/e/f/g/h/i/j/k/l/{rest}",
                &["GET /a/b/c/d/e/f/g/h/i/j/k/l/m/n/o"],
                &["GET /a/b"],
            ),
            ("GET /d/{date}", &["GET /d/2024-01-31"], &["GET /d/2024/01"]),
        ] {
            for request in matching {
                assert!(matches(pattern, request), "{pattern} {request}");
            }
            for request in others {
                assert!(!matches(pattern, request), "{pattern} {request}");
            }
        }
    }

    #[test]
    fn a_captured_wildcard_is_no_wildcard_in_the_name_of_its_route() {
        let mut routes = Routes::new(100, 40);
        for (target, expected) in [
            ("*", "OPTIONS /%2A"),
            ("/**", "OPTIONS /%2A%2A"),
            ("/a/{x}/b", "OPTIONS /a/%7Bx%7D/b"),
            ("/a/%7bx%7D/b", "OPTIONS /a/%7Bx%7D/b"),
            ("/{other}", "OPTIONS /%7Bother%7D"),
            ("/{rest}", "OPTIONS /%7Brest%7D"),
            ("/a%20b%2/%", "OPTIONS /a%20b%2/%"),
        ] {
            let route = routes.of(&testing::exchange("OPTIONS", target));
            let name = routes.name(route);
            assert_eq!(name, expected, "{target}");
            let named = |target: &str| matches(name, &format!("OPTIONS {target}"));
            assert!(named(target), "{name} is the name of {target}");
            for other in ["/", "/x", "/x/y", "/a/y/b", "/other", "/rest"] {
                assert!(!named(other), "{name} is not the name of {other}");
            }
        }
    }

    #[test]
    fn hostile_paths_are_quick() {
        let target = format!("GET /{}", "a/".repeat(20_000));
        assert!(!matches("GET /**/a/a/a/**/a/b", &target));
        let target = format!("GET /{}", "a".repeat(50_000));
        assert!(!matches("GET /*a*a*a*a*a*b", &target));
    }

    #[test]
    fn a_wrong_route_is_refused_with_its_column() {
        for (text, column) in [
            ("", 1),
            ("users", 1),
            ("GET users", 5),
            ("GET  /users", 5),
            ("GE/T /users", 3),
            ("GET /users?x=1", 11),
            ("GET /a b", 7),
            ("GET /a/x**", 8),
            ("GET /a/{id", 8),
            ("GET /a/b}/c", 8),
        ] {
            let error = text.parse::<RoutePattern>().expect_err(text);
            assert_eq!(error.column, column, "{error}");
        }
    }
}
