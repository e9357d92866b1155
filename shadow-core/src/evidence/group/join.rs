//! Groups of a route that becomes part of another one.

use crate::evidence::route::RouteId;

use super::{
    Groups, fingerprint,
    fold::{Counted, mirror},
};

impl Groups {
    /// Makes the groups of routes groups of another one, whose name is given.
    pub(crate) fn join(&mut self, parts: &[RouteId], (into, name): (RouteId, &str)) {
        let groups = self.all.iter().enumerate();
        let moved: Vec<usize> = groups
            .filter(|(_, group)| parts.contains(&group.route_id))
            .map(|(at, _)| at)
            .collect();
        if moved.is_empty() {
            return;
        }
        // First of all what is data by all of them together: then groups of different routes are merged as such.
        for group in moved.iter().filter_map(|at| self.all.get(*at)) {
            self.pools.inherit(&group.route, name, &group.place);
        }
        // Within a route an exchange may be counted at several places that are one by now.
        for part in parts {
            self.fold_as(*part, Some(name));
        }
        self.fold(into);
        self.folds = self.folds.saturating_add(1);
        for at in moved {
            self.move_group(at, into, name);
        }
    }

    /// Makes a group one of another route: by itself, or as part of the group there.
    fn move_group(&mut self, at: usize, route_id: RouteId, route: &str) {
        let Some(group) = self.all.get(at) else {
            return;
        };
        let (was, from) = (group.id, group.at);
        let id = fingerprint(route, &group.category, &group.place);
        let mirrored = mirror(route, &group.category, &group.place);
        let place = fingerprint(route, "", &group.place);
        self.by_place.remove(&fingerprint(&group.route, "", &group.place));
        let known = *self.by_place.entry(place).or_insert(from);
        self.move_place(from, known, Counted::Apart);
        if self.by_fingerprint.get(&was) == Some(&at) {
            self.by_fingerprint.remove(&was);
        }
        let into = *self.by_fingerprint.entry(id).or_insert(at);
        let Some(group) = self.all.get_mut(at) else {
            return;
        };
        group.route_id = route_id;
        route.clone_into(&mut group.route);
        group.at = known;
        if into == at {
            group.id = id;
            group.mirror = mirrored;
            return;
        }
        let part = group.take();
        self.move_atoms(into, &part.atoms, Counted::Apart);
        if let Some(group) = self.all.get_mut(into) {
            group.take_over(part, Counted::Apart);
        }
    }
}
