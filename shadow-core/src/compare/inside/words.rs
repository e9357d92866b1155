//! Comparison of prose by word: text between blanks and punctuation.
//!
//! Bias: texts that differ in more than half are unrelated, and differ as a whole.

use similar::{Algorithm, DiffOp};

use super::Texts;
use crate::compare::findings::shorten;

/// Words of one text that are aligned.
const MAX_WORDS: usize = 400;

/// Bytes before a word that are shown with it.
const BEFORE: usize = 100;

/// Compares two texts by word; false when they have too few in common. The text around a word is shown: the meaning of
/// a word depends on those before it, also for redaction.
pub(super) fn compare(texts: &mut Texts<'_, '_>) -> bool {
    let (left, right) = (Words::new(texts.production), Words::new(texts.shadow));
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    let (a, b) = (&left.words, &right.words);
    let longer = a.len().max(b.len());
    if a.len() == b.len() && left.gaps == right.gaps {
        let differ: Vec<usize> = (0..a.len()).filter(|at| a.get(*at) != b.get(*at)).collect();
        if differ.len().saturating_mul(2) > longer || differ.is_empty() {
            return false;
        }
        for at in differ {
            texts.word(at, left.start(at), right.start(at));
        }
        return true;
    }
    let ops = similar::capture_diff_slices(Algorithm::Myers, a, b);
    let equal: usize = ops
        .iter()
        .filter(|op| matches!(op, DiffOp::Equal { .. }))
        .map(|op| op.old_range().len())
        .sum();
    if equal.saturating_mul(2) < longer || equal == longer {
        return false;
    }
    for op in ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
        let (old, new) = (op.old_range().start, op.new_range().start);
        texts.word(old, left.start(old), right.start(new));
    }
    true
}

impl Texts<'_, '_> {
    /// A word that differs, by its number in production's text, and where it begins in both.
    fn word(&mut self, number: usize, production: usize, shadow: usize) {
        self.parts = self.parts.saturating_add(1);
        let part = format!("word {}", number.saturating_add(1));
        if self.without.leave_out(&part) {
            return;
        }
        let (a, b) = (around(self.production, production), around(self.shadow, shadow));
        let place = format!("{} {part}", self.place);
        self.findings.push(self.category, place, a, b);
    }
}

/// A text from some characters before an offset.
pub(super) fn around(text: &str, at: usize) -> String {
    let from = text
        .char_indices()
        .map(|(index, _)| index)
        .find(|index| index.saturating_add(BEFORE) >= at)
        .unwrap_or_default();
    let shown = shorten(text.get(from..).unwrap_or(text).as_bytes());
    if from > 0 { format!("…{shown}") } else { shown }
}

/// A text split into words and separators.
pub(in crate::compare) struct Words<'t> {
    pub(in crate::compare) words: Vec<&'t str>,
    gaps: Vec<&'t str>,
}

impl<'t> Words<'t> {
    /// `None` for a text of one word, or of too many.
    pub(in crate::compare) fn new(text: &'t str) -> Option<Self> {
        let (mut words, mut gaps) = (Vec::new(), Vec::new());
        let (mut at, mut last) = (0usize, 0usize);
        while let Some(found) = text.get(at..)?.find(is_word) {
            let start = at.saturating_add(found);
            let rest = text.get(start..)?;
            let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            at = start.saturating_add(len);
            // Punctuation at the end of a sentence is not part of the word.
            let word = rest.get(..len)?.trim_end_matches(['.', ':', '/', '-']);
            if word.is_empty() {
                continue;
            }
            gaps.push(text.get(last..start)?);
            words.push(word);
            last = start.saturating_add(word.len());
            if words.len() > MAX_WORDS {
                return None;
            }
        }
        gaps.push(text.get(last..)?);
        (words.len() > 1).then_some(Self { words, gaps })
    }

    /// The start of a word; after the last one, the end of the text.
    fn start(&self, number: usize) -> usize {
        let gaps: usize = self
            .gaps
            .iter()
            .take(number.saturating_add(1))
            .map(|gap| gap.len())
            .sum();
        let words: usize = self.words.iter().take(number).map(|word| word.len()).sum();
        gaps.saturating_add(words)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '+' | '/' | '%' | '@' | '~' | '#' | '$')
}

/// Largest label of a text, in characters.
const LABEL: usize = 40;

/// The words that a text begins with, up to the first that may be a value; `None` if there are none.
pub(in crate::compare) fn label(text: &str) -> Option<&str> {
    let start = text.trim_start();
    let mut end = 0usize;
    for word in start.split(' ') {
        let plain = word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ','));
        let named = word.chars().any(char::is_alphabetic) && !is_volatile(word);
        let next = end
            .saturating_add(word.len())
            .saturating_add(usize::from(end > 0));
        if !plain || !named || next > LABEL {
            break;
        }
        end = next;
        // A value follows.
        if word.ends_with([':', ',']) {
            break;
        }
    }
    start.get(..end).filter(|label| !label.is_empty())
}

/// The words that two labels both begin with.
pub(in crate::compare) fn common<'l>(a: &'l str, b: &str) -> &'l str {
    let mut end = 0usize;
    for (x, y) in a.split(' ').zip(b.split(' ')) {
        if x != y {
            break;
        }
        end = end.saturating_add(x.len()).saturating_add(usize::from(end > 0));
    }
    a.get(..end).unwrap_or_default()
}

/// Whether a word looks like one that is new each time: a date, a time, an identifier, a long number.
pub(in crate::compare) fn is_volatile(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let dated = bytes.len() >= 8 && digits >= 4 && bytes.iter().any(|byte| matches!(byte, b':' | b'-'));
    let mixed = bytes.len() >= 16 && digits >= 2;
    digits >= 9 || dated || mixed || (hex && bytes.len() >= 8 && digits > 0)
}
