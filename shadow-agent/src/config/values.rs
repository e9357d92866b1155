//! The section `shadow.values`: values that the shadow system gives in place of production's.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::values::TableLimits;
use shadow_proto::units::{Size, Span};

use super::Shadow;
use crate::pipeline::ValueSettings;

/// Values that the shadow system gives in place of production's: identifiers, tokens, cookies, entity tags.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Values {
    /// Learn which values correspond; null to learn where writes are replayed.
    pub learn: Option<bool>,
    /// Replace production's values in requests.
    pub replace: bool,
    /// Map the shadow system's values back before answers are compared.
    pub compare: bool,
    /// Send requests that depend on each other in the order in which production answered them.
    pub order: bool,
    /// A request that has waited for others for this long is skipped.
    pub wait: Span,
    /// Requests that wait for others at once.
    pub waiting: usize,
    /// Pairs of values that are remembered.
    pub entries: usize,
    /// The bytes those pairs may hold together.
    pub bytes: Size,
    /// A pair that was not used for this long is forgotten.
    pub ttl: Span,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            learn: None,
            replace: true,
            compare: true,
            order: true,
            wait: Span(Duration::from_secs(5)),
            waiting: 1024,
            entries: 1_000_000,
            bytes: Size::bytes(256 << 20),
            ttl: Span(Duration::from_hours(24)),
        }
    }
}

impl Shadow {
    /// How learned values are used; `None` where nothing is learned.
    pub(crate) fn value_settings(&self) -> Option<ValueSettings> {
        let Values {
            learn,
            replace,
            compare,
            order,
            wait,
            waiting,
            entries,
            bytes,
            ttl,
        } = &self.values;
        learn
            .unwrap_or_else(|| self.writes.replays())
            .then(|| ValueSettings {
                limits: TableLimits {
                    entries: *entries,
                    bytes: bytes.as_usize(),
                    ttl: ttl.0,
                },
                replace: *replace,
                compare: *compare,
                order: *order,
                wait: wait.0,
                waiting: *waiting,
            })
    }
}
