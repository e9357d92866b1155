//! Merging of routes that turn out to be one.
//!
//! The tree depends only on which paths occur: a place with too many words has names, whether the words were at one
//! node from the beginning or at several that became one. So merged nodes are merged further where they have too many.

use hashbrown::HashMap;

use super::route::{Below, NAME, Part, REST, RouteId, Routes, is_placeholder};
use crate::route_text::METHODS;

/// Levels of names, each of which ends some path, that show that paths are those of files.
const LEVELS: usize = 3;

impl Routes {
    /// Makes the children of a node parts of one child: its words, or all of them.
    pub(super) fn gather(&mut self, at: u32, below: Below, parts: &mut Vec<Part>) {
        let Some(node) = self.nodes.get_mut(at as usize) else {
            return;
        };
        node.below = below;
        node.literals = 0;
        let flat = below == Below::Rest;
        let gathered = node
            .children
            .extract_if(|key, _| flat || !is_placeholder(key))
            .map(|(_, child)| child);
        let mut gathered: Vec<u32> = gathered.collect();
        gathered.sort_unstable();
        if let Some(into) = self.added(at, if flat { REST } else { NAME }) {
            parts.extend(gathered.into_iter().map(|from| Part { from, into, flat }));
        }
    }

    /// Makes nodes parts of others, with their routes and all that is below them.
    pub(super) fn merge(&mut self, mut parts: Vec<Part>) {
        let mut merged: HashMap<u32, (u32, bool)> = HashMap::new();
        while let Some(Part {
            from,
            mut into,
            mut flat,
        }) = parts.pop()
        {
            while let Some((next, is_flat)) = merged.get(&into) {
                into = *next;
                flat |= *is_flat;
            }
            let Some(node) = self.nodes.get_mut(from as usize).map(core::mem::take) else {
                continue;
            };
            merged.insert(from, (into, flat));
            self.join_routes(&node.routes, into);
            let mut children: Vec<(Box<str>, u32)> = node.children.into_iter().collect();
            children.sort_unstable_by_key(|(_, child)| *child);
            if !flat && node.below.max(self.below(into)) == Below::Rest {
                if self.below(into) != Below::Rest {
                    self.gather(into, Below::Rest, &mut parts);
                }
                let Some(rest) = self.added(into, REST) else {
                    continue;
                };
                (into, flat) = (rest, true);
            }
            if flat {
                parts.extend(children.into_iter().map(|(_, from)| Part { from, into, flat }));
                continue;
            }
            if node.below > self.below(into) {
                self.gather(into, node.below, &mut parts);
            }
            for (key, from) in children {
                if let Some(into) = self.child_of_any(into, &key, &mut parts) {
                    parts.push(Part { from, into, flat });
                }
            }
        }
        let mut free: Vec<u32> = merged.into_keys().collect();
        free.sort_unstable();
        self.free.extend(free);
    }

    fn join_routes(&mut self, routes: &[Option<RouteId>], into: u32) {
        for (number, route) in routes.iter().enumerate() {
            let Some(route) = *route else { continue };
            let node = self.nodes.get(into as usize);
            let known = node.and_then(|node| node.routes.get(number).copied().flatten());
            let target = known.or_else(|| self.added_route(into, number));
            if let Some((slot, target)) = self.into.get_mut(route.index()).zip(target) {
                *slot = target;
                self.live = self.live.saturating_sub(1);
                self.joined.push(route);
            }
        }
    }

    /// Makes paths those of files where names of several levels end paths.
    pub(super) fn find_files(&mut self) {
        loop {
            let mut nodes = (0..self.nodes.len()).filter_map(|at| u32::try_from(at).ok());
            let Some(at) = nodes.find(|at| self.is_folder(*at)) else {
                return;
            };
            let mut parts = Vec::new();
            self.gather(at, Below::Rest, &mut parts);
            self.merge(parts);
        }
    }

    fn is_folder(&self, at: u32) -> bool {
        self.below(at) == Below::Names && (0..=METHODS.len()).any(|method| self.ends_below(at, method))
    }

    /// Whether names of each of the next levels end the path of a request with this method.
    fn ends_below(&self, mut at: u32, method: usize) -> bool {
        for _ in 0..LEVELS {
            let below = self.below(at);
            let key = match below {
                Below::Words => return false,
                Below::Names => NAME,
                Below::Rest => REST,
            };
            let node = self.nodes.get(at as usize);
            let Some(child) = node.and_then(|node| node.children.get(key)).copied() else {
                return false;
            };
            let child_node = self.nodes.get(child as usize);
            let route = child_node.and_then(|node| node.routes.get(method).copied().flatten());
            if route.is_none() || below == Below::Rest {
                return route.is_some();
            }
            at = child;
        }
        true
    }
}
