//! JSON strings, even when they are cut off.

use std::borrow::Cow;

/// The string that the text begins with, and whether it ends.
pub(super) fn string(text: &str) -> (&str, bool) {
    let bytes = text.as_bytes();
    let mut at = 1usize;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        at = at.saturating_add(found);
        if bytes.get(at) == Some(&b'"') {
            let end = at.saturating_add(1);
            return (text.get(..end).unwrap_or(text), true);
        }
        at = at.saturating_add(2);
    }
    (text, false)
}

/// The content of a string; an invalid one is returned as written.
pub(super) fn unescaped(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').unwrap_or(raw);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(raw).map_or(Cow::Borrowed(inner), Cow::Owned)
}
