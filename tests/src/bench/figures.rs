//! Medians, and the table for a human reader.

use std::fmt::Write as _;

use serde_json::Value;

/// The median.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// Nanoseconds for many items as microseconds for one.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn per(nanos: u64, count: u64) -> f64 {
    nanos as f64 / 1e3 / count.max(1) as f64
}

/// The results as text.
pub fn table(results: &Value) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or_default();
    line(format!(
        "{} CPUs, Linux {}; medians of {} interleaved pairs of {} s",
        results["machine"]["cpus"],
        results["machine"]["kernel"].as_str().unwrap_or("?"),
        results["rounds"],
        results["seconds"],
    ));
    let Some(figures) = results["figures"].as_object() else {
        return text;
    };
    for (name, figure) in figures {
        line(String::new());
        match figure["goal"].as_str() {
            Some(goal) => line(format!("{name}   (goal: {goal})")),
            None => line(name.clone()),
        }
        for (key, value) in figure.as_object().into_iter().flatten() {
            if let Some(value) = shown(value) {
                line(format!("  {key:32} {value}"));
            }
        }
    }
    text
}

/// Single values only; the individual runs are in the JSON.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(match number.as_u64() {
            Some(whole) => whole.to_string(),
            None => format!("{:.3}", number.as_f64()?),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_pairs_and_of_one() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([1.0, 2.0].into_iter()) - 1.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }
}
