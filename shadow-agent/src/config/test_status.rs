//! The status of a `ShadowTest`: the keys of `status`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status: an entry of each node, and what follows from all of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TestStatus {
    /// Each node with pods of the test. A node writes its own entry only.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["node"]))]
    pub nodes: Vec<NodeStatus>,
    /// `Capturing`, `Degraded` and `Verdict`.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Attached pods, of those that are chosen: `3/3`.
    pub pods: String,
    /// Exchanges with a verdict, of those that were to be compared.
    pub coverage: String,
    /// Exchanges with a verdict.
    pub compared: u64,
}

/// The entry of a node.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["node"]))]
pub struct NodeStatus {
    /// The node.
    pub node: String,
    /// Pods of it that are chosen.
    pub pods: u64,
    /// Pods that the kernel program is attached to.
    pub attached: u64,
    /// Exchanges that were to be compared.
    pub wanted: u64,
    /// Those of them with a verdict.
    pub compared: u64,
    /// The ruling on the evidence of this node.
    pub verdict: String,
    /// The phase of the rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The share of connections that are mirrored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// The fault of this node, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degraded>,
}

/// A fault.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Degraded {
    /// The kind.
    pub reason: DegradedReason,
    /// Details, for people.
    pub message: String,
}

impl Degraded {
    /// With its details.
    pub fn new(reason: DegradedReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// The reasons of the condition `Degraded`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DegradedReason {
    /// The specification cannot work. Nothing is captured.
    Invalid,
    /// The policy of the cluster does not allow it. Nothing is captured.
    NotAllowed,
    /// Another test is older, and an agent runs one at a time. Nothing is captured.
    Conflict,
    /// The Service of the shadow system is not there. Nothing is captured.
    ShadowUnknown,
    /// The agent of a node does not run.
    AgentNotRunning,
    /// Mirroring is stopped on a node, by a person or a rule.
    Killed,
    /// A pod of the test cannot be attached to.
    NotAttached,
    /// The traffic of a pod cannot be read.
    Blind,
    /// The shadow system fails, and gets no requests for a while.
    ShadowFailing,
}

impl DegradedReason {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::NotAllowed => "NotAllowed",
            Self::Conflict => "Conflict",
            Self::ShadowUnknown => "ShadowUnknown",
            Self::AgentNotRunning => "AgentNotRunning",
            Self::Killed => "Killed",
            Self::NotAttached => "NotAttached",
            Self::Blind => "Blind",
            Self::ShadowFailing => "ShadowFailing",
        }
    }
}

/// A condition, as Kubernetes has them.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["type", "status"]))]
pub struct Condition {
    /// `Capturing`, `Degraded` or `Verdict`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// Details, for people.
    pub message: String,
    /// When the status changed last.
    pub last_transition_time: String,
    /// The generation of the specification that it is about.
    pub observed_generation: u64,
}
