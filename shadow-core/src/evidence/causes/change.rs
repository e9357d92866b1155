//! The words for a feature and for a change.

use crate::evidence::report::FeatureKind;

/// A feature of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Feature {
    pub(super) kind: FeatureKind,
    /// Redacted.
    pub(super) name: String,
}

impl Feature {
    /// `carry Authorization`: after a number of requests, in the plural.
    pub(super) fn says(&self) -> String {
        let name = &self.name;
        match self.kind {
            FeatureKind::Query | FeatureKind::QueryValue => format!("have the parameter {name}"),
            FeatureKind::Header => format!("carry {}", titled(name)),
            FeatureKind::HeaderValue => {
                let (name, value) = name.split_once(": ").unwrap_or((name, ""));
                format!("carry {}: {value}", titled(name))
            }
            FeatureKind::Agent => format!("come from {name}"),
            FeatureKind::Version => format!("are {name}"),
            FeatureKind::Segment => format!("have {name} in the path"),
            FeatureKind::RequestSize => format!("have a body of at least {name}"),
            FeatureKind::AnswerSize => format!("were answered with at least {name}"),
            FeatureKind::AnswerStatus => format!("were answered with {name} by production"),
            FeatureKind::AnswerType => format!("were answered with {name}"),
            FeatureKind::AnswerCoding => format!("were answered in the coding {name}"),
            FeatureKind::Build => format!("were answered by the shadow system with {}", build(name)),
            FeatureKind::Method => format!("are {name}"),
            FeatureKind::Path => format!("are below {name}"),
            FeatureKind::Time => format!("came {name}"),
        }
    }
}

fn build(name: &str) -> String {
    let (name, value) = name.split_once(": ").unwrap_or((name, ""));
    format!("{}: {value}", titled(name))
}

/// `x-request-id` as `X-Request-Id`.
fn titled(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let shown = if start { c.to_ascii_uppercase() } else { c };
            start = c == '-';
            shown
        })
        .collect()
}

/// The last name in a place: `.price` of `$.items[*].price`, `.items` of `$.items[id=4]`, or the whole place if it ends
/// with none. An element of a list is not distinguished from others by what identifies it.
pub(super) fn leaf(place: &str) -> &str {
    let place = list(place);
    if !place.contains('$') {
        return place;
    }
    let at = place.rfind(['.', '$', ']']).unwrap_or_default();
    match place.get(at..) {
        Some(name) if name.starts_with('.') && name.len() > 1 && name != ".*" => name,
        _ => place,
    }
}

/// The list, if a place is one of its elements.
fn list(place: &str) -> &str {
    let (mut quote, mut begin, mut end) = (None, 0, 0);
    let mut inside = false;
    for (at, c) in place.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if inside => quote = Some(c),
            (None, '[') if !inside => (inside, begin) = (true, at),
            (None, ']') if inside => (inside, end) = (false, at.saturating_add(1)),
            _ => {}
        }
    }
    match place.get(..begin) {
        Some(list) if begin > 1 && end == place.len() => list,
        _ => place,
    }
}
