//! Comparison of text by line, and of lines by content.
//!
//! Lines that are on both sides exactly once are anchors; a different order of them is a separate discrepancy. Of
//! unequal lines the most similar are paired. A line is named by its leading words, where those are on both sides and
//! unique (`line "user_count"`), else by its number. Masks of the rules leave out parts of lines. Bounds: lines that
//! are aligned ([`ALIGNED`]); of longer differing stretches only the first difference and the number of lines are
//! reported. Bytes to which masks are applied ([`MASKED`]); after them lines are compared unmasked. There is no time
//! limit, because this module has no clock: the bound is on size.
use std::borrow::Cow;

use hashbrown::{DefaultHashBuilder, HashMap};
use similar::{Algorithm, DiffOp};

use super::{
    ABSENT, Category,
    align::{self, Features},
    findings::Findings,
    findings::shorten,
    inside::{self, Texts, words},
    likeness::{features, have_little_in_common},
    scope::Scope,
};

/// Lines of a differing stretch, on each side, up to which they are aligned. The work is at most its square.
const ALIGNED: usize = 400;

/// Lines from which on another text, or a run of lines that only one text has, is one difference and not one for each
/// line.
const MANY: usize = 16;

/// Bytes of one text to which masks are applied.
const MASKED: usize = 1 << 20;

/// The replacement of a masked part. It does not occur in text: content with a null byte is compared by digest.
const MASK: &[u8] = b"\0";

/// Compares two texts.
pub(super) fn compare(scope: &Scope<'_>, production: &[u8], shadow: &[u8], findings: &mut Findings) {
    let (left, right) = (lines(production), lines(shadow));
    let all = (left.len(), right.len());
    if left.len().max(right.len()) >= MANY && have_little_in_common(&left, &right) {
        let [a, b] = [production, shadow].map(|text| {
            if text.is_empty() {
                "(empty)".to_owned()
            } else {
                shorten(text)
            }
        });
        return findings.push(Category::Value, "body", a, b);
    }
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
        scope,
        all: [&left, &right],
        left: rest_left,
        right: rest_right,
        start: start.saturating_add(more),
        findings,
        labels: None,
    };
    let anchors = anchors(known_left, known_right);
    if !anchors.is_sorted_by_key(|(_, at)| *at) {
        let lines = |count: usize| format!("{count} lines");
        stretch
            .findings
            .push(Category::Order, "lines", lines(all.0), lines(all.1));
        let (left, right) = unmatched(known_left, known_right);
        return stretch.paired(&left, &right);
    }
    let mut whole = true;
    let (mut from_left, mut from_right) = (0usize, 0usize);
    for (a, b) in anchors.into_iter().chain([(known_left.len(), known_right.len())]) {
        if stretch.findings.is_full() {
            return;
        }
        whole &= stretch.between((from_left..a, known_left), (from_right..b, known_right));
        (from_left, from_right) = (a.saturating_add(1), b.saturating_add(1));
    }
    if !whole && all.0 != all.1 {
        let lines = |count: usize| format!("{count} lines");
        findings.push(Category::Length, "body", lines(all.0), lines(all.1));
    }
}

/// The positions of items that are in both lists exactly once, in the order of the first.
fn anchors(left: &[usize], right: &[usize]) -> Vec<(usize, usize)> {
    // For each number, its count and its last position.
    let counted = |side: &[usize]| {
        let mut counted: HashMap<usize, (usize, usize)> = HashMap::new();
        for (at, number) in side.iter().enumerate() {
            let (count, last) = counted.entry(*number).or_default();
            *count = count.saturating_add(1);
            *last = at;
        }
        counted
    };
    let (in_left, in_right) = (counted(left), counted(right));
    let once = |counted: &HashMap<usize, (usize, usize)>, number| match counted.get(number) {
        Some((1, at)) => Some(*at),
        _ => None,
    };
    left.iter()
        .filter_map(|number| once(&in_left, number).zip(once(&in_right, number)))
        .collect()
}

/// The positions of items without an equal on the other side; each item matches at most one.
fn unmatched(left: &[usize], right: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut open: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, number) in right.iter().enumerate().rev() {
        open.entry(*number).or_default().push(at);
    }
    let free = left
        .iter()
        .enumerate()
        .filter(|(_, number)| open.get_mut(*number).and_then(Vec::pop).is_none())
        .map(|(at, _)| at)
        .collect();
    let mut others: Vec<usize> = open.into_values().flatten().collect();
    others.sort_unstable();
    (free, others)
}

/// Compares two texts of one line each, at a place that is not a line's.
pub(super) fn line(scope: &Scope<'_>, place: &str, a: &[u8], b: &[u8], findings: &mut Findings) {
    let (mut room_a, mut room_b) = (MASKED, MASKED);
    let (left, right) = (masked(scope, a, &mut room_a), masked(scope, b, &mut room_b));
    if left == right {
        return;
    }
    match (core::str::from_utf8(&left), core::str::from_utf8(&right)) {
        (Ok(x), Ok(y)) if scope.is_parted() => {
            let texts = Texts::new(place, [x, y], Category::Value, findings);
            inside::compare(texts, |text| shorten(if core::ptr::eq(text, x) { a } else { b }));
        }
        _ => findings.push(Category::Value, place, shorten(a), shorten(b)),
    }
}

/// Searches a whole text for matches of the masks.
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

/// The lines without line feeds; a last line with a line feed differs from one without.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').collect()
}

/// A line without its masked parts. `room` is the number of bytes to which masks are still applied.
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

/// A number for each line, the same for equal ones: long lines are compared once, and not at every step of an
/// alignment.
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

/// The length of the common beginning, and the rest of each list without the equal items at both ends.
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
    scope: &'s Scope<'s>,
    /// Every line of both texts.
    all: [&'s [&'s [u8]]; 2],
    left: &'s [&'s [u8]],
    right: &'s [&'s [u8]],
    /// The number of lines before it.
    start: usize,
    findings: &'f mut Findings,
    /// The number of production lines that begin with each label.
    labels: Option<HashMap<String, usize>>,
}

type Range<'k> = (core::ops::Range<usize>, &'k [usize]);

impl Stretch<'_, '_> {
    /// Compares the lines between two anchors; false when they are too many, and only the beginning was compared.
    fn between(&mut self, (left, known_left): Range<'_>, (right, known_right): Range<'_>) -> bool {
        if left.len() > ALIGNED || right.len() > ALIGNED {
            let first = |range: core::ops::Range<usize>| range.take(1).collect::<Vec<_>>();
            self.paired(&first(left), &first(right));
            return false;
        }
        let (a, b) = (known_left.get(left.clone()), known_right.get(right.clone()));
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        for op in similar::capture_diff_slices(Algorithm::Myers, a, b) {
            if !matches!(op, DiffOp::Equal { .. }) {
                let moved = |range: core::ops::Range<usize>, by: usize| -> Vec<usize> {
                    range.map(|at| at.saturating_add(by)).collect()
                };
                self.paired(
                    &moved(op.old_range(), left.start),
                    &moved(op.new_range(), right.start),
                );
            }
        }
        true
    }

    /// Lines without an equal one: the most similar are paired, others in order, and surplus lines are missing or
    /// added.
    fn paired(&mut self, left: &[usize], right: &[usize]) {
        let state = DefaultHashBuilder::default();
        let single = left.len() == 1 && right.len() == 1;
        let features = |side: &[usize], lines: &[&[u8]]| -> Vec<Features> {
            let line = |at: &usize| lines.get(*at).copied().unwrap_or_default();
            side.iter().map(|at| features(line(at), &state)).collect()
        };
        let pairs = if single || left.is_empty() || right.is_empty() {
            Vec::new()
        } else {
            align::alike(&features(left, self.left), &features(right, self.right))
        };
        let (free_left, free_right) = align::unpaired(&pairs, left.len(), right.len());
        let mut both: Vec<(Option<usize>, Option<usize>)> =
            pairs.into_iter().map(|(a, b)| (Some(a), Some(b))).collect();
        let longer = free_left.len().max(free_right.len());
        both.extend((0..longer).map(|at| (free_left.get(at).copied(), free_right.get(at).copied())));
        both.sort_unstable_by_key(|(a, b)| (a.or(*b), a.is_none()));
        if self.run(left, right) {
            return;
        }
        for (a, b) in both {
            if self.findings.is_full() {
                return;
            }
            let of = |side: &[usize], at: Option<usize>| at.and_then(|at| side.get(at).copied());
            self.both(of(left, a), of(right, b));
        }
    }

    /// Reports many lines that only one text has as one difference, at the first of them.
    fn run(&mut self, left: &[usize], right: &[usize]) -> bool {
        let (category, run, lines) = match (left, right) {
            (run, []) => (Category::Missing, run, self.left),
            ([], run) => (Category::Added, run, self.right),
            _ => return false,
        };
        let Some(index) = run.first().copied().filter(|_| run.len() >= MANY) else {
            return false;
        };
        let line = lines.get(index).copied().unwrap_or_default();
        let text = format!("{} lines: {}", run.len(), shorten(line));
        let (a, b, shown) = match category {
            Category::Missing => (Some(line), None, [text, ABSENT.to_owned()]),
            _ => (None, Some(line), [ABSENT.to_owned(), text]),
        };
        let place = self.place(index, a, b);
        let [production, shadow] = shown;
        let leaves = u32::try_from(run.len()).unwrap_or(u32::MAX);
        self.findings
            .push_element(category, place, production, shadow, leaves);
        true
    }

    fn place(&mut self, index: usize, a: Option<&[u8]>, b: Option<&[u8]>) -> String {
        self.label(a, b).unwrap_or_else(|| {
            let number = self.start.saturating_add(index).saturating_add(1);
            format!("line {number}")
        })
    }

    fn both(&mut self, left: Option<usize>, right: Option<usize>) {
        let (a, b) = (
            left.and_then(|at| self.left.get(at).copied()),
            right.and_then(|at| self.right.get(at).copied()),
        );
        // Lines are numbered as in production, added ones as in the shadow system.
        let Some(index) = left.or(right) else { return };
        let place = self.place(index, a, b);
        match (a, b) {
            (Some(a), Some(b)) => line(self.scope, &place, a, b, self.findings),
            (Some(a), None) => self.findings.push(Category::Missing, place, shorten(a), ABSENT),
            (None, Some(b)) => self.findings.push(Category::Added, place, ABSENT, shorten(b)),
            (None, None) => {}
        }
    }

    /// `line "user_count"`, when no other line begins with it.
    fn label(&mut self, a: Option<&[u8]>, b: Option<&[u8]>) -> Option<String> {
        if self.findings.is_hidden() {
            return None;
        }
        let label = match (a.map(label), b.map(label)) {
            (Some(a), Some(b)) => words::common(a?, b?),
            (a, b) => a.or(b)??,
        };
        if label.is_empty() {
            return None;
        }
        let [production, shadow] = self.all;
        let labels = self.labels.get_or_insert_with(|| {
            let mut labels = HashMap::new();
            for lines in [production, shadow] {
                let mut seen = HashMap::new();
                for line in lines {
                    // Every prefix of a label, word by word.
                    let Some(label) = self::label(line) else { continue };
                    let ends = label.match_indices(' ').map(|(at, _)| at).chain([label.len()]);
                    for beginning in ends.filter_map(|end| label.get(..end)) {
                        let count: &mut usize = seen.entry_ref(beginning).or_default();
                        *count = count.saturating_add(1);
                    }
                }
                for (label, count) in seen {
                    let known: &mut usize = labels.entry(label).or_default();
                    *known = count.max(*known);
                }
            }
            labels
        });
        (labels.get(label) == Some(&1)).then(|| format!("line \"{label}\""))
    }
}

fn label(line: &[u8]) -> Option<&str> {
    core::str::from_utf8(line).ok().and_then(words::label)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
