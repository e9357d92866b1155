//! Learned values in the replay of one exchange: replaced before it is sent, learned and mapped back after its answer.

use std::sync::Arc;

use shadow_core::{
    compare::{Outcome, ShadowResponse},
    gate::SkipPolicy,
    rewrite::{Rewritten, rewrite_knowing},
    values::Mapped,
};
use shadow_proto::exchange::Exchange;

use super::{
    causal::{Begun, Causal, Turn},
    dispatch::{Dispatcher, LARGE, elsewhere},
    pending::Pending,
};
use crate::replay::Shadow;

impl<S: Shadow> Dispatcher<S> {
    /// The next exchange to replay, with its place in the order where there is one.
    pub(super) fn next(&self) -> Option<(Pending, Option<Turn>)> {
        let pending = || Pending::next(&self.lane, self.policy.now.as_ref());
        let Some(causal) = &self.lane.causal else {
            return pending().map(|pending| (pending, None));
        };
        loop {
            causal.settle(|exchange| self.now(exchange));
            if let Some((pending, turn)) = causal.ready() {
                return Some((pending, Some(turn)));
            }
            let pending = pending()?;
            let deadline = pending.deadline(self.lane.live().get().max_wait);
            let now = self.now(pending.exchange());
            match causal.begin(pending, deadline, now) {
                Begun::Free(pending, turn) => return Some((pending, Some(turn))),
                // Its deadline is now the next one.
                Begun::Parked => self.lane.queue.flush(),
                Begun::Full(pending) => pending.skip(SkipPolicy::WaitingForValue),
            }
        }
    }

    /// The request as it is sent, with the shadow system's values.
    pub(super) fn rewritten(&self, exchange: &Exchange, copy: u64) -> Result<Rewritten, SkipPolicy> {
        let causal = self.lane.causal.as_ref().filter(|causal| causal.settings.replace);
        let Some(causal) = causal else {
            return self.rewriting(|policy| rewrite_knowing(exchange, policy, copy, &mut |_, _| None));
        };
        let now = self.now(exchange);
        if causal.values().has_unknown_tag(exchange, now) {
            return Err(SkipPolicy::ValueUnknown);
        }
        let mut known = |name: &[u8], value: &[u8]| causal.values().validator(exchange, name, value, now);
        let mut made = self.rewriting(|policy| rewrite_knowing(exchange, policy, copy, &mut known))?;
        if let Rewritten::Send(request) = &mut made {
            causal.values().substitute(request, now)?;
        }
        Ok(made)
    }

    /// Learns from an answer, ends the exchange's turn, and returns the answer with production's values. Replays that
    /// waited for it are free then.
    pub(super) async fn learned(
        &self,
        exchange: &Arc<Exchange>,
        turn: Option<Turn>,
        outcome: Outcome,
    ) -> (Outcome, Mapped) {
        let (Some(causal), Some(mut turn), Outcome::Response(shadow)) = (&self.lane.causal, turn, &outcome)
        else {
            self.wake();
            return (outcome, Mapped::default());
        };
        let now = self.now(exchange);
        let (causal, exchange) = (Arc::clone(causal), Arc::clone(exchange));
        let is_large = held(&exchange).max(shadow.body.kept.len()) >= LARGE;
        let learn = move |shadow: &ShadowResponse, turn: &mut Turn, causal: &Causal| {
            let introduced = turn.take();
            causal.values().answered(&exchange, &introduced, shadow, now)
        };
        let mut mapped = if is_large {
            let (shadow, causal) = (shadow.clone(), Arc::clone(&causal));
            let long = elsewhere(move || {
                let mapped = learn(&shadow, &mut turn, &causal);
                drop(turn);
                mapped
            });
            long.await.unwrap_or_default()
        } else {
            let mapped = learn(shadow, &mut turn, &causal);
            drop(turn);
            mapped
        };
        self.wake();
        let answer = mapped.answer.take().filter(|_| causal.settings.compare);
        (answer.map_or(outcome, Outcome::Response), mapped)
    }

    /// A further answer to a request with production's values.
    pub(super) fn mapped(&self, exchange: &Exchange, answer: ShadowResponse) -> ShadowResponse {
        let causal = self.lane.causal.as_ref().filter(|causal| causal.settings.compare);
        let now = self.now(exchange);
        causal
            .and_then(|causal| causal.values().map(exchange, &answer, now))
            .unwrap_or(answer)
    }

    /// Skips exchanges that have waited for others too long, or all when nothing may be sent any more.
    pub(super) fn expire(&self) {
        if let Some(causal) = &self.lane.causal {
            causal.expire(self.lane.switch.refusal());
        }
    }

    /// Lets exchanges go that need not wait any more.
    pub(super) fn wake(&self) {
        if self.lane.freed() > 0 {
            self.lane.queue.flush();
        }
    }

    /// Exchanges that wait for others.
    pub(super) fn waiting(&self) -> usize {
        self.lane.causal.as_ref().map_or(0, |causal| causal.waiting())
    }
}

fn held(exchange: &Exchange) -> usize {
    exchange
        .response
        .as_ref()
        .map_or(0, |answer| answer.body.kept.len())
}
