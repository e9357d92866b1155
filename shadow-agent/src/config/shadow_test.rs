//! The object `ShadowTest` of Kubernetes: its specification, and the configuration of the agent that follows from it.
//!
//! A tenant writes it, so it has no key that names a file, a command or an address of the node. Bias: a test that
//! cannot work, or that may not do what it asks for, is refused as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_core::{compare::Rules, evidence::GateConfig};
use shadow_proto::units::Rate;

use super::{
    Config,
    kubernetes::{Kubernetes, Tests},
    place::{ShadowUrl, is_of_the_node},
    rollout::Phase,
    writes::Writes,
};

/// The specification of a test: the keys of `spec`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct TestSpec {
    /// A label selector of production's pods, such as `app=shop,tier in (web)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// A Service whose selector is taken instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The ports on which the pods listen; without them those that the pods declare.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// The name of their port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_name: Option<String>,
    /// The container that declares the ports; without it every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The shadow system.
    pub shadow: ShadowSystem,
    /// The share of connections that are mirrored, such as `5%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Rate>,
    /// The treatment of requests whose method is not safe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<Writes>,
    /// The rules of comparison: the section `compare` of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// The phases of a rollout, which each node begins by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// The conditions for a cut-over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateConfig>,
    /// Nothing is mirrored while this is true.
    pub suspend: bool,
}

/// The shadow system: a URL, or a Service in the namespace of the test.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShadowSystem {
    /// Its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<ShadowUrl>,
    /// The name of its Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The port of this Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl TestSpec {
    /// Reads it; the error is for the tenant.
    pub fn read(spec: &serde_json::Value) -> Result<Self, String> {
        Self::deserialize(spec).map_err(|error| format!("spec: {error}"))
    }

    /// The pods that it chooses.
    pub fn pods(&self, namespace: &str, base: &Kubernetes) -> Kubernetes {
        Kubernetes {
            namespace: namespace.to_owned(),
            selector: self.selector.clone(),
            service: self.service.clone(),
            ports: self.ports.clone(),
            port_name: self.port_name.clone(),
            container: self.container.clone(),
            tests: None,
            ..base.clone()
        }
    }

    /// Why it cannot work; `base` is the configuration that it is applied to.
    pub fn problem(&self, namespace: &str, base: &Config) -> Option<String> {
        match (&self.shadow.url, &self.shadow.service, self.shadow.port) {
            (None, None, _) => return Some("spec.shadow: give a url, or a service and its port".to_owned()),
            (Some(_), Some(_), _) | (Some(_), None, Some(_)) => {
                return Some(
                    "spec.shadow: url and service exclude each other, and port belongs to service".to_owned(),
                );
            }
            (None, Some(_), None | Some(0)) => {
                return Some("spec.shadow.port: name the port of the service".to_owned());
            }
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
        }
        let host = self.shadow.url.as_ref().map(ShadowUrl::host);
        if host.is_some_and(|host| host == "localhost" || host.parse().is_ok_and(is_of_the_node)) {
            return Some("spec.shadow.url: it is the node itself, where no test may send".to_owned());
        }
        if self.sample.is_some() && !self.phases.is_empty() {
            return Some("spec.sample and spec.phases both set the sample: leave one of them out".to_owned());
        }
        let descriptors = self.rules.as_ref().map(|rules| &rules.proto_descriptors);
        if descriptors.is_some_and(Option::is_some) {
            return Some("spec.rules.proto_descriptors: a test cannot name a file of the node".to_owned());
        }
        if self.service.is_some() && self.service == self.shadow.service {
            return Some("spec.shadow.service: it is production's".to_owned());
        }
        let mut found = Vec::new();
        let pods = self.pods(namespace, base.capture.kubernetes.as_ref()?);
        pods.problems(&mut found);
        let mut config = base.clone();
        self.apply(&mut config, PLACEHOLDER.parse().ok());
        if let Some(kubernetes) = &mut config.capture.kubernetes {
            kubernetes.test = Some(String::new());
        }
        found.extend(config.problems());
        let first = found.into_iter().next()?;
        let said = first.to_string().replace("capture.kubernetes.", "spec.");
        Some(said.replace("port_name", "portName"))
    }

    /// Why the policy of the cluster does not allow it.
    pub fn forbidden(&self, policy: &Tests) -> Option<String> {
        let most = policy.most_sample.fraction();
        let asked = self.sample.into_iter();
        let largest = asked
            .chain(self.phases.iter().map(|phase| phase.sample))
            .map(Rate::fraction)
            .fold(0.0, f64::max);
        if largest > most {
            return Some(format!(
                "its sample is above {}, which the cluster allows at most",
                policy.most_sample
            ));
        }
        let sends = self.writes.as_ref().is_some_and(Writes::sends);
        (sends && !policy.writes).then(|| "the cluster does not allow writes to be replayed".to_owned())
    }

    fn apply(&self, config: &mut Config, url: Option<ShadowUrl>) {
        let Self {
            selector: _,
            service: _,
            ports: _,
            port_name: _,
            container: _,
            shadow: _,
            sample,
            writes,
            rules,
            phases,
            gates,
            suspend: _,
        } = self;
        config.shadow.url = url;
        config.shadow.observe = false;
        if let Some(policy) = config
            .capture
            .kubernetes
            .as_ref()
            .and_then(|one| one.tests.as_ref())
        {
            let most = policy.most_sample.fraction();
            config.capture.sample = Rate::from_fraction(config.capture.sample.fraction().min(most));
        }
        // Until the rollout begins, no more than its first phase.
        let first = phases.first().map(|phase| phase.sample);
        config.capture.sample = sample.or(first).unwrap_or(config.capture.sample);
        if let Some(writes) = writes {
            config.shadow.writes = writes.clone();
        }
        if let Some(rules) = rules {
            config.compare = Rules {
                proto_descriptors: config.compare.proto_descriptors.take(),
                ..rules.clone()
            };
        }
        if !phases.is_empty() {
            config.rollout.phases.clone_from(phases);
        }
        if let Some(gates) = gates {
            config.gates = gates.clone();
        }
    }
}

/// The address of a Service is known later; the rest can be checked without it.
const PLACEHOLDER: &str = "http://192.0.2.1";

/// The test in force, as discovery tells it to the agent's container. It is never a whole configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestOrder {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// The UID of the object.
    pub uid: String,
    /// Where the shadow system is.
    pub url: ShadowUrl,
    /// Its specification.
    pub spec: TestSpec,
}

impl TestOrder {
    /// The identity of an agent: another object, or another shadow system, needs another agent.
    pub fn id(&self) -> String {
        format!("{} {}", self.uid, self.url)
    }
}

impl Config {
    /// The policy for tests, where the agent takes what it mirrors from them.
    pub fn tests(&self) -> Option<&Tests> {
        self.capture.kubernetes.as_ref()?.tests.as_ref()
    }

    /// Whether a tenant of the cluster has named the shadow system.
    pub fn is_of_tenant(&self) -> bool {
        let test = self.capture.kubernetes.as_ref().and_then(|one| one.test.as_ref());
        test.is_some_and(|id| !id.is_empty())
    }

    /// Whether a test is still to be applied.
    pub(super) fn awaits_test(&self) -> bool {
        let kubernetes = self.capture.kubernetes.as_ref();
        kubernetes.is_some_and(|one| one.tests.is_some() && one.test.is_none())
    }

    /// The configuration for this test; without one the agent observes, and no pod is named to it.
    pub fn apply_test(&mut self, order: Option<&TestOrder>) {
        if let Some(order) = order {
            order.spec.apply(self, Some(order.url.clone()));
        } else {
            self.shadow.url = None;
            self.shadow.observe = true;
            self.shadow.writes = Writes::default();
        }
        if let Some(kubernetes) = &mut self.capture.kubernetes {
            kubernetes.test = Some(order.map(TestOrder::id).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    fn base() -> Config {
        let text =
            "capture: {sample: 50%, kubernetes: {tests: {most_sample: 20%}}}\ncompare: {ignore: [$.id]}\n";
        let config = Config::parse(Path::new("x"), text).expect("parses");
        assert_eq!(config.problems(), []);
        config
    }

    fn problem(spec: &Value) -> Option<String> {
        match TestSpec::read(spec) {
            Ok(read) => read.problem("shop", &base()),
            Err(error) => Some(error),
        }
    }

    #[test]
    fn a_test_that_cannot_work_is_refused_with_its_key() {
        let shadow = json!({"url": "http://10.0.0.9:80"});
        assert_eq!(problem(&json!({"selector": "app=shop", "shadow": shadow})), None);
        let of_service = json!({"service": "next", "port": 80});
        assert_eq!(problem(&json!({"service": "shop", "shadow": of_service})), None);
        let itself = problem(&json!({"service": "next", "shadow": of_service}));
        assert!(itself.expect("refused").contains("production's"));
        for (spec, part) in [
            (json!({"shadow": shadow}), "spec.selector: no pods are chosen"),
            (
                json!({"selector": "a=b", "service": "x", "shadow": shadow}),
                "spec.selector and spec.service",
            ),
            (json!({"selector": "a=b"}), "spec.shadow: give a url"),
            (
                json!({"selector": "a=b", "shadow": {"service": "x"}}),
                "spec.shadow.port",
            ),
            (
                json!({"selector": "a=b", "shadow": {"url": "ftp://x"}}),
                "is no shadow URL",
            ),
            (
                json!({"selector": "a=b", "shadow": {"url": "http://x", "service": "x"}}),
                "exclude each other",
            ),
            (
                json!({"selector": "a=b", "shadow": shadow, "sampel": "5%"}),
                "unknown field `sampel`",
            ),
            (
                json!({"selector": "a=b", "shadow": shadow, "sample": "5 apples"}),
                "is no rate",
            ),
            (
                json!({"selector": "a=b", "shadow": shadow, "gates": {"match_rate": "100%"}}),
                "gates.match_rate",
            ),
            (
                json!({"selector": "a=b", "shadow": shadow, "rules": {"ignore": ["$["]}}),
                "$[",
            ),
            (
                json!({"selector": "a=b", "shadow": shadow, "rules": {"proto_descriptors": "/etc/shadow"}}),
                "a file",
            ),
            (
                json!({"selector": "a=b", "shadow": shadow, "sample": "1%",
                    "phases": [{"name": "a", "sample": "1%", "min_duration": "1m", "min_compared": 1}]}),
                "both set the sample",
            ),
        ] {
            let said = problem(&spec).unwrap_or_else(|| panic!("accepted: {spec}"));
            assert!(said.contains(part), "{spec}: {said}");
        }
    }

    #[test]
    fn nothing_is_sent_to_the_node_itself() {
        for url in [
            "http://localhost",
            "http://127.8.0.1:81",
            "http://169.254.1.1",
            "http://[::ffff:127.0.0.1]:81",
            "http://[fe80::1]",
            "http://0.0.0.0",
        ] {
            let said = problem(&json!({"selector": "a=b", "shadow": {"url": url}}));
            assert!(said.is_some_and(|said| said.contains("the node itself")), "{url}");
        }
        let other = json!({"selector": "a=b", "shadow": {"url": "http://[fd00::1]:81"}});
        assert_eq!(problem(&other), None);
    }

    #[test]
    fn no_token_of_the_cluster_is_sent_to_a_tenant() {
        let text =
            "capture: {kubernetes: {tests: {}}}\nshadow: {credentials: {replace: [{file: /etc/token}]}}\n";
        let problems = Config::parse(Path::new("x"), text).expect("parses").problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].at, "shadow.credentials");
    }

    #[test]
    fn the_policy_of_the_cluster_limits_sample_and_writes() {
        let policy = base().tests().expect("a policy").clone();
        let forbidden = |spec: Value| TestSpec::read(&spec).expect("a test").forbidden(&policy);
        assert_eq!(forbidden(json!({"sample": "20%"})), None);
        assert!(
            forbidden(json!({"sample": "21%"}))
                .expect("refused")
                .contains("20%")
        );
        let phase = json!({"name": "a", "sample": "30%", "min_duration": "1m", "min_compared": 1});
        assert!(forbidden(json!({"phases": [phase]})).is_some());
        assert!(forbidden(json!({"writes": "replay"})).is_some());
        assert_eq!(forbidden(json!({"writes": "skip"})), None);
        let free = Tests {
            writes: true,
            ..policy.clone()
        };
        let spec = TestSpec::read(&json!({"writes": "replay"})).expect("a test");
        assert_eq!(spec.forbidden(&free), None);
    }

    #[test]
    fn the_agent_has_what_the_test_says_and_the_rest_from_its_file() {
        let order: TestOrder =
            serde_json::from_value(json!({"name": "shop/a", "uid": "u", "url": "http://10.0.0.9:80",
            "spec": {"selector": "app=shop", "gates": {"match_rate": "90%"}}}))
            .expect("an order");
        let mut config = base();
        config.apply_test(Some(&order));
        assert_eq!(config.problems(), []);
        let kubernetes = config.capture.kubernetes.as_ref().expect("a section");
        assert_eq!(kubernetes.test.as_deref(), Some("u http://10.0.0.9:80"));
        assert!(
            (config.capture.sample.fraction() - 0.2).abs() < 1e-9,
            "as the policy limits it"
        );
        assert!((config.gates.match_rate - 0.9).abs() < 1e-9);
        assert_eq!(config.compare, base().compare, "the test has no rules");
        let mut config = base();
        config.apply_test(None);
        assert_eq!(config.problems(), []);
        assert!(config.shadow.observe && config.shadow.url.is_none());
        // As it passes between the two containers.
        let text = serde_json::to_string(&order).expect("JSON");
        assert_eq!(serde_json::from_str::<TestOrder>(&text).expect("an order"), order);
    }
}
