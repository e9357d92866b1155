//! `capture.kubernetes`: which pods of the node are mirrored.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::units::Rate;

use super::problem::Problem;

/// The pods of a node that are mirrored, from inside their network namespaces.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kubernetes {
    /// Their namespace.
    pub namespace: String,
    /// A label selector.
    pub selector: Option<String>,
    /// A service, in place of its selector.
    pub service: Option<String>,
    /// Their ports; empty for those that the pods declare.
    pub ports: Vec<u16>,
    /// The name of their port.
    pub port_name: Option<String>,
    /// The container that declares the ports; null for every one.
    pub container: Option<String>,
    /// The socket on which `shadow discover` tells the agent of pods.
    pub socket: PathBuf,
    /// The group that may use it.
    pub group: Option<String>,
    /// The ConfigMap that stops every node while it has the key `kill`, as NAMESPACE/NAME.
    pub kill_switch: Option<String>,
    /// Objects of the kind `ShadowTest` say what is mirrored, in place of the keys above and of `shadow.url`.
    pub tests: Option<Tests>,
    /// The test of this process; pods of another one are not mirrored.
    #[serde(skip)]
    pub test: Option<String>,
}

/// The policy for tests, which tenants write.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tests {
    /// The namespaces whose tests count; empty for every one.
    pub namespaces: Vec<String>,
    /// The largest sample that a test may ask for.
    pub most_sample: Rate,
    /// Whether a test may have writes replayed.
    pub writes: bool,
}

impl Default for Tests {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            most_sample: Rate::FULL,
            writes: false,
        }
    }
}

impl Tests {
    /// Whether tests of a namespace count.
    pub fn allows(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|one| one == namespace)
    }
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            selector: None,
            service: None,
            ports: Vec::new(),
            port_name: None,
            container: None,
            socket: PathBuf::from("/run/shadow/discover.sock"),
            group: None,
            kill_switch: None,
            tests: None,
            test: None,
        }
    }
}

impl Kubernetes {
    /// Namespace and name of the ConfigMap that is the kill switch.
    pub fn kill_switch(&self) -> Option<(&str, &str)> {
        self.kill_switch.as_ref()?.split_once('/')
    }

    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        let mut problem = |at: &str, what: &str, fix: &str| {
            found.push(Problem {
                at: format!("capture.kubernetes.{at}"),
                what: what.to_owned(),
                fix: fix.to_owned(),
            });
        };
        match (&self.selector, &self.service) {
            (None, None) if self.tests.is_some() => {}
            (Some(_), _) | (_, Some(_)) if self.tests.is_some() => problem(
                "tests",
                "choose the pods, besides selector or service",
                "leave one of them out",
            ),
            (None, None) => problem(
                "selector",
                "no pods are chosen",
                "give a label selector such as app=shop, or a service",
            ),
            (Some(_), Some(_)) => problem(
                "selector and capture.kubernetes.service",
                "both choose the pods",
                "leave one of them out",
            ),
            (Some(_), None) | (None, Some(_)) => {}
        }
        if self.namespace.is_empty() {
            problem("namespace", "is empty", "name the namespace of the pods");
        }
        let parts = self
            .kill_switch
            .as_ref()
            .map(|text| text.split('/').collect::<Vec<_>>());
        if parts.is_some_and(|parts| parts.len() != 2 || parts.iter().any(|part| part.is_empty())) {
            problem(
                "kill_switch",
                "is not the namespace and the name of a ConfigMap",
                "write it as shadow/shadow-switch",
            );
        }
        if self.ports.contains(&0) {
            problem(
                "ports",
                "0 is no port",
                "name the ports on which the containers listen",
            );
        }
        if !self.ports.is_empty() && self.port_name.is_some() {
            problem(
                "ports and capture.kubernetes.port_name",
                "both choose the ports",
                "leave one of them out",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_choose_pods_and_ports_is_refused() {
        let refused = |change: fn(&mut Kubernetes)| {
            let mut config = Kubernetes {
                selector: Some("app=shop".to_owned()),
                ..Kubernetes::default()
            };
            change(&mut config);
            let mut found = Vec::new();
            config.problems(&mut found);
            found.into_iter().map(|problem| problem.at).collect::<Vec<_>>()
        };
        assert!(refused(|_| ()).is_empty());
        assert_eq!(refused(|c| c.selector = None), ["capture.kubernetes.selector"]);
        assert_eq!(refused(|c| c.service = Some("shop".to_owned())).len(), 1);
        assert_eq!(refused(|c| c.namespace.clear()), ["capture.kubernetes.namespace"]);
        assert_eq!(refused(|c| c.ports = vec![0]), ["capture.kubernetes.ports"]);
        for wrong in ["shadow", "/x", "x/", "a/b/c"] {
            let mut config = Kubernetes {
                selector: Some("app=shop".to_owned()),
                kill_switch: Some(wrong.to_owned()),
                ..Kubernetes::default()
            };
            let mut found = Vec::new();
            config.problems(&mut found);
            assert_eq!(found.len(), 1, "{wrong}");
            config.kill_switch = Some("shadow/switch".to_owned());
            assert_eq!(config.kill_switch(), Some(("shadow", "switch")));
        }
        assert_eq!(
            refused(|c| {
                c.ports = vec![80];
                c.port_name = Some("http".to_owned());
            })
            .len(),
            1
        );
    }
}
