//! The ledger's causes: what it counts for them, and what a report says.

use shadow_proto::exchange::Exchange;

use super::{
    causes::{Asking, Known},
    group::{AtomId, Standings},
    ledger::Ledger,
    report::Cause,
    route::RouteId,
    tally::{Judged, Tally},
};
use crate::compare::{Outcome, Verdict};

impl Ledger {
    /// Counts what an exchange says about causes. `atoms`: its differences, sorted and without duplicates.
    pub(super) fn explain(
        &mut self,
        exchange: &Exchange,
        outcome: &Outcome,
        (route, judged): (RouteId, Judged<'_>),
        atoms: &[AtomId],
    ) {
        let asking = Asking {
            route_id: route,
            route: self.routes.name(route),
            request: &exchange.request,
            response: exchange.response.as_ref(),
            shadow: match outcome {
                Outcome::Response(response) => Some(&response.headers),
                Outcome::Failed(_) => None,
            },
            slice: judged.slice,
            redactor: &self.redactor,
        };
        match judged.verdict {
            Verdict::Match => self.causes.matched(asking),
            // A failure of the agent itself is no fault of the shadow system.
            Verdict::ShadowError(failure) if failure.is_ours() => {}
            Verdict::Mismatch(_) | Verdict::ShadowError(_) => {
                self.causes.differed(asking, judged.after_write, atoms);
            }
        }
    }

    /// The causes of all differences that nothing excuses, the most harmful first, and the number of further ones.
    pub fn causes(&self) -> (Vec<Cause>, u64) {
        self.causes_of(&self.standings())
    }

    pub(super) fn causes_of(&self, standings: &Standings) -> (Vec<Cause>, u64) {
        let routes = |route: RouteId| {
            let replayed = self.by_route.get(route.index()).map_or(0, Tally::replayed);
            (self.routes.name(route), replayed)
        };
        self.causes.find(&Known {
            groups: &self.groups,
            standings,
            slicer: &self.slicer,
            routes: &routes,
        })
    }
}
