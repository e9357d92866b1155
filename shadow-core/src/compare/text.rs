//! Text by line.
//!
//! Masks of the rules leave parts of lines out.
//! Bounds: lines that are aligned ([`ALIGNED`]); between longer differing stretches only the first difference and
//! the number of lines are told. Bytes that masks are tried on ([`MASKED`]); behind them lines are compared as they are.
//! There is no time limit, because this room has no clock: the bound is one of size.

use std::borrow::Cow;

use hashbrown::HashMap;
use similar::{Algorithm, DiffOp};

use super::{ABSENT, Category, findings::Findings, findings::shorten, scope::Scope};

/// Lines of a differing stretch, on each side, up to which they are aligned. The work is at most its square.
const ALIGNED: usize = 400;

/// Bytes of one text that masks are tried on.
const MASKED: usize = 1 << 20;

/// What a masked part counts as. No text has it: content with a null byte is compared by digest.
const MASK: &[u8] = b"\0";

/// Compares two texts.
pub(super) fn compare(scope: &Scope<'_>, production: &[u8], shadow: &[u8], findings: &mut Findings) {
    let (left, right) = (lines(production), lines(shadow));
    let all = (left.len(), right.len());
    let (start, rest_left, rest_right) = without_equal_ends(&left, &right);
    let (known_left, known_right) = known(scope, rest_left, rest_right);
    let (more, known_left, known_right) = without_equal_ends(&known_left, &known_right);
    let behind = |side: &'_ [&'_ [u8]], known: usize| more..more.saturating_add(known).min(side.len());
    let rest_left = rest_left
        .get(behind(rest_left, known_left.len()))
        .unwrap_or_default();
    let rest_right = rest_right
        .get(behind(rest_right, known_right.len()))
        .unwrap_or_default();
    let mut stretch = Stretch {
        left: rest_left,
        right: rest_right,
        start: start.saturating_add(more),
        findings,
    };
    if rest_left.len() > ALIGNED || rest_right.len() > ALIGNED {
        stretch.replaced(0..1.min(rest_left.len()), 0..1.min(rest_right.len()));
        if all.0 != all.1 {
            let lines = |count: usize| format!("{count} lines");
            findings.push(Category::Length, "body", lines(all.0), lines(all.1));
        }
        return;
    }
    for op in similar::capture_diff_slices(Algorithm::Myers, known_left, known_right) {
        if !matches!(op, DiffOp::Equal { .. }) {
            stretch.replaced(op.old_range(), op.new_range());
        }
    }
}

/// Whether two lines are equal under the masks.
pub(super) fn same_line(scope: &Scope<'_>, a: &[u8], b: &[u8]) -> bool {
    let (mut room_a, mut room_b) = (MASKED, MASKED);
    masked(scope, a, &mut room_a) == masked(scope, b, &mut room_b)
}

/// Looks at a whole text for what the masks leave out of it.
pub(super) fn survey(scope: &Scope<'_>, text: &[u8]) {
    let lines = lines(text.get(..MASKED).unwrap_or(text));
    let mut hiding = Vec::new();
    for rule in scope.masks() {
        let matched = lines.iter().any(|line| rule.mask.regex().is_match(line));
        scope.tried(rule.id, matched);
        if matched {
            hiding.push(rule.id);
        }
    }
    let mut room = MASKED;
    let is_left = |line: &[u8]| line.iter().any(|byte| *byte != 0 && !byte.is_ascii_whitespace());
    let left = lines.iter().any(|line| is_left(&masked(scope, line, &mut room)));
    if !left {
        scope.hidden(&hiding);
    }
}

/// Without the line feeds; a last line with and one without are different.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').collect()
}

/// A line without what the masks name. `room` is how many bytes they are still tried on.
fn masked<'l>(scope: &Scope<'_>, line: &'l [u8], room: &mut usize) -> Cow<'l, [u8]> {
    let mut out = Cow::Borrowed(line);
    if scope.masks().is_empty() || line.len() > *room {
        return out;
    }
    *room = room.saturating_sub(line.len());
    for rule in scope.masks() {
        if let Cow::Owned(masked) = rule.mask.regex().replace_all(&out, MASK) {
            out = Cow::Owned(masked);
        }
    }
    out
}

/// A number for each line, the same for those that are equal: long lines are compared once, and not as often as an
/// alignment asks for them.
fn known(scope: &Scope<'_>, left: &[&[u8]], right: &[&[u8]]) -> (Vec<usize>, Vec<usize>) {
    let mut numbers = HashMap::new();
    (
        numbered(scope, left, &mut numbers),
        numbered(scope, right, &mut numbers),
    )
}

fn numbered<'l>(
    scope: &Scope<'_>,
    lines: &[&'l [u8]],
    numbers: &mut HashMap<Cow<'l, [u8]>, usize>,
) -> Vec<usize> {
    let mut room = MASKED;
    lines
        .iter()
        .map(|line| {
            let next = numbers.len();
            *numbers.entry(masked(scope, line, &mut room)).or_insert(next)
        })
        .collect()
}

/// How many both begin with, and what is left of each without the equal ones at both ends.
fn without_equal_ends<'s, T: PartialEq>(left: &'s [T], right: &'s [T]) -> (usize, &'s [T], &'s [T]) {
    let start = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (left, right) = (
        left.get(start..).unwrap_or_default(),
        right.get(start..).unwrap_or_default(),
    );
    let end = left
        .iter()
        .rev()
        .zip(right.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let keep = |side: &'s [T]| side.get(..side.len().saturating_sub(end)).unwrap_or_default();
    (start, keep(left), keep(right))
}

struct Stretch<'s, 'f> {
    left: &'s [&'s [u8]],
    right: &'s [&'s [u8]],
    /// Lines in front of it.
    start: usize,
    findings: &'f mut Findings,
}

impl Stretch<'_, '_> {
    /// Line by line; what one side has more is missing or added.
    fn replaced(&mut self, left: core::ops::Range<usize>, right: core::ops::Range<usize>) {
        let count = left.len().max(right.len());
        for step in 0..count {
            if self.findings.is_full() {
                return;
            }
            let line = |side: &[&[u8]], range: &core::ops::Range<usize>| {
                let index = range.start.saturating_add(step);
                let line = side.get(index).filter(|_| range.contains(&index))?;
                Some((index, shorten(line)))
            };
            let (a, b) = (line(self.left, &left), line(self.right, &right));
            // Lines are numbered as production has them, added ones as the shadow system has them.
            let Some(index) = a.as_ref().or(b.as_ref()).map(|(index, _)| *index) else {
                continue;
            };
            let category = match (&a, &b) {
                (Some(_), Some(_)) => Category::Value,
                (Some(_), None) => Category::Missing,
                _ => Category::Added,
            };
            let text =
                |side: Option<(usize, String)>| side.map_or_else(|| ABSENT.to_owned(), |(_, text)| text);
            let place = format!("line {}", self.start.saturating_add(index).saturating_add(1));
            self.findings.push(category, place, text(a), text(b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Rules, compiled::scoped, findings::stated};

    fn diff(a: &str, b: &str) -> Vec<String> {
        masked(&[], a, b)
    }

    fn masked(masks: &[&str], a: &str, b: &str) -> Vec<String> {
        let read = |mask: &&str| mask.parse().unwrap_or_else(|error| panic!("{error}"));
        let rules = Rules {
            mask: masks.iter().map(read).collect(),
            ..Rules::default()
        };
        let mut findings = Findings::new(5);
        scoped(&rules, |scope| {
            compare(scope, a.as_bytes(), b.as_bytes(), &mut findings);
        });
        stated(findings.finish())
    }

    #[test]
    fn masked_parts_of_lines_are_not_compared() {
        let masks = [r"\d+ ms", "id=[0-9a-f]{4}"];
        for (a, b, expected) in [
            ("took 3 ms\nid=00ff x\n", "took 41 ms\nid=ab12 x\n", &[][..]),
            (
                "took 3 ms, id=00ff\nend",
                "took 41 ms, id=zz\nend",
                &["value line 1: took 3 ms, id=00ff | took 41 ms, id=zz"],
            ),
            ("3 ms", "4 s", &["value line 1: 3 ms | 4 s"]),
            ("1 ms\n2 ms\nx", "9 ms\nx", &["missing line 2: 2 ms | (absent)"]),
            ("a\n1 ms\nb", "a\n2 ms\nB", &["value line 3: b | B"]),
        ] {
            assert_eq!(masked(&masks, a, b), expected, "{a:?} {b:?}");
        }
        for wrong in ["", "x*", "(", "(?:[a-z]{1000}){1000}"] {
            let error = wrong
                .parse::<crate::compare::Mask>()
                .expect_err(wrong)
                .to_string();
            assert!(
                error.contains("no regular expression that can be used") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn long_lines_that_differ_at_their_ends_are_compared_once() {
        // Some 300 lines of 50 KB, each of its own, none equal: aligned as they are, this takes minutes.
        let text = |word: &str| {
            let lines: Vec<String> = (0..300)
                .map(|line| format!("{}{word}{line}\n", "x".repeat(50_000)))
                .collect();
            lines.concat()
        };
        assert_eq!(diff(&text("a"), &text("b")).len(), 6);
    }

    #[test]
    fn lines_are_aligned() {
        assert_eq!(diff("a\nb\n", "a\nb\n"), [""; 0]);
        assert_eq!(diff("a\nb\nc", "a\nB\nc"), ["value line 2: b | B"]);
        assert_eq!(diff("a\nc", "a\nb\nc"), ["added line 2: (absent) | b"]);
        assert_eq!(diff("a\nb\nc", "a\nc"), ["missing line 2: b | (absent)"]);
        assert_eq!(
            diff("1\n2\n3\n4\n5", "1\nX\n3\n5\n6"),
            [
                "value line 2: 2 | X",
                "missing line 4: 4 | (absent)",
                "added line 5: (absent) | 6"
            ]
        );
        assert_eq!(diff("a", "a\n"), ["added line 2: (absent) | "]);
        assert_eq!(diff("a\r\nb", "a\nb"), ["value line 1: a\\r | a"]);
    }

    #[test]
    fn long_differing_texts_are_not_aligned() {
        let numbered = |word: &str, count: usize| {
            let lines: Vec<String> = (0..count).map(|line| format!("{word} {line}\n")).collect();
            lines.concat()
        };
        assert_eq!(
            diff(&numbered("a", 100_000), &numbered("b", 100_001)),
            [
                "value line 1: a 0 | b 0",
                "length body: 100001 lines | 100002 lines"
            ]
        );
        let many = diff(&numbered("a", 300), &numbered("b", 300));
        assert_eq!(many.len(), 6, "five and the note: {many:?}");
    }
}
