//! Request targets and other references: path segments, and the values of a query.

use shadow_proto::request_target::{decoded, encoded, form_decoded};

use super::{
    super::place::{Place, Segments},
    Visit,
};

/// A request target in origin form.
pub(in crate::values) fn target(text: &str, visit: &mut Visit<'_>) -> Option<String> {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let new_path = self::path(path, visit);
    let subject = Segments::subject(path);
    let new_query = query.and_then(|query| pairs(query, &subject, visit));
    if new_path.is_none() && new_query.is_none() {
        return None;
    }
    let mut made = new_path.unwrap_or_else(|| path.to_owned());
    if let Some(query) = new_query.as_deref().or(query) {
        made.push('?');
        made.push_str(query);
    }
    Some(made)
}

/// A reference with a path from the root, with or without scheme and authority.
pub(in crate::values) fn url(text: &str, visit: &mut Visit<'_>) -> Option<String> {
    let start = path_start(text)?;
    let (front, rest) = text.split_at_checked(start)?;
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let mut made = format!("{front}{}", target(rest, visit)?);
    if let Some(fragment) = fragment {
        made.push('#');
        made.push_str(fragment);
    }
    Some(made)
}

/// Where the path of a reference begins.
fn path_start(text: &str) -> Option<usize> {
    if text.starts_with('/') && !text.starts_with("//") {
        return Some(0);
    }
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = matches!(scheme, "http" | "https");
    let slash = rest.find('/').filter(|_| is_scheme)?;
    Some(scheme.len().saturating_add(3).saturating_add(slash))
}

fn path(path: &str, visit: &mut Visit<'_>) -> Option<String> {
    let mut made = String::new();
    let mut copied = 0;
    for segment in Segments::of(path) {
        let Some(new) = visit(&segment.place, &decoded(segment.text.as_bytes())) else {
            continue;
        };
        let Ok(new) = String::from_utf8(new) else { continue };
        made.push_str(path.get(copied..segment.start).unwrap_or_default());
        made.push_str(&encoded(&new));
        copied = segment.start.saturating_add(segment.text.len());
    }
    (copied > 0).then(|| {
        made.push_str(path.get(copied..).unwrap_or_default());
        made
    })
}

/// The pairs of a query or a form, about a `subject`.
pub(super) fn pairs(query: &str, subject: &str, visit: &mut Visit<'_>) -> Option<String> {
    let mut changed = false;
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| {
            let made = pair.split_once('=').and_then(|(name, value)| {
                let decoded_name = form_decoded(name.as_bytes());
                let decoded_name = String::from_utf8_lossy(&decoded_name);
                // Arrays are written as `ids[]`.
                let field = decoded_name.trim_end_matches("[]");
                let place = Place::field(subject, field);
                let value = form_decoded(value.as_bytes());
                let new = match core::str::from_utf8(&value) {
                    Ok(text) if text.starts_with('/') || text.contains("://") => url(text, visit)?,
                    _ => String::from_utf8(visit(&place, &value)?).ok()?,
                };
                Some(format!("{name}={}", encoded(&new)))
            });
            changed |= made.is_some();
            made.unwrap_or_else(|| pair.to_owned())
        })
        .collect();
    changed.then(|| pairs.join("&"))
}
