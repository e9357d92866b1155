//! Where a difference is, without what differs between exchanges.

use super::super::route;

/// A place without what differs between exchanges: indices, member names that look like values, line numbers.
pub(super) fn generalised(place: &str) -> String {
    if place.starts_with("line ") {
        return "line *".to_owned();
    }
    let Some(mut rest) = place.strip_prefix('$') else {
        return place.to_owned();
    };
    let mut out = "$".to_owned();
    while !rest.is_empty() {
        let end = step_len(rest);
        let (step, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let name = step
            .strip_prefix('.')
            .or_else(|| step.strip_prefix("['").and_then(|step| step.strip_suffix("']")));
        match name {
            Some(name) if route::placeholder(name).is_some() => out.push_str(".*"),
            Some(_) => out.push_str(step),
            None => out.push_str("[*]"),
        }
        rest = behind;
    }
    out
}

/// The length of `.name`, `['name']` or `[3]` at the start of a path.
fn step_len(path: &str) -> usize {
    if !path.starts_with("['") {
        let behind = path.char_indices().skip(1);
        return behind
            .into_iter()
            .find(|(_, c)| matches!(c, '.' | '['))
            .map_or(path.len(), |(at, _)| at);
    }
    let mut escaped = false;
    for (at, c) in path.char_indices().skip(2) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // Behind the quote comes the bracket.
            '\'' => return at.saturating_add(2),
            _ => {}
        }
    }
    path.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_generalised() {
        for (place, expected) in [
            ("$", "$"),
            ("$.items[3].price", "$.items[*].price"),
            ("$[0][1]", "$[*][*]"),
            ("$.users['123'].name", "$.users.*.name"),
            ("$.users['a b'].x", "$.users['a b'].x"),
            ("$['it\\'s[3]'].y[2]", "$['it\\'s[3]'].y[*]"),
            ("$['ann@example.org']", "$.*"),
            ("line 12", "line *"),
            ("body", "body"),
            ("header content-type", "header content-type"),
        ] {
            assert_eq!(generalised(place), expected);
        }
    }
}
