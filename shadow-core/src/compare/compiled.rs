//! All rules of a configuration, compiled once and then only read.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{
    paths::{PathSet, PlacePath},
    rules::{Mask, PlaceRule, Pointer, RuleError, Rules},
    usage::{Counters, RuleId},
};

/// The rules, their automaton and their counters.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) rules: Rules,
    pub(super) top: Lists,
    pub(super) routes: Vec<Entry>,
    /// Every path of every entry; its numbers are indices in `places`.
    pub(super) set: PathSet,
    pub(super) places: Vec<CompiledPlace>,
    pub(super) masks: Vec<Masked>,
    pub(super) counters: Counters,
    compared: AtomicU64,
}

/// An entry of `routes`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: RuleId,
    pub(super) lists: Lists,
}

/// The individually counted rules of one entry or of the top level.
#[derive(Debug)]
pub(super) struct Lists {
    /// Status codes with the same meaning.
    pub(super) same_status: Vec<(RuleId, Vec<u16>)>,
    /// Where an error states its type.
    pub(super) error_type: Vec<(RuleId, Pointer)>,
}

/// A rule for a place.
#[derive(Debug)]
pub(super) struct CompiledPlace {
    pub(super) id: RuleId,
    /// The entry of `routes` that it is in.
    pub(super) route: Option<usize>,
    pub(super) rule: PlaceRule,
}

/// A mask for lines of text.
#[derive(Debug)]
pub(super) struct Masked {
    pub(super) id: RuleId,
    /// As in [`CompiledPlace`].
    pub(super) route: Option<usize>,
    pub(super) mask: Mask,
}

impl Compiled {
    pub(super) fn new(rules: Rules) -> Result<Self, RuleError> {
        rules.validate()?;
        let mut counters = Counters::default();
        let (mut places, mut masks) = (Vec::new(), Vec::new());
        let top = lists("", &rules.same_status, &rules.error_type, &mut counters);
        add_places(None, "", &rules.ignore, &rules.places, &mut counters, &mut places);
        add_masks(None, "", &rules.mask, &mut counters, &mut masks);
        let routes = rules
            .routes
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let id = counters.add(format!("compare.routes[{index}]"), entry.route.as_str());
                let at = format!("routes[{index}].");
                let same_status = entry.same_status.as_deref().unwrap_or_default();
                let error_type = entry.error_type.as_deref().unwrap_or_default();
                let lists = lists(&at, same_status, error_type, &mut counters);
                add_places(
                    Some(index),
                    &at,
                    &entry.ignore,
                    &entry.places,
                    &mut counters,
                    &mut places,
                );
                add_masks(Some(index), &at, &entry.mask, &mut counters, &mut masks);
                Entry { id, lists }
            })
            .collect();
        Ok(Self {
            top,
            routes,
            set: PathSet::of(places.iter().map(|place| place.rule.path.steps())),
            places,
            masks,
            counters,
            compared: AtomicU64::new(0),
            rules,
        })
    }

    /// The number of the next comparison.
    pub(super) fn next(&self) -> u64 {
        self.compared.fetch_add(1, Relaxed)
    }
}

fn lists(at: &str, same_status: &[Vec<u16>], error_type: &[Pointer], counters: &mut Counters) -> Lists {
    let same_status = same_status
        .iter()
        .enumerate()
        .map(|(index, list)| {
            let id = counters.add(format!("compare.{at}same_status[{index}]"), format!("{list:?}"));
            (id, list.clone())
        })
        .collect();
    let error_type = error_type
        .iter()
        .enumerate()
        .map(|(index, pointer)| {
            let id = counters.add(format!("compare.{at}error_type[{index}]"), pointer.as_str());
            (id, pointer.clone())
        })
        .collect();
    Lists {
        same_status,
        error_type,
    }
}

/// `ignore` first, so that an entry of `places` can revoke one.
fn add_places(
    route: Option<usize>,
    at: &str,
    ignore: &[PlacePath],
    rules: &[PlaceRule],
    counters: &mut Counters,
    places: &mut Vec<CompiledPlace>,
) {
    let ignored = ignore.iter().enumerate().map(|(index, path)| {
        (
            format!("compare.{at}ignore[{index}]"),
            PlaceRule::ignoring(path.clone()),
        )
    });
    let asked = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| (format!("compare.{at}places[{index}]"), rule.clone()));
    places.extend(ignored.chain(asked).map(|(key, rule)| CompiledPlace {
        id: counters.add(key, rule.path.as_str()),
        route,
        rule,
    }));
}

fn add_masks(
    route: Option<usize>,
    at: &str,
    rules: &[Mask],
    counters: &mut Counters,
    masks: &mut Vec<Masked>,
) {
    masks.extend(rules.iter().enumerate().map(|(index, mask)| Masked {
        id: counters.add(format!("compare.{at}mask[{index}]"), mask.as_str()),
        route,
        mask: mask.clone(),
    }));
}

/// Shows the rules under which one exchange is compared.
#[cfg(test)]
pub(super) fn scoped<R>(rules: &Rules, look: impl FnOnce(&super::scope::Scope<'_>) -> R) -> R {
    let compiled = Compiled::new(rules.clone()).unwrap_or_else(|error| panic!("{error}"));
    let request = shadow_proto::testing::exchange("GET", "/").request;
    look(&super::scope::Scope::new(&compiled, &request))
}
