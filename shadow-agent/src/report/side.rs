//! Two answers side by side, line by line.
//!
//! Bounds: the lines of a case, which is cut when it is made; a difference that takes too long to compute is shown less
//! exactly. Lines far from any difference are left out and counted.

use std::time::{Duration, Instant};

use shadow_core::{
    case::{Answered, Case, Field},
    redact::RedactedBody,
};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

/// Lines shown around a difference.
const CONTEXT: usize = 3;

/// Time limit for finding the best alignment of two bodies.
const PATIENCE: Duration = Duration::from_millis(500);

/// One row of two columns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Row {
    /// The same on both sides.
    Same(String),
    /// Different; `None` where a side has no such line.
    Differs(Option<String>, Option<String>),
    /// A number of lines left out that are the same on both sides.
    Left(usize),
}

/// Both answers of a case.
pub fn rows(case: &Case) -> Vec<Row> {
    let production = lines(&case.production);
    let shadow = match &case.shadow {
        Some(answer) => lines(answer),
        None => vec![format!(
            "no answer: {}",
            case.failure.as_deref().unwrap_or("unknown")
        )],
    };
    shortened(aligned(&production, &shadow))
}

/// The request as lines.
pub fn request(case: &Case) -> Vec<String> {
    let request = &case.request;
    let mut lines = vec![format!(
        "{} {} {}",
        request.method, request.target, request.version
    )];
    message(&mut lines, &request.headers, &request.body);
    lines
}

fn lines(answer: &Answered) -> Vec<String> {
    let reason = http::StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let mut lines = vec![format!("{} {reason}", answer.status).trim_end().to_owned()];
    message(&mut lines, &answer.headers, &answer.body);
    lines
}

fn message(lines: &mut Vec<String>, headers: &[Field], body: &RedactedBody) {
    lines.extend(
        headers
            .iter()
            .map(|field| format!("{}: {}", field.name.to_ascii_lowercase(), field.value)),
    );
    if body.len == 0 {
        return;
    }
    lines.push(String::new());
    match &body.text {
        Some(text) => lines.extend(pretty(text).lines().map(str::to_owned)),
        None => lines.push(format!("({} bytes that are no text, {})", body.len, body.hash)),
    }
    if body.cut && body.text.is_some() {
        lines.push(format!("(cut; {} bytes in all)", body.len));
    }
}

/// JSON is shown member by member, sorted by name: neither the layout nor the order of members is a difference.
fn pretty(text: &str) -> String {
    if !text.trim_start().starts_with(['{', '[']) {
        return text.to_owned();
    }
    serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| broken(text))
}

/// JSON that was cut or is invalid: at least one line for each member.
fn broken(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        out.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' | '{' | '[' if !quoted => out.push('\n'),
            _ => {}
        }
    }
    out
}

fn aligned(left: &[String], right: &[String]) -> Vec<Row> {
    let deadline = Instant::now() + PATIENCE;
    let mut rows = Vec::new();
    for op in capture_diff_slices_deadline(Algorithm::Myers, left, right, Some(deadline)) {
        match op {
            DiffOp::Equal { old_index, len, .. } => {
                rows.extend(left[old_index..old_index + len].iter().cloned().map(Row::Same));
            }
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                let (old, new) = (&left[op.old_range()], &right[op.new_range()]);
                let rows_of = |at: usize| Row::Differs(old.get(at).cloned(), new.get(at).cloned());
                rows.extend((0..old.len().max(new.len())).map(rows_of));
            }
        }
    }
    rows
}

/// Leaves out the lines that are far from any difference.
fn shortened(rows: Vec<Row>) -> Vec<Row> {
    let near: Vec<bool> = {
        let mut near = vec![false; rows.len()];
        for (at, _) in rows
            .iter()
            .enumerate()
            .filter(|(_, row)| matches!(row, Row::Differs(..)))
        {
            let end = (at + CONTEXT + 1).min(rows.len());
            near[at.saturating_sub(CONTEXT)..end].fill(true);
        }
        near
    };
    let mut shown = Vec::new();
    let mut left = 0;
    for (row, near) in rows.into_iter().zip(near) {
        if near {
            if left > 0 {
                shown.push(Row::Left(std::mem::take(&mut left)));
            }
            shown.push(row);
        } else {
            left += 1;
        }
    }
    if left > 0 {
        shown.push(Row::Left(left));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answered {
        Answered {
            status: 200,
            body: RedactedBody {
                len: text.len() as u64,
                text: Some(text.to_owned()),
                ..RedactedBody::default()
            },
            ..Answered::default()
        }
    }

    #[test]
    fn only_what_differs_and_its_surroundings_are_shown() {
        let members = |price: u32| {
            let other: Vec<_> = ('a'..='z').map(|c| format!("\"{c}\":1")).collect();
            format!("{{{},\"price\":{price}}}", other.join(","))
        };
        let mut case = Case {
            production: answer(&members(1)),
            shadow: Some(answer(&members(2))),
            ..Case::default()
        };
        let shown = rows(&case);
        let differing: Vec<_> = shown
            .iter()
            .filter(|row| matches!(row, Row::Differs(..)))
            .collect();
        let line = |price: u32| Some(format!("  \"price\": {price},"));
        assert_eq!(differing, [&Row::Differs(line(1), line(2))], "{shown:#?}");
        assert!(
            shown.len() < 10 && shown.iter().any(|row| matches!(row, Row::Left(10..))),
            "{shown:#?}"
        );

        case.shadow = None;
        case.failure = Some("timeout".to_owned());
        let shown = rows(&case);
        let first = Row::Differs(Some("200 OK".to_owned()), Some("no answer: timeout".to_owned()));
        assert_eq!(shown[0], first, "{shown:#?}");
    }

    #[test]
    fn a_large_difference_is_found_in_bounded_time() {
        let lines = |step: usize| {
            (0..20_000)
                .map(|n| (n * step % 7919).to_string())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let case = Case {
            production: answer(&lines(7)),
            shadow: Some(answer(&lines(11))),
            ..Case::default()
        };
        let begun = Instant::now();
        assert!(!rows(&case).is_empty());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
