//! Every misspelled key gets a suggestion, at any depth.

use std::path::Path;

use serde_json::Value;

use super::Config;

/// The file with one key in it, and the resulting message.
fn said(path: &[&str], value: &str) -> String {
    // An item of a list follows a dash.
    let lines = path
        .iter()
        .enumerate()
        .map(|(depth, key)| "  ".repeat(depth) + key + ":");
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = format!("{text} {value}\n");
    match Config::parse(Path::new("shadow.yaml"), &text) {
        Ok(_) => panic!("{text} is taken"),
        Err(error) => error.to_string(),
    }
}

/// The key without its second letter: a typing error.
fn slipped(key: &str) -> String {
    let mut letters = key.chars();
    let first: String = letters.by_ref().take(1).collect();
    first + &letters.skip(1).collect::<String>()
}

/// Every key below a value, with its path.
fn keys<'v>(value: &'v Value, above: &[&'v str], found: &mut Vec<Vec<&'v str>>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = [above, &[key.as_str()]].concat();
        keys(value, &path, found);
        found.push(path);
    }
}

#[test]
fn each_key_of_each_section_is_guessed_from_a_slip() {
    let config = serde_json::to_value(Config::default()).expect("is JSON");
    let mut found = Vec::new();
    keys(&config, &[], &mut found);
    let nested = |section: &str, depth: usize| {
        let of_section = found
            .iter()
            .filter(|path| path[0] == section && path.len() > depth);
        of_section.count()
    };
    for section in [
        "noise", "rollout", "budget", "trips", "record", "limits", "journal", "evidence",
    ] {
        assert!(nested(section, 1) >= 2, "{section} is gone over");
    }
    for part in ["select", "writes", "rewrite", "credentials", "breaker"] {
        let of_part = found
            .iter()
            .filter(|path| path[..path.len() - 1] == ["shadow", part]);
        assert!(of_part.count() >= 2, "{part} is gone over");
    }
    let known: Vec<&str> = found.iter().map(|path| path[path.len() - 1]).collect();
    for path in &found {
        let (above, key) = (&path[..path.len() - 1], path[path.len() - 1]);
        let wrong = slipped(key);
        if known.contains(&&*wrong) {
            continue;
        }
        let said = said(&[above, &[&*wrong]].concat(), "1");
        assert!(
            said.contains(&format!("unknown key `{wrong}`"))
                && said.contains(&format!("did you mean `{key}`?")),
            "{path:?}: {said}"
        );
        let place = if above.is_empty() {
            "at the top level".to_owned()
        } else {
            format!("in `{}`", above.join("."))
        };
        assert!(said.contains(&place), "{path:?}: {said}");
        let line = path.len();
        assert!(
            said.starts_with(&format!("shadow.yaml:{line}:")),
            "{path:?}: {said}"
        );
    }
}

#[test]
fn keys_of_items_and_of_what_is_null_by_default_are_guessed_too() {
    for (path, wanted) in [
        (&["shadow", "select", "include", "- pth"][..], "path"),
        (&["shadow", "select", "exclude", "- content_typ"], "content_type"),
        (&["shadow", "writes", "routes", "- mach"], "match"),
        (&["shadow", "writes", "routes", "- match", "  methd"], "method"),
        (&["shadow", "credentials", "replace", "- schem"], "scheme"),
        (&["shadow", "credentials", "replace", "- comand"], "command"),
        (&["rollout", "phases", "- min_duraton"], "min_duration"),
        (&["trips", "mismatches", "abov"], "above"),
        (&["trips", "shadow_errors", "minimun"], "minimum"),
        (&["trips", "ring_loss", "withn"], "within"),
        (&["trips", "budget", "resum"], "resume"),
        (&["compare", "routes", "- ignor"], "ignore"),
        (&["compare", "places", "- formt"], "format"),
        (&["also", "- timout"], "timeout"),
        (&["also", "- breaker", "  probs"], "probes"),
        (&["also", "- select", "  percnt"], "percent"),
        (&["also", "- compare", "  arrys"], "arrays"),
    ] {
        let said = said(path, "1");
        assert!(
            said.contains(&format!("did you mean `{wanted}`?")),
            "{path:?}: {said}"
        );
        assert!(said.starts_with("shadow.yaml:"), "{path:?}: {said}");
    }
}
