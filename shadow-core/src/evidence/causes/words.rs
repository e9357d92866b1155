//! The change of a cause in words.

use hashbrown::HashSet;

use super::{change::leaf, cluster::Member};
use crate::evidence::{group::Unit, report::Harm};

/// Places that are named.
const NAMED: usize = 4;

/// Characters after which no further place is named.
const LONG: usize = 90;

/// `status 200 -> 401`, `missing at $.tier, $.points and 3 more places`, `header vary missing, etag missing`: the first
/// member first, a change on many routes once.
pub(super) fn words(members: &[&Member<'_>]) -> String {
    let Some(lead) = members.first() else {
        return String::new();
    };
    if lead.unit.category == "status" {
        return status(lead, members);
    }
    let mut known = HashSet::new();
    let units: Vec<&Unit<'_>> = members
        .iter()
        .map(|member| &member.unit)
        .filter(|unit| known.insert((unit.category, leaf(unit.place))))
        .collect();
    let mut text = change(&lead.unit);
    let mut named: usize = 1;
    for unit in units.iter().take(NAMED).skip(1) {
        let next = further(unit, &lead.unit);
        if text.chars().count().saturating_add(next.chars().count()) > LONG {
            break;
        }
        text.push_str(", ");
        text.push_str(&next);
        named = named.saturating_add(1);
    }
    match units.len().saturating_sub(named) {
        0 => text,
        1 => format!("{text} and 1 more place"),
        more => format!("{text} and {more} more places"),
    }
}

/// `status 200 or 404 -> 401`.
fn status(lead: &Member<'_>, members: &[&Member<'_>]) -> String {
    let mut production: Vec<String> = members
        .iter()
        .map(|member| member.unit.shift.production.to_string())
        .collect();
    production.sort_unstable();
    production.dedup();
    format!("status {} -> {}", production.join(" or "), lead.unit.shift.shadow)
}

/// The change at one place.
fn change(unit: &Unit<'_>) -> String {
    let (category, place, shift) = (unit.category, unit.place, unit.shift);
    match Harm::of(category) {
        Harm::Failure => format!("no answer: {category}"),
        Harm::Header => match (shift.production.is_absent(), shift.shadow.is_absent()) {
            (false, true) => format!("{place} missing"),
            (true, false) => format!("{place} added"),
            _ => place.to_owned(),
        },
        Harm::Type if category == "type" => format!("type at {place}: {shift}"),
        _ => format!("{category} at {place}"),
    }
}

/// A change after another one, without the words that they have in common.
fn further(unit: &Unit<'_>, lead: &Unit<'_>) -> String {
    if unit.category != lead.category {
        return change(unit);
    }
    if unit.category == "header" {
        let text = change(unit);
        return text.strip_prefix("header ").unwrap_or(&text).to_owned();
    }
    unit.place.to_owned()
}
