//! Actions for the caller on an exchange that was just judged.

/// Groups that want the exchange just judged as a sample.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Method and path template. Empty if no group wants it.
    pub route: String,
    /// Ids of all groups it belongs to. Empty if no group wants it.
    pub groups: Vec<String>,
    /// Of these, ids of groups that do not have enough samples yet.
    pub samples: Vec<String>,
    /// Whether the leaves of production's answer are to be counted.
    pub leaves: bool,
}

impl Wanted {
    /// Whether no group wants it, which is the usual case.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}
