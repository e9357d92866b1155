//! Sends requests to the shadow system and says what it did with each.
//!
//! Owns: the connections to the shadow system. Bounds: [`ReplaySettings`]. Drops: nothing; every request ends as an
//! [`Outcome`](shadow_core::compare::Outcome).

pub mod settings;
pub mod target;

pub use settings::{ReplaySettings, ReplaySettingsError};
pub use target::{Target, TargetError};
