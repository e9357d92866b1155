//! Text by line.
//!
//! Bounds: lines that are aligned ([`ALIGNED`]); between longer differing stretches only the first difference and
//! the number of lines are told. There is no time limit, because this room has no clock: the bound is one of size.

use similar::{Algorithm, DiffOp};

use super::{ABSENT, Category, findings::Findings, findings::shorten};

/// Lines of a differing stretch, on each side, up to which they are aligned. The work is at most its square.
const ALIGNED: usize = 400;

/// Compares two texts.
pub(super) fn compare(production: &[u8], shadow: &[u8], findings: &mut Findings) {
    let (left, right) = (lines(production), lines(shadow));
    let start = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let (rest_left, rest_right) = (
        left.get(start..).unwrap_or_default(),
        right.get(start..).unwrap_or_default(),
    );
    let end = rest_left
        .iter()
        .rev()
        .zip(rest_right.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let inner = |side: &'_ [&'_ [u8]]| side.len().saturating_sub(end);
    let (rest_left, rest_right) = (
        rest_left.get(..inner(rest_left)).unwrap_or_default(),
        rest_right.get(..inner(rest_right)).unwrap_or_default(),
    );
    let mut stretch = Stretch {
        left: rest_left,
        right: rest_right,
        start,
        findings,
    };
    if rest_left.len() > ALIGNED || rest_right.len() > ALIGNED {
        stretch.replaced(0..1.min(rest_left.len()), 0..1.min(rest_right.len()));
        if left.len() != right.len() {
            let lines = |count: usize| format!("{count} lines");
            findings.push(Category::Length, "body", lines(left.len()), lines(right.len()));
        }
        return;
    }
    for op in similar::capture_diff_slices(Algorithm::Myers, rest_left, rest_right) {
        if !matches!(op, DiffOp::Equal { .. }) {
            stretch.replaced(op.old_range(), op.new_range());
        }
    }
}

/// Without the line feeds; a last line with and one without are different.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').collect()
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
    use crate::compare::findings::stated;

    fn diff(a: &str, b: &str) -> Vec<String> {
        let mut findings = Findings::new(5);
        compare(a.as_bytes(), b.as_bytes(), &mut findings);
        stated(findings.finish())
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
