//! Repeated answers of one system to the same request, and what they show.

use crate::{
    compare::{Discrepancy, Outcome},
    redact::Redactor,
};
use shadow_proto::{exchange::Exchange, time::Timestamp};

use super::{
    background::Background,
    group::{Context, Denominators, Standings, ThirdAnswer, ThirdSystem},
    grow::count,
    ledger::Ledger,
    report::Pairs,
    route::{RouteId, Routes},
};

impl Background {
    /// Its index in arrays by source.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl Ledger {
    /// Records whether two answers of one system to the request of `exchange` differ; `found` is empty if they do not.
    pub fn background(
        &mut self,
        exchange: &Exchange,
        source: Background,
        found: &[Discrepancy],
        now: Timestamp,
    ) {
        let pairs: &mut Pairs = match source {
            Background::Control => &mut self.background.control,
            Background::Recurring => &mut self.background.recurring,
            Background::Twice => &mut self.background.twice,
        };
        count(&mut pairs.compared);
        pairs.differed = pairs.differed.saturating_add(u64::from(!found.is_empty()));
        let route = self.route_of(exchange);
        if let Some(pairs) = self.route(route).pairs.get_mut(source.index()) {
            count(pairs);
        }
        let context = about((&self.routes, &self.redactor), route, exchange, now);
        self.groups.background(context, source, found);
    }

    /// Records two answers of production to the same read, that of `exchange` and one at another time. Where they
    /// differ by noise only, no write between them changed what is read. Call it before [`Ledger::judged`].
    pub fn repeated(&mut self, exchange: &Exchange, other: Timestamp, found: &[Discrepancy]) {
        let route = self.route_of(exchange);
        let whole = self.whole(route);
        if self.groups.is_noise(self.routes.name(route), found, &whole) {
            self.writes.same(exchange, other);
        }
    }

    /// Whether something was written since then that may have changed what `exchange` reads.
    pub fn is_written(&self, exchange: &Exchange, since: Timestamp) -> bool {
        self.writes.is_written(exchange, since)
    }

    /// Records a third answer to the request of `exchange`, whose first two answers differ.
    pub fn third(
        &mut self,
        exchange: &Exchange,
        asked: ThirdSystem,
        thirds: ThirdAnswer<'_>,
        now: Timestamp,
    ) {
        let route = self.route_of(exchange);
        let context = about((&self.routes, &self.redactor), route, exchange, now);
        if self.groups.thirds(context, asked, thirds) {
            count(match asked {
                ThirdSystem::Production => &mut self.background.production_again,
                ThirdSystem::Shadow => &mut self.background.shadow_again,
            });
        }
    }

    /// Records the answers of both systems to the request of `exchange` that came twice: `found` are the differences
    /// between the later answers, `of_each` those between the two answers of production, and of the shadow system.
    pub fn moved(&mut self, exchange: &Exchange, found: &[Discrepancy], of_each: [&[Discrepancy]; 2]) {
        let route = self.route_of(exchange);
        self.groups.moved(self.routes.name(route), found, of_each);
    }

    /// Whether a third answer may help to explain a mismatch. It does not if a skipped write explains the mismatch: the
    /// shadow system will then always answer this way.
    pub fn may_ask_again(&self, exchange: &Exchange, outcome: &Outcome) -> bool {
        !self.writes.explains(exchange, outcome)
    }

    /// Whether one of these differences in the answer is undecided, so that a third answer would help.
    pub fn is_open(&mut self, exchange: &Exchange, found: &[Discrepancy]) -> bool {
        let route = self.route_of(exchange);
        let whole = self.whole(route);
        self.groups.is_open(self.routes.name(route), found, &whole)
    }

    /// Totals that the counts of one route's groups are parts of.
    pub(super) fn whole(&self, route: RouteId) -> Denominators {
        let expected =
            self.expects_pairs && self.routes.name(route).split(' ').next().is_some_and(is_repeated);
        self.by_route
            .get(route.index())
            .map(|tally| tally.whole(expected))
            .unwrap_or_default()
    }

    /// The standing of every difference.
    pub(super) fn standings(&self) -> Standings {
        self.groups.standings(|route| self.whole(route))
    }
}

/// Whether requests with this method are sent twice: it is safe (RFC 9110 section 9.2.1), or the route is not known.
fn is_repeated(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE") || method.starts_with('{')
}

/// Context of a discrepancy that does not belong to a single exchange.
fn about<'c>(
    (routes, redactor): (&'c Routes, &'c Redactor),
    route: RouteId,
    exchange: &'c Exchange,
    now: Timestamp,
) -> Context<'c> {
    Context {
        route_id: route,
        route: routes.name(route),
        target: &exchange.request.target,
        exchange: 0,
        now,
        slice: 0,
        after_write: false,
        redactor,
        answers: None,
    }
}
