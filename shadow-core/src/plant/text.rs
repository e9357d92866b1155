//! Faults in content that is not JSON: in words, numbers and lines.

use core::ops::Range;

use super::{Changed, Dice, Planted};

/// Words that are considered in one content.
const WORDS: usize = 4096;

/// Plants a fault.
pub(super) fn change(kind: Planted, content: &[u8], dice: &mut Dice) -> Option<Changed> {
    let text = core::str::from_utf8(content).ok();
    let replaced = |at: Range<usize>, new: &[u8], place: String| {
        let mut changed = content.get(..at.start)?.to_vec();
        changed.extend_from_slice(new);
        changed.extend_from_slice(content.get(at.end..)?);
        Some(Changed { text: changed, place })
    };
    let Some(text) = text else {
        // One byte of what is not text.
        let at = dice.below(content.len());
        let old = *content.get(at).filter(|_| kind == Planted::Value)?;
        let new = [old.wrapping_add(1)];
        return replaced(at..at.saturating_add(1), &new, "body".to_owned());
    };
    let line_of = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        format!("line {}", before.matches('\n').count().saturating_add(1))
    };
    match kind {
        Planted::Value | Planted::Near | Planted::Null => {
            let is_wanted = |word: &Range<usize>| {
                let digits = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
                kind != Planted::Near || text.get(word.clone()).is_some_and(digits)
            };
            let words: Vec<Range<usize>> = words(text).filter(is_wanted).take(WORDS).collect();
            let word = dice.pick(&words)?.clone();
            let old = content.get(word.clone())?;
            let new = match kind {
                Planted::Value => other_word(old, dice),
                Planted::Near => {
                    let number: u64 = core::str::from_utf8(old).ok()?.parse().ok()?;
                    number.checked_add(1)?.to_string().into_bytes()
                }
                _ => Vec::new(),
            };
            replaced(word.clone(), &new, line_of(word.start))
        }
        Planted::Lost | Planted::Duplicated | Planted::Swapped => {
            let lines = lines(text);
            let (at, line) = {
                let at = dice.below(lines.len());
                (at, lines.get(at)?.clone())
            };
            let this = content.get(line.clone())?;
            // A line of tags alone may say nothing.
            words(text.get(line.clone())?).next()?;
            match kind {
                Planted::Lost => replaced(line.clone(), b"", line_of(line.start)),
                Planted::Duplicated => replaced(line.end..line.end, this, line_of(line.start)),
                _ => {
                    let next = lines.get(at.saturating_add(1))?.clone();
                    let other = content.get(next.clone())?;
                    if this == other || !other.ends_with(b"\n") {
                        return None;
                    }
                    replaced(line.start..next.end, &[other, this].concat(), line_of(line.start))
                }
            }
        }
        _ => None,
    }
}

/// A word of the same length and form: one of its digits or letters is another one.
pub(super) fn other_word(old: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut new = old.to_vec();
    let is_number = old
        .iter()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
    let places: Vec<usize> = old
        .iter()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_alphanumeric())
        // A first digit that becomes 0, and an exponent without its letter, would be no number.
        .filter(|(at, byte)| {
            let first = old.iter().position(u8::is_ascii_digit) == Some(*at) && old.len() > 1;
            !is_number || byte.is_ascii_digit() && !first
        })
        // Not in an escape.
        .filter(|(at, _)| {
            let before = old.get(at.saturating_sub(5)..*at).unwrap_or_default();
            !before.contains(&b'\\')
        })
        .map(|(at, _)| at)
        .collect();
    let Some(slot) = dice.pick(&places).and_then(|at| new.get_mut(*at)) else {
        // Within the quotation marks of a text.
        let (mark, rest) = match old.split_first() {
            Some((b'"', rest)) => (&b"\""[..], rest),
            _ => (&b""[..], old),
        };
        return [mark, b"1", rest].concat();
    };
    let mut turned = |first: u8, count: u8, byte: u8| {
        let steps = usize::from(count).saturating_sub(1);
        let step = u8::try_from(dice.below(steps))
            .unwrap_or_default()
            .saturating_add(1);
        first.saturating_add(
            byte.saturating_sub(first)
                .saturating_add(step)
                .wrapping_rem(count),
        )
    };
    *slot = match *slot {
        byte @ b'0'..=b'9' => turned(b'0', 10, byte),
        // Hexadecimal stays hexadecimal.
        byte @ b'a'..=b'f' => turned(b'a', 6, byte),
        byte @ b'g'..=b'z' => turned(b'g', 20, byte),
        byte @ b'A'..=b'F' => turned(b'A', 6, byte),
        byte => turned(b'G', 20, byte),
    };
    new
}

/// Runs of letters and digits outside tags.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0usize;
    let mut in_tag = false;
    core::iter::from_fn(move || {
        let bytes = text.as_bytes();
        loop {
            match bytes.get(at)? {
                b'<' => in_tag = true,
                b'>' => in_tag = false,
                byte if byte.is_ascii_alphanumeric() && !in_tag => {
                    let rest = bytes.get(at..)?;
                    let len = rest
                        .iter()
                        .take_while(|byte| byte.is_ascii_alphanumeric())
                        .count();
                    let word = at..at.saturating_add(len);
                    at = word.end;
                    return Some(word);
                }
                _ => {}
            }
            at = at.saturating_add(1);
        }
    })
}

/// Lines with their line feed.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0usize;
    text.split_inclusive('\n')
        .map(|line| {
            let end = start.saturating_add(line.len());
            let range = start..end;
            start = end;
            range
        })
        .collect()
}
