//! Why a command to the running agent was not carried out.

/// The error of a command. Both texts say what holds now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// It contradicts the state or the configuration of the agent, or cannot be understood. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// It was attempted, and something that it needs did not work: the kernel's map, a file, the pipeline.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// The refusal for this reason.
    #[expect(clippy::needless_pass_by_value, reason = "errors are given away by map_err")]
    pub fn refused(why: impl ToString) -> Self {
        Self::Refused(why.to_string())
    }

    /// The failure with this cause.
    #[expect(clippy::needless_pass_by_value, reason = "errors are given away by map_err")]
    pub fn failed(why: impl ToString) -> Self {
        Self::Failed(why.to_string())
    }

    /// The same error with `before` in front of its text.
    #[must_use]
    pub fn context(self, before: &str) -> Self {
        match self {
            Self::Refused(why) => Self::Refused(format!("{before}: {why}")),
            Self::Failed(why) => Self::Failed(format!("{before}: {why}")),
        }
    }
}
