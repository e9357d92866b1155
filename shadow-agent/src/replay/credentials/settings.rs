//! Settings of a credential that a token replaces.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use shadow_proto::units::Span;

/// A credential that a token replaces where a request carries it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Replace {
    /// The field whose value it is.
    pub header: Option<String>,
    /// The scheme before the token in that field.
    pub scheme: Option<String>,
    /// Or the cookie whose value it is.
    pub cookie: Option<String>,
    /// The file with the token; read again when it changes.
    pub file: Option<PathBuf>,
    /// Or the command that prints it: a path and its arguments, without a shell.
    pub command: Vec<String>,
    /// Variables of the agent's environment that are passed to the command besides `PATH`.
    pub environment: Vec<String>,
    /// How long a token from the command may be used.
    pub ttl: Span,
    /// How long the command may run.
    pub timeout: Span,
}

impl Default for Replace {
    fn default() -> Self {
        Self {
            header: None,
            scheme: None,
            cookie: None,
            file: None,
            command: Vec::new(),
            environment: Vec::new(),
            ttl: Span(Duration::from_mins(5)),
            timeout: Span(Duration::from_secs(5)),
        }
    }
}
