//! Broad rules in the place of many narrow ones: one name that is noise in many places, one place that covers others.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::evidence::report::Group;

/// Places from which on a name is proposed for every place.
const PLACES: usize = 3;

/// Names of which every system has many that are no noise.
const COMMON: [&str; 8] = ["id", "name", "value", "type", "key", "status", "code", "text"];

/// Names of members that are noise in many places and count in none.
pub(super) fn names<'g>(noise: &[&'g Group], counted: &[&Group]) -> BTreeSet<&'g str> {
    let mut places: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for group in noise {
        if let Some(name) = leaf(&group.place) {
            places
                .entry(name)
                .or_default()
                .insert((&group.route, &group.place));
        }
    }
    let counts = |name: &str| counted.iter().any(|group| leaf(&group.place) == Some(name));
    places
        .into_iter()
        .filter(|(name, places)| places.len() >= PLACES && !COMMON.contains(name) && !counts(name))
        .map(|(name, _)| name)
        .collect()
}

/// The last name in a JSON path: `request_id` of `$.items[*].request_id`.
pub(super) fn leaf(place: &str) -> Option<&str> {
    let (before, name) = place.rsplit_once('.')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (before.starts_with('$') && is_name).then_some(name)
}

/// Whether leaving out one JSON path leaves out another one as well: `$.data.*` covers `$.data.a` and `$.data.a.b`.
pub(super) fn covers(broad: &str, narrow: &str) -> bool {
    let (broad, narrow) = (steps(broad), steps(narrow));
    !broad.is_empty()
        && broad.len() <= narrow.len()
        && broad.iter().zip(&narrow).all(|(broad, narrow)| {
            broad == narrow
                || (*broad == ".*" && narrow.starts_with('.'))
                || (*broad == "[*]" && narrow.starts_with('['))
        })
}

/// The steps of a JSON path; none of anything else.
fn steps(place: &str) -> Vec<&str> {
    let Some(mut rest) = place.strip_prefix('$') else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            _ => rest[first.len_utf8()..]
                .find(['.', '['])
                .map_or(rest.len(), |end| end + first.len_utf8()),
        };
        let (step, behind) = rest.split_at(len);
        steps.push(step);
        rest = behind;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_covers_what_is_below_it() {
        for (broad, narrow, expected) in [
            ("$.data.*", "$.data.go_threads", true),
            ("$.data.*", "$.data.a.b[2]", true),
            ("$.data.*", "$.date.a", false),
            ("$.data.*", "$.data[*]", false),
            ("$.items[*].at", "$.items[*].at", true),
            ("$.items[*]", "$.items[id=3].at", true),
            ("$.items[*].at", "$.items[*]", false),
            ("/a/b", "/a/b/c", false),
        ] {
            assert_eq!(covers(broad, narrow), expected, "{broad} {narrow}");
        }
    }
}
