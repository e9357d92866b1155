//! Faults in JSON documents. They keep every other byte of the document.

use core::ops::Range;

use crate::compare::{Element, scan_json};

use super::{Changed, Dice, Planted};

/// Decimals that a number of 64 bits may have; with more, adding to it changes none of them.
const MOST_DECIMALS: usize = 17;

/// Whether a content is a JSON document.
pub(super) fn is_document(content: &[u8]) -> bool {
    matches!(content.trim_ascii_start().first(), Some(b'{' | b'[')) && scan_json(content).is_some()
}

/// Plants a fault.
pub(super) fn change(kind: Planted, content: &[u8], dice: &mut Dice) -> Option<Changed> {
    let elements = scan_json(content)?;
    let is_wanted = |element: &&Element| match kind {
        Planted::Value | Planted::Type => element.is_scalar,
        Planted::Near => element.is_scalar && is_plain_number(content, element),
        Planted::Null => content.get(element.value.clone()) != Some(b"null"),
        Planted::Renamed => element.name.is_some(),
        Planted::Lost => !element.whole.is_empty(),
        Planted::Duplicated => element.name.is_none() && !element.whole.is_empty(),
        Planted::Swapped => element.name.is_none() && element.next.is_some(),
        _ => false,
    };
    let found: Vec<&Element> = elements.iter().filter(is_wanted).collect();
    let element = *dice.pick(&found)?;
    let old = content.get(element.value.clone())?;
    let place = element.place.clone();
    let with = |at: Range<usize>, new: &[u8]| {
        let mut text = content.get(..at.start)?.to_vec();
        text.extend_from_slice(new);
        text.extend_from_slice(content.get(at.end..)?);
        Some(Changed {
            text,
            place: place.clone(),
        })
    };
    match kind {
        Planted::Value => with(element.value.clone(), &other_value(old, dice)),
        Planted::Near => with(element.value.clone(), &near(old, dice)?),
        Planted::Null => with(element.value.clone(), b"null"),
        Planted::Type => with(element.value.clone(), &other_type(old)),
        Planted::Renamed => {
            let name = element.name.clone()?;
            let old = content.get(name.clone())?;
            let inner = old.strip_suffix(b"\"")?;
            with(name, &[inner, b"_x\""].concat())
        }
        Planted::Lost => with(element.whole.clone(), b""),
        Planted::Duplicated => {
            let twice = [b",", old].concat();
            with(element.value.end..element.value.end, &twice)
        }
        Planted::Swapped => {
            let next = element.next.clone()?;
            let between = content.get(element.value.end..next.start)?;
            let other = content.get(next.clone())?;
            with(element.value.start..next.end, &[other, between, old].concat())
        }
        _ => None,
    }
}

fn is_plain_number(content: &[u8], element: &Element) -> bool {
    content
        .get(element.value.clone())
        .is_some_and(|text| near(text, &mut Dice(0)).is_some())
}

/// A value of the same kind and shape: digits and letters are replaced, the rest stays.
fn other_value(old: &[u8], dice: &mut Dice) -> Vec<u8> {
    match old {
        b"true" => return b"false".to_vec(),
        b"false" => return b"true".to_vec(),
        b"null" => return b"0".to_vec(),
        b"\"\"" => return b"\"x\"".to_vec(),
        _ => {}
    }
    super::text::other_word(old, dice)
}

/// The number one higher, or 1 % higher.
fn near(old: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(old).ok()?;
    if let Ok(number) = text.parse::<i64>() {
        let one_percent = number.checked_div(100).filter(|part| *part != 0);
        let step = one_percent.filter(|_| dice.next().is_multiple_of(2)).unwrap_or(1);
        return Some(number.checked_add(step)?.to_string().into_bytes());
    }
    if text.contains(['e', 'E', '"']) {
        return None;
    }
    let decimals = text.split_once('.')?.1.len();
    if decimals > MOST_DECIMALS {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let more = number + (number.abs() * 0.01).max(0.1_f64.powi(i32::try_from(decimals).ok()?));
    Some(format!("{more:.decimals$}").into_bytes())
}

fn other_type(old: &[u8]) -> Vec<u8> {
    match old.first() {
        Some(b'"') => b"17".to_vec(),
        Some(b't' | b'f' | b'n') => b"\"text\"".to_vec(),
        _ => [b"\"", old, b"\""].concat(),
    }
}
