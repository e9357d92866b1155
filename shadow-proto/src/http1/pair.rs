//! Pairs responses with requests.
//!
//! Owns: the requests of one connection that wait for their response. Bounds: `Limits::pipeline`. Bias: responses
//! come in the order of the requests (RFC 9112 section 9.3), so pairing is counting, and counting is correct only
//! while nothing was missed. After a gap that may contain a message boundary, or a start in the middle of a
//! connection, the count is unknown: exchanges are [`Incomplete::Midstream`] until [`ROUNDS`] strict rounds have
//! shown that the client waits for each response before its next request. A client that was seen to pipeline is never
//! trusted again, because a hidden outstanding request would shift every later pair by one.

use std::collections::VecDeque;

use crate::exchange::{Exchange, Incomplete, Request};

/// Strict request-response rounds after which the two directions count as synchronised again.
pub(super) const ROUNDS: u8 = 3;

/// Certainty that the next response at the right offset answers this request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// Everything was seen since the connection began, or since it was proved to be synchronised.
    Sure,
    /// When it was sent, the server had seen everything before it and the client had seen everything from the server.
    Strict,
    /// Neither.
    Weak,
}

/// A request that waits for its response, or for the rest of its own body.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The exchange as known so far; boxed, because it is moved only as a whole.
    pub(crate) exchange: Box<Exchange>,
    /// Stream offset after the head.
    pub(crate) head_end: u64,
    /// Bytes of the server's stream that the client had received when it began to send.
    pub(crate) ack: Option<u64>,
    pub(crate) trust: Trust,
    /// Whether its body is still being read.
    pub(crate) reading: bool,
    /// Whether the client still waits for 100 (Continue) before the body.
    pub(crate) expects: bool,
    /// Whether no response is expected any more; it is reported once its body was read.
    pub(crate) given_up: bool,
    pub(crate) fault: Option<Incomplete>,
}

impl Pending {
    /// Whether a response may still come.
    fn is_open(&self) -> bool {
        self.exchange.response.is_none() && !self.given_up
    }

    /// Whether the final response came instead of the 100 (Continue) that the client waits for.
    pub(crate) fn was_answered_unasked(&self) -> bool {
        self.expects && self.exchange.response.is_some()
    }

    /// Whether a server that answers with `status` did not understand an invalid request that has content.
    pub(crate) fn was_refused(&self, status: u16) -> bool {
        let odd = matches!(
            self.fault,
            Some(Incomplete::AmbiguousFraming | Incomplete::Malformed)
        );
        odd && status == 400 && (self.reading || self.exchange.request.body.len > 0)
    }

    /// Whether its response is expected without proof.
    pub(crate) fn is_unsure(&self) -> bool {
        self.trust != Trust::Sure
    }

    fn held(&self) -> usize {
        let Request {
            target,
            headers,
            body,
            trailers,
            ..
        } = &self.exchange.request;
        // The target is in the buffer that the fields share, or separate.
        let request = headers.allocated().max(target.len()) + body.kept.len() + trailers.allocated();
        let response = self.exchange.response.as_ref().map_or(0, |response| {
            response.headers.allocated() + response.body.kept.len() + response.trailers.allocated()
        });
        size_of::<Self>() + size_of::<Exchange>() + request + response
    }

    /// The reason recorded for the exchange, if any.
    pub(crate) fn incomplete(&self) -> Option<Incomplete> {
        let unsure = (self.trust != Trust::Sure).then_some(Incomplete::Midstream);
        let unanswered = self.exchange.response.is_none().then_some(Incomplete::NoResponse);
        self.fault.or(unsure).or(unanswered)
    }
}

/// The request that a response belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// The first pending request.
    Front,
    /// Not known until more of the client's bytes arrive: the server has already acknowledged them.
    Wait,
    /// No request that was seen.
    Nobody(Incomplete),
}

/// The pending requests of one connection.
#[derive(Debug)]
pub(crate) struct Pair {
    pending: VecDeque<Pending>,
    /// `None` while synchronised, otherwise the strict rounds so far.
    rounds: Option<u8>,
    gapped: bool,
    pipelined: bool,
    next_index: u64,
    /// End offset and ack of the last server bytes that were read.
    last_server: Option<(u64, Option<u64>)>,
}

impl Pair {
    /// `in_step` when the connection was seen from its beginning.
    pub(crate) fn new(in_step: bool) -> Self {
        Self {
            pending: VecDeque::new(),
            rounds: if in_step { None } else { Some(0) },
            gapped: false,
            pipelined: false,
            next_index: 0,
            last_server: None,
        }
    }

    pub(crate) fn is_in_step(&self) -> bool {
        self.rounds.is_none()
    }

    /// Whether this connection can never be trusted again.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.pipelined && self.rounds.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Bytes held by requests that wait, and by responses that wait for the rest of their request.
    pub(crate) fn held(&self) -> usize {
        self.pending.iter().map(Pending::held).sum()
    }

    /// Whether no request was ever seen.
    pub(crate) fn is_fresh(&self) -> bool {
        self.next_index == 0
    }

    /// Whether a request whose response would begin at `offset` waits without proof.
    pub(crate) fn expects_unsure_at(&self, offset: u64) -> bool {
        self.pending
            .front()
            .is_some_and(|front| front.trust != Trust::Sure && front.is_open() && front.ack == Some(offset))
    }

    /// Records server bytes that were read: up to `end`, sent when the server had received `ack`.
    pub(crate) fn server_read(&mut self, end: u64, ack: Option<u64>) {
        self.last_server = Some((end, ack));
    }

    /// How far a request that begins at `start` and was sent at `ack` can be trusted.
    pub(crate) fn trust(&mut self, start: u64, ack: Option<u64>) -> Trust {
        // Sent at the same offset of the server's stream as the one before: this client does not wait for responses.
        let before = self
            .pending
            .back()
            .filter(|before| before.exchange.response.is_none());
        self.pipelined |= ack.is_some() && before.is_some_and(|before| before.ack >= ack);
        let Some(rounds) = self.rounds else {
            return Trust::Sure;
        };
        let strict = self.pending.is_empty()
            && ack.is_some()
            && self
                .last_server
                .is_some_and(|(end, seen)| Some(end) == ack && seen == Some(start));
        if !strict {
            self.rounds = Some(0);
            return Trust::Weak;
        }
        if rounds < ROUNDS {
            return Trust::Strict;
        }
        self.rounds = None;
        self.gapped = false;
        Trust::Sure
    }

    /// The number of the next request on this connection.
    pub(crate) fn take_index(&mut self) -> u64 {
        let index = self.next_index;
        self.next_index += 1;
        index
    }

    /// Adds a request.
    pub(crate) fn push(&mut self, pending: Pending) {
        self.pending.push_back(pending);
    }

    pub(crate) fn front(&mut self) -> Option<&mut Pending> {
        self.pending.front_mut()
    }

    pub(crate) fn first(&self) -> Option<&Pending> {
        self.pending.front()
    }

    pub(crate) fn back(&mut self) -> Option<&mut Pending> {
        self.pending.back_mut()
    }

    /// The target of a response that begins at `offset`, sent by a server that had received `ack`, when the requests
    /// up to `client` were read.
    pub(crate) fn target(&self, offset: u64, ack: Option<u64>, client: u64) -> Target {
        let unrequested = if self.is_in_step() {
            Incomplete::Unrequested
        } else {
            Incomplete::Midstream
        };
        let Some(front) = self.pending.front().filter(|front| front.is_open()) else {
            return if ack > Some(client) {
                Target::Wait
            } else {
                Target::Nobody(unrequested)
            };
        };
        // A server may answer before it has read the body, never before it has read the head.
        if ack.is_none_or(|ack| ack < front.head_end) {
            return Target::Nobody(unrequested);
        }
        let answers = match front.trust {
            Trust::Sure => front.ack.is_none_or(|at| at <= offset),
            Trust::Strict => front.ack == Some(offset),
            Trust::Weak => front.ack == Some(offset) && !self.gapped,
        };
        if answers {
            Target::Front
        } else {
            Target::Nobody(unrequested)
        }
    }

    /// Takes the first request when both its messages were read. `end` is the offset after its response.
    pub(crate) fn pop_answered(&mut self, end: Option<u64>) -> Option<Pending> {
        let front = self
            .pending
            .pop_front_if(|front| front.exchange.response.is_some() && !front.reading)?;
        if let (Some(next), Some(end)) = (self.pending.front(), end) {
            self.pipelined |= next.ack < Some(end);
        }
        if let Some(rounds) = &mut self.rounds
            && front.trust == Trust::Strict
            && front.fault.is_none()
        {
            *rounds = rounds.saturating_add(1);
        }
        Some(front)
    }

    /// Marks the number of missed messages as unknown.
    pub(crate) fn lose_step(&mut self) {
        self.rounds = Some(0);
        self.gapped = true;
    }

    /// Handles a response with an unknown end while no other one is expected. All requests are counted, so one strict
    /// round shows the next boundary. `false` when that would not prove it.
    pub(crate) fn doubt(&mut self) -> bool {
        if self.pipelined || !self.pending.is_empty() {
            return false;
        }
        self.rounds = Some(if self.rounds.is_none() { ROUNDS - 1 } else { 0 });
        true
    }

    /// Handles a response without a request, sent by a server that had received `ack`. While the count is unknown it
    /// may answer an unproven request: none of those that the server had received then is waited for any more, and
    /// the proof starts again.
    pub(crate) fn orphaned(&mut self, ack: Option<u64>) -> Vec<Pending> {
        self.rounds = self.rounds.map(|_| 0);
        self.give_up(Incomplete::Midstream, |pending| {
            pending.is_unsure() && ack >= Some(pending.head_end)
        })
    }

    /// Gives up requests that wait for a response and returns those that are ready to be reported.
    pub(crate) fn give_up(&mut self, reason: Incomplete, which: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        let mut ready = Vec::new();
        let mut kept = VecDeque::new();
        for mut pending in self.pending.drain(..) {
            if !which(&pending) {
                kept.push_back(pending);
                continue;
            }
            if pending.exchange.response.is_none() {
                pending.fault.get_or_insert(reason);
                pending.given_up = true;
            }
            if pending.reading {
                kept.push_back(pending);
            } else {
                ready.push(pending);
            }
        }
        self.pending = kept;
        ready
    }

    /// Takes the request whose upgrade was accepted: the only one, whole and without a fault. Its response comes in the
    /// other protocol.
    pub(crate) fn take_upgraded(&mut self) -> Option<Pending> {
        if self.pending.len() != 1 || !self.is_in_step() {
            return None;
        }
        self.pending
            .pop_front_if(|front| !front.reading && front.trust == Trust::Sure && front.fault.is_none())
    }

    /// Takes the request whose response was given up while its body was being read.
    pub(crate) fn pop_given_up(&mut self) -> Option<Pending> {
        self.pending
            .pop_front_if(|front| front.given_up && !front.reading)
    }
}
