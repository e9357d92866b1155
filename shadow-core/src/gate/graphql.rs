//! GraphQL requests that only read.
//!
//! Owns: a scan of the document for its operations. It is not a parser: it follows strings, comments and brackets, and
//! checks the first word of each definition (GraphQL specification, October 2021, sections 2.1 and 2.3). Bounds:
//! [`DOCUMENT`] bytes, [`DEPTH`] brackets. Bias: one operation that is not a query, a persisted query, a batch, or
//! anything that two servers could read differently is a write.

use serde::{Deserialize, de::IgnoredAny};

use super::{
    matcher::{self, Facts},
    methods,
};

/// Maximum size of a request that is scanned, in bytes.
const DOCUMENT: usize = 256 << 10;

/// Maximum number of brackets open at once.
const DEPTH: usize = 256;

/// A GraphQL over HTTP request. Any other member could mean a stored document; duplicate members are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    query: String,
    #[serde(default, rename = "operationName")]
    _operation: Option<String>,
    #[serde(default, rename = "variables")]
    _variables: Option<IgnoredAny>,
    #[serde(default)]
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Whether a request to a GraphQL path certainly contains only queries.
pub(super) fn is_query(facts: &Facts<'_>) -> bool {
    let request = facts.request();
    let body = &request.body;
    if !methods::overrides(request, |method| method == request.method.as_ref()) {
        return false;
    }
    let documents = facts.parameters(b"query").count();
    let stored = [&b"extensions"[..], b"id", b"documentId", b"doc_id", b"queryId"]
        .iter()
        .any(|name| facts.parameters(name).next().is_some());
    match request.method.as_ref() {
        _ if stored || !body.is_whole() || body.kept.len() > DOCUMENT => false,
        b"GET" | b"HEAD" => {
            let mut given = facts.parameters(b"query");
            body.kept.is_empty() && documents == 1 && given.next().is_some_and(only_queries)
        }
        // Some servers use the document in the target in preference to that in the body.
        b"POST" if documents == 0 => posted(&matcher::media_type(request), &body.kept),
        _ => false,
    }
}

fn posted(media: &[u8], body: &[u8]) -> bool {
    match media {
        b"application/graphql" => only_queries(body),
        b"application/json" | b"application/graphql+json" => serde_json::from_slice::<Posted>(body)
            .is_ok_and(|posted| {
                let stored = posted
                    .extensions
                    .is_some_and(|found| found.contains_key("persistedQuery"));
                !stored && only_queries(posted.query.as_bytes())
            }),
        _ => false,
    }
}

/// Whether the document has at least one operation, and all are queries.
fn only_queries(document: &[u8]) -> bool {
    let mut rest = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    if document.len() > DOCUMENT {
        return false;
    }
    let mut queries = false;
    loop {
        rest = ignored(rest);
        let Some(&first) = rest.first() else {
            return queries;
        };
        let (word, behind) = name(rest);
        match word {
            b"" if first == b'{' => queries = true,
            b"query" => queries = true,
            b"fragment" => {}
            _ => return false,
        }
        match definition(behind) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
}

/// The text after the definition that begins here, which ends with its selection set, the first top-level braces.
fn definition(mut rest: &[u8]) -> Option<&[u8]> {
    let mut open: Vec<u8> = Vec::new();
    loop {
        rest = ignored(rest);
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        match byte {
            b'{' | b'(' | b'[' => {
                open.push(byte);
                if open.len() > DEPTH {
                    return None;
                }
            }
            b'}' | b')' | b']' => {
                let opened = open.pop()?;
                if !matches!((opened, byte), (b'{', b'}') | (b'(', b')') | (b'[', b']')) {
                    return None;
                }
                if byte == b'}' && open.is_empty() {
                    return Some(rest);
                }
            }
            b'"' => rest = string(rest)?,
            _ => {}
        }
    }
}

/// The text after a string whose first quote was read.
fn string(rest: &[u8]) -> Option<&[u8]> {
    if let Some(block) = rest.strip_prefix(b"\"\"") {
        let mut rest = block;
        loop {
            let end = memchr::memmem::find(rest, b"\"\"\"")?;
            let escaped = end.checked_sub(1).and_then(|before| rest.get(before)) == Some(&b'\\');
            rest = rest.get(end.saturating_add(3)..)?;
            if !escaped {
                return Some(rest);
            }
        }
    }
    let mut rest = rest;
    loop {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        match byte {
            b'"' => return Some(rest),
            b'\\' => rest = rest.get(1..)?,
            b'\n' | b'\r' => return None,
            _ => {}
        }
    }
}

/// The text without leading white space, commas and comments.
fn ignored(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest.split_first() {
            Some((b' ' | b'\t' | b'\r' | b'\n' | b',', behind)) => rest = behind,
            Some((b'#', behind)) => {
                let end = memchr::memchr2(b'\n', b'\r', behind).unwrap_or(behind.len());
                rest = behind.get(end..).unwrap_or_default();
            }
            _ => return rest,
        }
    }
}

fn name(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_queries_only_are_read() {
        for document in [
            "{ me { id } }",
            "query { me }",
            "\u{feff}query Q($a: Int = 1, $b: In = {c: [\"}\"]}) @x(y: {z: 1}) { me(a: $a) { id } }",
            "# mutation { x }\nquery A { a } query B { b } fragment F on T { c }",
            "query,{ a(text: \"mutation { x }\") }",
            "{ a(text: \"\"\"block \\\"\"\" } mutation { x }\"\"\") }",
        ] {
            assert!(only_queries(document.as_bytes()), "{document}");
        }
    }

    #[test]
    fn anything_else_is_a_write() {
        for document in [
            "",
            "# only a comment",
            "mutation { x }",
            "subscription { x }",
            "query A { a } mutation B { b }",
            "fragment F on T { c } mutation { b }",
            "fragment F on T { c }",
            "queryx { a }",
            "QUERY { a }",
            "query { a",
            "{ a } }",
            "{ a ) }",
            "{ a(text: \"unended) }",
            "{ a(text: \"line\nmutation { x }\") }",
            "type T { a: Int }",
            "\"description\" query { a }",
            "{ a(text: \"\"\"block\\\"\"\" }",
        ] {
            assert!(!only_queries(document.as_bytes()), "{document}");
        }
        assert!(!only_queries("(".repeat(DEPTH + 1).as_bytes()));
        assert!(!only_queries(&vec![b' '; DOCUMENT + 1]));
    }

    #[test]
    fn a_request_is_read_strictly() {
        for (body, read) in [
            (r#"{"query":"{ a }"}"#, true),
            (
                r#"{"operationName":null,"variables":{"n":1.0},"query":"query Q { a }","extensions":{}}"#,
                true,
            ),
            (r#"{"query":"mutation { a }"}"#, false),
            (r#"{"query":"{ a }","query":"mutation { a }"}"#, false),
            (r#"{"query":"{ a }","Query":"mutation { a }"}"#, false),
            (r#"[{"query":"{ a }"}]"#, false),
            (r#"{"extensions":{"persistedQuery":{}}}"#, false),
            (r#"{"query":"{ a }","extensions":{"persistedQuery":{}}}"#, false),
            (r#"{"query":"{ a }","id":"7"}"#, false),
            (r#"{"query":{"match":"all"}}"#, false),
            ("", false),
        ] {
            assert_eq!(posted(b"application/json", body.as_bytes()), read, "{body}");
        }
        assert!(!posted(b"text/plain", br#"{"query":"{ a }"}"#));
        assert!(posted(b"application/graphql", b"{ a }"));
    }
}
