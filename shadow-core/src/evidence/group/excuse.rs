//! Leaves that are excused as noise.

use hashbrown::HashMap;

use crate::{
    compare::Category,
    evidence::{report::Standing, stats::float, verified::Excused},
};

use super::{Groups, Standings};

impl Groups {
    /// The sum of leaves that were excused as noise in all comparisons, by the index of their route.
    pub(crate) fn excused(&self, standings: &Standings) -> HashMap<usize, Excused> {
        let mut routes: HashMap<usize, Excused> = HashMap::new();
        // What the shadow system added is none of production's leaves.
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
                    let leaves = atom.map_or(0.0, |atom| float(atom.leaves));
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
