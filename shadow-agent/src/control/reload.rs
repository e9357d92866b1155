//! What a reload of the configuration did.

use serde::{Deserialize, Serialize};

/// What a reload did: all of `changed`, and nothing when it was refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub changed: Vec<String>,
    /// Keys whose new value waits for a restart.
    pub restart: Vec<String>,
}
