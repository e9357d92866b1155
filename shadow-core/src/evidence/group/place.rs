//! Where a difference is, without what differs between exchanges.

use super::super::route;

/// A place without what differs between exchanges: indices, member names that look like values, the numbers of lines,
/// events and parts.
pub(super) fn generalised(place: &str) -> String {
    let json = if place.starts_with('$') {
        Some(0)
    } else {
        place.find(" $").map(|at| at.saturating_add(1))
    };
    let Some((before, path)) = json.and_then(|at| place.split_at_checked(at)) else {
        return outside_json(place);
    };
    let mut out = outside_json(before);
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    out.push('$');
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

/// `event 3`, `part 2 line 7`, `/html/body/div[2]/@class`.
fn outside_json(place: &str) -> String {
    let mut out = String::with_capacity(place.len());
    let mut counted = false;
    for (number, word) in place.split(' ').enumerate() {
        if number > 0 {
            out.push(' ');
        }
        match word {
            word if counted && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) => {
                out.push('*');
            }
            word if word.starts_with('/') => without_positions(word, &mut out),
            word => out.push_str(word),
        }
        counted = matches!(word, "line" | "event" | "part");
    }
    out
}

/// Whether an element has a position depends on its siblings, so that none is written.
fn without_positions(path: &str, out: &mut String) {
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('[') {
        out.push_str(before);
        let digits = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        rest = match digits.strip_prefix(']') {
            Some(after) if digits.len() < behind.len() => after,
            _ => {
                out.push('[');
                behind
            }
        };
    }
    out.push_str(rest);
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
            ("event 3 $.a[1].b", "event * $.a[*].b"),
            ("event 3", "event *"),
            ("part 2 line 7", "part * line *"),
            (
                "part avatar header content-type",
                "part avatar header content-type",
            ),
            ("/html/body/div[2]/@class", "/html/body/div/@class"),
            ("/a/f[@name='n']/b[12]", "/a/f[@name='n']/b"),
            ("field a b[3]", "field a b[3]"),
            ("body", "body"),
            ("header content-type", "header content-type"),
        ] {
            assert_eq!(generalised(place), expected);
        }
    }
}
