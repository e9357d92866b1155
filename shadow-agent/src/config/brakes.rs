//! Limits on the replays to one target, in the notation of the file.

use serde::{Deserialize, Serialize};

use crate::replay::BreakerSettings;
use crate::units::{Rate, Span};

/// When replays to a target are suspended, and for how long: [`BreakerSettings`] in the notation of the file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Opens when at least this share of replays failed; 0% never opens.
    pub errors: Rate,
    /// Fewer replays in the window decide nothing.
    pub minimum: u32,
    /// The length of the window.
    pub window: Span,
    /// How long it stays open at first.
    pub open: Span,
    /// Probes that must be answered before it closes.
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        let BreakerSettings {
            errors,
            minimum,
            window,
            open,
            probes,
        } = BreakerSettings::default();
        Self {
            errors: Rate::from_fraction(errors),
            minimum,
            window: Span(window),
            open: Span(open),
            probes,
        }
    }
}

impl From<Breaker> for BreakerSettings {
    fn from(breaker: Breaker) -> Self {
        Self {
            errors: breaker.errors.fraction(),
            minimum: breaker.minimum,
            window: breaker.window.0,
            open: breaker.open.0,
            probes: breaker.probes,
        }
    }
}
