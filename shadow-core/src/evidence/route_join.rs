//! Counts of a route that becomes part of another one: they add up, because no exchange was of both.

use std::collections::BTreeMap;

use shadow_proto::exchange::Exchange;

use super::{
    group::Standings, grow::grown, ledger::Ledger, route::RouteId, sets::Found, snapshot::LedgerSnapshot,
    window::Open,
};

impl Ledger {
    /// The route of an exchange. If the exchange shows that routes are one, they are joined first.
    pub(super) fn route_of(&mut self, exchange: &Exchange) -> RouteId {
        let route = self.routes.of(exchange);
        let mut joined: BTreeMap<usize, (RouteId, Vec<RouteId>)> = BTreeMap::new();
        for part in self.routes.take_joined() {
            let into = self.routes.resolved(part);
            let (_, parts) = joined.entry(into.index()).or_insert_with(|| (into, Vec::new()));
            parts.push(part);
        }
        for (into, parts) in joined.into_values() {
            let name = self.routes.name(into).to_owned();
            self.groups.join(&parts, (into, &name));
            for part in parts {
                self.join(part, (into, &name));
            }
        }
        route
    }

    fn join(&mut self, part: RouteId, (into, name): (RouteId, &str)) {
        let was = self.routes.names().get(part.index()).cloned().unwrap_or_default();
        if let Some(tally) = self.by_route.get_mut(part.index()).map(core::mem::take) {
            self.route(into).take_over(tally);
        }
        join_at(&mut self.verified, (part, into), |sum, part| {
            *sum = sum.plus(part);
        });
        join_at(&mut self.leaves_from, (part, into), |sum, part| {
            *sum = sum.saturating_add(part);
        });
        join_at(&mut self.windows, (part, into), Open::take_over);
        self.causes.join((part, &was), (into, name), &self.redactor);
    }

    /// Every set of differences with its standing and the route that it is of by now.
    pub(super) fn sets_found(&self, standings: &Standings) -> impl Iterator<Item = Found> {
        let found = self.sets.judged(|atom, after| standings.of(atom, after));
        found.map(|found| Found {
            route: self.routes.resolved(found.route),
            ..found
        })
    }

    /// The counts of a mark by the routes of now.
    pub(super) fn marked(&self, mark: &LedgerSnapshot) -> Vec<(u64, u64)> {
        let mut marked = self.by_now(&mark.routes, |sum, (compared, at_once)| {
            *sum = (sum.0.saturating_add(*compared), sum.1.saturating_add(*at_once));
        });
        marked.resize(self.by_route.len(), (0, 0));
        marked
    }

    /// A table by the route ids of an earlier moment as one by those of now: routes that became part of others belong
    /// to these.
    pub(super) fn by_now<T: Default>(&self, table: &[T], join: impl Fn(&mut T, &T)) -> Vec<T> {
        let mut joined = Vec::with_capacity(table.len());
        for (at, part) in table.iter().enumerate() {
            let into = RouteId::of(at).map_or(at, |route| self.routes.resolved(route).index());
            if let Some(sum) = grown(&mut joined, into) {
                join(sum, part);
            }
        }
        joined
    }
}

/// Joins what two routes have in a table by route id.
fn join_at<T: Default>(table: &mut Vec<T>, (part, into): (RouteId, RouteId), join: impl FnOnce(&mut T, T)) {
    let Some(part) = table.get_mut(part.index()).map(core::mem::take) else {
        return;
    };
    if let Some(into) = grown(table, into.index()) {
        join(into, part);
    }
}

#[cfg(test)]
#[path = "route_join_tests.rs"]
mod tests;
