//! The pairs of two documents of HTML or XML.
//!
//! Bias: only what has one value on each side is learned from, such as a hidden input of one name. Rows of a table are
//! compared by their position in documents of the same structure, and nothing is learned from them.

use hashbrown::{HashMap, hash_map::Entry};

use super::{
    super::edit::{Spot, Written},
    Belongs, Matters, Pair, urls,
};

/// Adds the pairs of two documents.
pub(super) fn pairs((production, shadow): (&[Spot], &[Spot]), matters: &Matters<'_>, pairs: &mut Vec<Pair>) {
    let (ours, theirs) = (single(production), single(shadow));
    for (owner, spot) in &ours {
        let other = theirs.get(owner).copied().flatten();
        let (Some(spot), Some(other)) = (spot, other) else {
            continue;
        };
        match (spot.reference(), other.reference()) {
            (Some(a), Some(b)) => urls(a, b, pairs),
            (None, None) if matters(&spot.place, &spot.value) => {
                pairs.push(pair(spot, other, Belongs::Certainly));
            }
            _ => {}
        }
    }
    let same =
        production.len() == shadow.len() && production.iter().zip(shadow).all(|(a, b)| a.owner == b.owner);
    if !same {
        return;
    }
    for (a, b) in production.iter().zip(shadow) {
        let belongs = match (a.reference(), b.reference()) {
            (Some(_), Some(_)) => Belongs::AsReference,
            _ => Belongs::ByPosition,
        };
        pairs.push(pair(a, b, belongs));
    }
}

fn pair(production: &Spot, shadow: &Spot, belongs: Belongs) -> Pair {
    Pair {
        place: shadow.place.clone(),
        production: production.value.clone(),
        shadow: shadow.value.clone(),
        at: Some((shadow.at.clone(), Written::Markup)),
        belongs,
    }
}

/// The owners that have one value, however often.
fn single(spots: &[Spot]) -> HashMap<u64, Option<&Spot>> {
    let mut all = HashMap::new();
    for spot in spots {
        match all.entry(spot.owner) {
            Entry::Vacant(free) => {
                free.insert(Some(spot));
            }
            Entry::Occupied(mut known) => {
                if known.get().is_some_and(|first: &Spot| first.value != spot.value) {
                    known.insert(None);
                }
            }
        }
    }
    all
}
