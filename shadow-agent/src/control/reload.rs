//! Result of a reload of the configuration.

use serde::{Deserialize, Serialize};

/// Result of a reload: all of `changed` applies, or nothing when it was refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub changed: Vec<String>,
    /// Keys whose new value waits for a restart.
    pub restart: Vec<String>,
}
