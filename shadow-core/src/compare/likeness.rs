//! How much two texts have in common, by their words.

use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashMap};

use super::{
    align::Features,
    inside::words::{Words, is_volatile},
};

/// Whether only one of two texts has any, or fewer than one in ten of the words of the one with fewer are in the other:
/// it is another text, and its lines are not versions of those in their place.
pub(super) fn have_little_in_common(left: &[&[u8]], right: &[&[u8]]) -> bool {
    let state = DefaultHashBuilder::default();
    let is_blank = |lines: &[&[u8]]| lines.iter().all(|line| line.trim_ascii().is_empty());
    if is_blank(left) != is_blank(right) {
        return true;
    }
    let words = |lines: &[&[u8]]| {
        let words = lines
            .iter()
            .flat_map(|line| line.split(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii()));
        words
            .filter(|word| !word.is_empty())
            .map(|word| state.hash_one(word))
            .collect::<Vec<u64>>()
    };
    let (left, right) = (words(left), words(right));
    let mut open: HashMap<u64, usize> = HashMap::new();
    for word in &left {
        let count = open.entry(*word).or_default();
        *count = count.saturating_add(1);
    }
    let is_common = |word: &&u64| match open.get_mut(*word) {
        Some(count) if *count > 0 => {
            *count = count.saturating_sub(1);
            true
        }
        _ => false,
    };
    let common = right.iter().filter(is_common).count();
    common.saturating_mul(10) < left.len().min(right.len())
}

/// A number for each word of a text that does not look new each time.
pub(super) fn features(line: &[u8], state: &DefaultHashBuilder) -> Features {
    let Ok(text) = core::str::from_utf8(line) else {
        return Vec::new();
    };
    let words = Words::new(text).map_or_else(|| vec![text], |words| words.words);
    let mut features: Features = words
        .into_iter()
        .filter(|word| !is_volatile(word))
        .map(|word| state.hash_one(word))
        .collect();
    features.sort_unstable();
    features
}
