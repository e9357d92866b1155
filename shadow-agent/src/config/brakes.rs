//! What keeps the replays to one target within bounds, in the notation of the file.

use serde::{Deserialize, Serialize};

use super::units::{Rate, Span};
use crate::replay::BreakerSettings;

/// When a target is left alone, and for how long: [`BreakerSettings`] in the notation of the file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Opens when at least this share of replays failed; 0% never opens.
    pub errors: Rate,
    /// Replays in the window without which nothing is concluded.
    pub minimum: u32,
    /// How far back is looked.
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
