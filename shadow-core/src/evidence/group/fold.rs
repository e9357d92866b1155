//! Merging of groups whose places turn out to be the same place.

use shadow_proto::time::Timestamp;

use crate::{
    compare::Category,
    evidence::{report, route::RouteId, trend::Slices},
};

use super::{AtomId, Fingerprint, Group, Groups, Place, fingerprint};

impl Groups {
    /// Merges the groups of a route that have the same place by now: one group continues under the common place, the
    /// others become part of it. Their atoms keep their own counts.
    pub(super) fn fold(&mut self, route: RouteId) {
        for at in 0..self.all.len() {
            let Some(group) = self.all.get(at).filter(|group| group.route_id == route) else {
                continue;
            };
            let place = self.pools.known(&group.route, &group.place);
            if place == group.place {
                continue;
            }
            let id = fingerprint(&group.route, &group.category, &place);
            let next = self.places.len();
            let known = *self
                .by_place
                .entry(fingerprint(&group.route, "", &place))
                .or_insert(next);
            if known == next {
                self.places.push(Place::default());
            }
            let into = *self.by_fingerprint.entry(id).or_insert(at);
            if into == at {
                if let Some(group) = self.all.get_mut(at) {
                    group.id = id;
                    group.mirror = mirror(&group.route, &group.category, &place);
                    group.at = known;
                    group.place = place;
                }
            } else if let Some(part) = self.all.get_mut(at).map(Group::take)
                && let Some(group) = self.all.get_mut(into)
            {
                group.take_over(part);
            }
        }
    }
}

impl Group {
    /// Takes the counts of a group that becomes part of another; it is no longer shown from then on.
    fn take(&mut self) -> Part {
        Part {
            exchanges: core::mem::take(&mut self.exchanges),
            after_skipped_write: core::mem::take(&mut self.after_skipped_write),
            discrepancies: core::mem::take(&mut self.discrepancies),
            first: self.first,
            last: self.last,
            slices: core::mem::take(&mut self.slices),
            samples: core::mem::take(&mut self.samples),
        }
    }

    fn take_over(&mut self, part: Part) {
        if part.exchanges == 0 {
            return;
        }
        self.first = if self.exchanges == 0 {
            part.first
        } else {
            self.first.min(part.first)
        };
        self.last = self.last.max(part.last);
        // An exchange may be counted in both groups.
        if part.exchanges > self.exchanges {
            self.exchanges = part.exchanges;
            self.slices = part.slices;
        }
        self.after_skipped_write = self.after_skipped_write.max(part.after_skipped_write);
        self.discrepancies = self.discrepancies.saturating_add(part.discrepancies);
        if self.samples.is_empty() {
            self.samples = part.samples;
        }
    }
}

/// Counts of a group that becomes part of another.
struct Part {
    exchanges: u64,
    after_skipped_write: u64,
    discrepancies: u64,
    first: Timestamp,
    last: Timestamp,
    slices: Slices,
    samples: Vec<(AtomId, report::Sample)>,
}

/// The group of the same difference in the opposite direction.
pub(super) fn mirror(route: &str, category: &str, place: &str) -> Fingerprint {
    let mirrored = if category == Category::Missing.as_str() {
        Category::Added.as_str()
    } else if category == Category::Added.as_str() {
        Category::Missing.as_str()
    } else {
        category
    };
    fingerprint(route, mirrored, place)
}
