//! Everything the engine counts.

use crate::exchange::Incomplete;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What the engine saw and what became of it. Only ever grows.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)+
            /// Incomplete exchanges, by reason, in the order of [`Incomplete::ALL`].
            incomplete: [u64; Incomplete::ALL.len()],
        }

        impl Counters {
            /// Name and value of every counter but the incomplete ones, in a stable order.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }

            /// What another engine counted.
            pub fn add(&mut self, other: &Self) {
                let Self { $($name,)+ incomplete } = other;
                $(self.$name += $name;)+
                for (count, more) in self.incomplete.iter_mut().zip(incomplete) {
                    *count += more;
                }
            }
        }
    };
}

counters! {
    /// Segments given to the engine.
    segments,
    /// Payload bytes in them.
    payload_bytes,
    /// Segments without payload, SYN, FIN or RST: nothing to read.
    empty_segments,
    /// Connections seen from their beginning.
    flows_opened,
    /// Connections first seen in the middle.
    flows_midstream,
    /// Connections that ended by FIN or RST.
    flows_closed,
    /// Connections forgotten after the idle time.
    flows_idle,
    /// Connections given up to stay under the flow or memory limit.
    flows_evicted,
    /// Connections not read any further (protocol, framing, step).
    flows_abandoned,
    /// Segments of connections that are over or abandoned.
    ignored_segments,
    /// Segments with nothing new: retransmissions, keep-alive and window probes.
    duplicate_segments,
    /// Segments that came before bytes in front of them.
    out_of_order_segments,
    /// Copies of bytes that differed from the first copy.
    conflicting_overlaps,
    /// Sequence numbers too far away for any window; the connection starts anew from there.
    out_of_window,
    /// Payload bytes of resets: they say why, and reach no application.
    reset_bytes,
    /// Holes that were declared lost.
    gaps,
    /// Bytes in them.
    gap_bytes,
    /// Times that the pairing count was lost.
    out_of_step,
    /// Request heads.
    requests,
    /// Requests of which only a part of the head was seen.
    requests_lost,
    /// Final response heads.
    responses,
    /// Interim (1xx) responses.
    interim_responses,
    /// Responses without a known request.
    orphans,
    /// Exchanges reported.
    exchanges,
    /// Of these, whole ones.
    exchanges_complete,
    /// Of these, incomplete ones; the reasons add up to this.
    exchanges_incomplete,
}

impl Counters {
    pub(crate) fn count_exchange(&mut self, incomplete: Option<Incomplete>) {
        self.exchanges += 1;
        let Some(reason) = incomplete else {
            self.exchanges_complete += 1;
            return;
        };
        self.exchanges_incomplete += 1;
        if let Some(count) = self.incomplete.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Incomplete exchanges by reason.
    pub fn incomplete(&self) -> impl Iterator<Item = (Incomplete, u64)> {
        Incomplete::ALL.iter().copied().zip(self.incomplete)
    }

    /// `exchanges = complete + incomplete` and `incomplete = sum of its reasons`.
    pub fn check(&self) -> Result<(), String> {
        let by_reason: u64 = self.incomplete.iter().sum();
        if self.exchanges == self.exchanges_complete + self.exchanges_incomplete
            && self.exchanges_incomplete == by_reason
        {
            return Ok(());
        }
        Err(format!("exchanges do not add up: {self:?}"))
    }
}
