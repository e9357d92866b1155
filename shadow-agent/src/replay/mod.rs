//! Sends requests to the shadow system and says what it did with each.
//!
//! Owns: the connections to the shadow system. Bounds: [`ReplaySettings`]. Drops: nothing; every request ends as an
//! [`Outcome`], or is refused as [`Unsendable`] before anything is sent. Never retries: what the shadow system saw,
//! it saw once.

mod body;
mod case;
mod client;
mod conn;
mod failure;
mod meter;
mod pool;
mod request;
mod response;
pub mod settings;
mod socket;
pub mod target;
mod tcp_info;

#[cfg(test)]
mod tests;

use std::future::Future;

use shadow_core::{compare::Outcome, rewrite::ShadowRequest};

pub use client::{HttpShadow, MarkError, PreparedRequest};
pub use request::Unsendable;
pub use settings::{ReplaySettings, ReplaySettingsError};
pub use target::{Target, TargetError};

/// A shadow system: the real one, or a script in a test.
pub trait Shadow: Send + Sync + 'static {
    /// A request as it will be sent.
    type Prepared: Send;

    /// Refuses what cannot be sent as it was captured, before it counts as replayed.
    fn prepare(&self, request: &ShadowRequest) -> Result<Self::Prepared, Unsendable>;

    /// Sends it, once, and waits for what comes of it. Cancelled when dropped.
    fn answer(&self, request: Self::Prepared) -> impl Future<Output = Outcome> + Send;

    /// Runs as long as replays do.
    fn housekeeping(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}
