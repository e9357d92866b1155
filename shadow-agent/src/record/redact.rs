//! The masking levels of a recording.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::mask::Hide;

/// The data masked in a recording.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// Bodies, query values, and header fields except those about framing, types and caching
    #[default]
    All,
    /// Header fields and query parameters whose names say that they are secret; bodies are kept
    Headers,
    /// Nothing: as tcpdump does
    None,
}

impl Redact {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Headers => "headers",
            Self::None => "none",
        }
    }

    /// The bytes to mask; `None` for none.
    pub(super) const fn hides(self) -> Option<Hide> {
        match self {
            Self::All => Some(Hide::All),
            Self::Headers => Some(Hide::Named),
            Self::None => None,
        }
    }
}
