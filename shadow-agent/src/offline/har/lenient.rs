//! Lenient access to members of any JSON type: every unambiguous value is accepted.

use serde_json::Value;

/// A text; also a number or a boolean in its place. `None` if the value is `null` or missing.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number, also as text, with or without a unit of milliseconds. Finite and not negative only: -1 means unknown.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_end_matches("ms").trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite() && *number >= 0.0)
}

/// As [`number`], but an integer.
pub(super) fn size(value: &Value) -> Option<u64> {
    let number = number(value).filter(|number| *number < 1e15)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range, as just seen"
    )]
    let size = number as u64;
    Some(size)
}

/// Whether a flag is set: `true`, a word, or a number.
pub(super) fn set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(&*text.to_ascii_lowercase(), "" | "0" | "false" | "no"),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Names and values: a list of objects as in the specification, or an object.
pub(super) fn pairs(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |name: &str, value: &Value| match value {
        Value::Array(values) => {
            found.extend(
                values
                    .iter()
                    .filter_map(|value| Some((name.to_owned(), text(value)?))),
            );
        }
        other => found.push((name.to_owned(), text(other).unwrap_or_default())),
    };
    match value {
        Value::Array(list) => {
            for item in list {
                let name = ["name", "key", "Name"].iter().find_map(|key| text(&item[*key]));
                if let Some(name) = name {
                    let value = if item["value"].is_null() {
                        &item["Value"]
                    } else {
                        &item["value"]
                    };
                    add(&name, value);
                }
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                add(name, value);
            }
        }
        _ => {}
    }
    found
}
