//! Leaves that are excused as noise.

use hashbrown::HashMap;

use crate::{
    compare::Category,
    evidence::{numbers::float, report::Standing, verified::Excused},
};

use super::{AtomId, Groups, Standings};

impl Groups {
    /// The leaves that each difference covered so far.
    pub(crate) fn leaves(&self) -> Vec<u64> {
        self.atoms.iter().map(|atom| atom.leaves).collect()
    }

    /// Leaves that differences had covered earlier, by the atoms that these are part of by now.
    pub(super) fn leaves_before(&self, before: &[u64]) -> HashMap<AtomId, u64> {
        let mut sums: HashMap<AtomId, u64> = HashMap::new();
        for (at, leaves) in (0..).zip(before).filter(|(_, leaves)| **leaves > 0) {
            let sum = sums.entry(self.resolved(AtomId(at))).or_default();
            *sum = sum.saturating_add(*leaves);
        }
        sums
    }

    /// The sum of leaves that were excused as noise, by the index of their route, without those from `before`.
    pub(crate) fn excused(&self, standings: &Standings, before: &[u64]) -> HashMap<usize, Excused> {
        let before = self.leaves_before(before);
        let mut routes: HashMap<usize, Excused> = HashMap::new();
        // Leaves that the shadow system added are none of production's leaves.
        let kinds = [Category::Value, Category::Type, Category::Missing];
        let groups = self.all.iter().filter(|group| {
            let is_leaf = kinds.iter().any(|kind| kind.as_str() == group.category);
            is_leaf && group.exchanges > 0 && !group.is_failure()
        });
        for group in groups {
            let excused = routes.entry(group.route_id.index()).or_default();
            for (shift, id) in &group.atoms {
                let Some(judged) = standings.get(*id) else {
                    continue;
                };
                if judged.stood.standing == Standing::Noise {
                    let atom = self.atoms.get(id.0 as usize);
                    let before = before.get(id).copied().unwrap_or(0);
                    let leaves = atom.map_or(0.0, |atom| float(atom.leaves.saturating_sub(before)));
                    if shift.has_format() {
                        excused.by_format += leaves;
                    } else {
                        excused.noise += leaves;
                    }
                }
            }
        }
        routes
    }
}
