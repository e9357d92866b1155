//! Where counts are from.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The ledger that counted: of one node, one run of the agent and one target.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Origin {
    /// The name of the node.
    pub node: String,
    /// The run of the agent, unique on its node.
    pub run: String,
    /// The name of the target.
    pub target: String,
}

impl Origin {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.node.is_empty() && self.run.is_empty()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, run, target } = self;
        write!(f, "{node} ({run}, target {target})")
    }
}

/// The part of merged evidence that one source gave.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SourceShare {
    /// Where it is from.
    pub origin: Origin,
    /// When it began to count, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: u64,
    /// When its state was taken.
    pub ended_ms: u64,
    /// Its exchanges.
    pub exchanges: u64,
    /// Of these, exchanges with a match or a mismatch.
    pub compared: u64,
    /// Its share of all comparisons; `None` if there are none.
    pub share: Option<f64>,
}
