//! Notation of an element that is identified by a member.

use core::fmt;

use super::LONGEST_NAME;

/// The step to an element that is identified by a member: `[id=4]`, `[name='two words']`. It can be parsed as a path.
pub(crate) fn keyed(name: &str, value: &str) -> String {
    let mut step = format!("[{}", quoted(name));
    step.push('=');
    step.push_str(&quoted(value));
    step.push(']');
    step
}

/// Unchanged when it is one short word, else in quotes, with escapes.
fn quoted(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@');
    if !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(word) {
        return text.to_owned();
    }
    let mut out = "'".to_owned();
    for (count, c) in text.chars().enumerate() {
        match c {
            _ if count == LONGEST_NAME => {
                out.push('…');
                break;
            }
            '\\' | '\'' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a String does not fail.
                fmt::Write::write_fmt(&mut out, format_args!("\\u{:04x}", u32::from(c))).unwrap_or_default();
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}
