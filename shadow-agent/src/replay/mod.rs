//! Sends requests to the shadow system and reports the outcome of each.
//!
//! Owns: the connections to the shadow system. Bounds: [`ReplaySettings`]. Drops: nothing; every request ends as an
//! [`Outcome`], or is refused as [`Unsendable`] before anything is sent. Sends nothing twice by itself but a repeatable
//! request whose reused connection ended without an answer, and a request that the shadow system says it did not
//! process: the caller may, within its limits.

pub(crate) mod breaker;
mod client;
mod conn;
pub mod credentials;
mod deadline;
mod downgrade;
mod h2;
mod meter;
pub(crate) mod pace;
mod pool;
mod request;
pub mod settings;
mod socket;
mod stream;
pub mod target;
mod tcp_info;
mod tls;

#[cfg(test)]
mod tests;

use std::future::Future;

use shadow_core::{
    compare::{Failure, Outcome},
    rewrite::ShadowRequest,
};

use shadow_proto::http1::OddField;

pub use breaker::{BreakerSettings, BreakerState, Change};
pub use client::{HttpShadow, MarkError, PreparedRequest};
pub use request::Unsendable;
pub use settings::{LiveSettings, Protocol, ReplaySettings, ReplaySettingsError};
pub use target::{Target, TargetError};
pub use tls::{TlsError, TlsSettings};

/// Result of one request.
#[derive(Debug)]
pub struct Answer {
    /// The answer, or the failure.
    pub outcome: Outcome,
    /// It failed at the connection, before one byte of a response came.
    pub is_unanswered: bool,
    /// Additional observations.
    pub notes: Notes,
}

/// Observations about an answer: how it was obtained, and its tolerated faults.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The request was sent once more: its reused connection had ended.
    pub reconnected: bool,
    /// The request was sent once more: HTTP/2 said on a reused connection that it had not been processed.
    pub unprocessed: bool,
    /// The first byte came in less than the round trip of the path.
    pub under_path: bool,
    /// Fields that were read although they break a rule.
    pub odd: Vec<OddField>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            is_unanswered: false,
            notes: Notes::default(),
        }
    }
}

impl Answer {
    /// A failure of the connection before a response.
    pub(crate) fn unanswered(failure: Failure) -> Self {
        Self {
            outcome: Outcome::Failed(failure),
            is_unanswered: true,
            notes: Notes::default(),
        }
    }
}

/// A shadow system: the real one, or a script in a test.
pub trait Shadow: Send + Sync + 'static {
    /// A request as it will be sent.
    type Prepared: Send;

    /// Refuses a request that cannot be sent as it was captured, before it counts as replayed.
    fn prepare(&self, request: &ShadowRequest) -> Result<Self::Prepared, Unsendable>;

    /// Sends it, once, and waits for the result. Cancelled when dropped.
    fn answer(&self, request: Self::Prepared) -> impl Future<Output = Answer> + Send;

    /// Runs as long as replays do.
    fn housekeeping(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}
