//! The section `noise`: how differences between two answers of one system are found.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::units::{Rate, Span};

/// How differences between two answers of one system are found.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Share of the replayed safe requests that are sent to the shadow system a second time.
    pub twice: Rate,
    /// Production's own answers to identical safe requests are compared when they are at most this far apart; 0s means
    /// never.
    pub recurring: Span,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            twice: Rate::from_percent(5),
            recurring: Span(Duration::from_secs(2)),
        }
    }
}
