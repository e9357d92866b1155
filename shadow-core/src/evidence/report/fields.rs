//! Header fields in the answers of both systems.

use serde::{Deserialize, Serialize};

/// Header fields in the answers of both systems.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fields {
    /// Exchanges with an answer of both systems.
    pub answers: u64,
    /// Those that differ most between the systems first.
    pub fields: Vec<FieldShare>,
    /// Fields with further names, as often as they occurred in an answer.
    pub further: u64,
}

/// In how many answers a header field was.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct FieldShare {
    /// Its name in lower case.
    pub name: String,
    /// Answers of production with it.
    pub production: u64,
    /// Answers of the shadow system with it.
    pub shadow: u64,
}
