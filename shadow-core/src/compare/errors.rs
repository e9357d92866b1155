//! Comparison of error responses by type: RFC 9457's `type`, Connect's `code`, or the place that the rules name.
//! Messages are for people, and change with every rewrite.
//!
//! Bias: where neither answer states the type of the error, the whole content is compared.

use shadow_proto::exchange::Headers;

use super::{
    ABSENT, Category,
    findings::{Findings, shorten},
    json::tape::{Tape, Value},
    media,
    paths::Key,
    scope::Scope,
};

/// The type of a problem without a specific type (RFC 9457 section 4.2.1): only the status matters.
const BLANK: &str = "about:blank";

/// One answer: its fields and its content without coding.
pub(super) type Answer<'a> = (&'a Headers, &'a [u8]);

/// Compares the types of two errors; false when neither states one.
pub(super) fn compare(
    scope: &Scope<'_>,
    production: Answer<'_>,
    shadow: Answer<'_>,
    findings: &mut Findings,
) -> bool {
    let (a, b) = (kind(scope, production), kind(scope, shadow));
    let Some(place) = a.as_ref().or(b.as_ref()).map(|kind| kind.place.clone()) else {
        return false;
    };
    let text = |kind: Option<Kind>| kind.map_or_else(|| ABSENT.to_owned(), |kind| kind.text);
    let (a, b) = (text(a), text(b));
    if a != b {
        findings.push(
            Category::ErrorType,
            place,
            shorten(a.as_bytes()),
            shorten(b.as_bytes()),
        );
    }
    true
}

struct Kind {
    place: String,
    text: String,
}

fn kind(scope: &Scope<'_>, (headers, content): Answer<'_>) -> Option<Kind> {
    let tape = Tape::parse(content).ok()?;
    let root = tape.root()?;
    for (rule, pointer) in scope.error_type {
        let found = pointer.names().try_fold(root, Value::get);
        scope.tried(*rule, found.is_some());
        if let Some(value) = found {
            let mut place = "$".to_owned();
            for name in pointer.names() {
                place.push_str(&Key::Name(name).to_string());
            }
            let text = String::from_utf8_lossy(&value.content()).into_owned();
            return Some(Kind { place, text });
        }
    }
    if scope.is_connect()
        && let Some(code) = root.get("code")
    {
        let text = String::from_utf8_lossy(&code.content()).into_owned();
        let place = "$.code".to_owned();
        return Some(Kind { place, text });
    }
    if !media::is_problem(headers) {
        return None;
    }
    let given = root
        .get("type")
        .map(|value| String::from_utf8_lossy(&value.content()).into_owned());
    Some(Kind {
        place: "$.type".to_owned(),
        text: given.unwrap_or_else(|| BLANK.to_owned()),
    })
}
