//! Rows of a route that becomes part of another one.

use super::{Causes, RouteId, Signature};
use crate::{evidence::grow::grown, redact::Redactor};

impl Causes {
    /// Makes what was counted for a route count for another one, both with their names.
    pub(crate) fn join(
        &mut self,
        (part, was): (RouteId, &str),
        (into, name): (RouteId, &str),
        redactor: &Redactor,
    ) {
        // Segments that the former name contains are open now: each of its exchanges had them.
        let mut segments = Vec::new();
        let path = was.split_once(" /").map_or("", |(_, path)| path);
        self.features.segments(name, path, redactor, &mut segments);
        let matched = self.matched.get_mut(part.index()).map(core::mem::take);
        if let Some((mut row, slot)) = matched.zip(grown(&mut self.matched, into.index())) {
            for segment in &segments {
                row.have_all(*segment, &mut self.room, self.features.lost());
            }
            slot.take_over(row, &mut self.room, self.features.lost());
        }
        let moved: Vec<(Signature, usize)> = self
            .ids
            .extract_if(|signature, _| signature.route == part)
            .collect();
        for (signature, at) in moved {
            let signature = Signature {
                route: into,
                ..signature
            };
            let Some(mut row) = self.differed.get_mut(at).map(core::mem::take) else {
                continue;
            };
            for segment in &segments {
                row.have_all(*segment, &mut self.room, self.features.lost());
            }
            let known = *self.ids.entry(signature).or_insert(at);
            if let Some(slot) = self.differed.get_mut(known) {
                slot.take_over(row, &mut self.room, self.features.lost());
            }
        }
    }
}
