//! Broad rules in the place of many narrow ones: one name that is noise in many places, one place that covers others.

use std::collections::{BTreeMap, BTreeSet};

use shadow_core::evidence::report::Group;

/// Places from which on a name is proposed for every place.
const PLACES: usize = 2;

/// Names of which every system has many that are no noise.
const COMMON: [&str; 8] = ["id", "name", "value", "type", "key", "status", "code", "text"];

/// Names of members that are noise in many places, and whose rule hides nothing that counts: of those that `is_narrow`
/// only another value does, because a form still shows what is missing or of another type.
pub(super) fn names<'g>(
    noise: &[&'g Group],
    counted: &[&Group],
    is_narrow: impl Fn(&Group) -> bool,
) -> BTreeSet<&'g str> {
    let mut all: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
    for group in noise {
        if let Some(name) = leaf(&group.place) {
            all.entry(name).or_default().push(group);
        }
    }
    let hides = |name: &str, groups: &[&Group]| {
        let all_narrow = groups.iter().all(|group| is_narrow(group));
        let mut counted = counted.iter().filter(|group| leaf(&group.place) == Some(name));
        counted.any(|group| !all_narrow || matches!(group.category.as_str(), "value" | "order"))
    };
    all.into_iter()
        .filter(|(name, groups)| {
            let places: BTreeSet<_> = groups.iter().map(|group| (&group.route, &group.place)).collect();
            let word = name.split(' ').next().unwrap_or_default();
            places.len() >= PLACES && !COMMON.contains(&word) && !hides(name, groups)
        })
        .map(|(name, _)| name)
        .collect()
}

/// The last name in a JSON path, with the part of the text there: `request_id` of `$.items[*].request_id`, `message
/// word 3` of `$.error.message word 3`.
pub(super) fn leaf(place: &str) -> Option<&str> {
    let (before, name) = place.rsplit_once('.')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b' ');
    (before.starts_with('$') && !before.contains(' ') && is_name).then_some(name)
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
    fn a_name_is_the_last_one_with_the_part_of_its_text() {
        for (place, expected) in [
            ("$.items[*].request_id", Some("request_id")),
            ("$.error.message word 3", Some("message word 3")),
            ("$.data[url='http://a.b/c'].at", Some("at")),
            ("$.a['x.y z']", None),
            ("$.url query a.b", None),
            ("/a/b.c", None),
        ] {
            assert_eq!(leaf(place), expected, "{place}");
        }
    }

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
