//! Names of nodes and attributes as places show them.

use std::borrow::Cow;

use super::tree::Kind;

/// Characters of a name that are shown in a place.
const LONGEST: usize = 100;

/// The name of a node in a place.
pub(super) fn shown_name(kind: &Kind<'_>) -> Cow<'static, str> {
    match kind {
        Kind::Element(name) => cut(&name.local).into(),
        Kind::Text => "text()".into(),
        Kind::Other(name) => cut(name).into(),
    }
}

/// A name as it is shown in a place.
pub(super) fn cut(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect()
}
