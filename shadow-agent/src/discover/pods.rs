//! Pods and services as the API server describes them, and the set of pods that follows from it. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::Deserialize;

use super::objects::{ApiObject, Metadata, Objects, or_null};
use crate::{capture::namespaces::pods::Pod, config::kubernetes::Kubernetes};

/// A pod, as the API server describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiPod {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

impl ApiObject for ApiPod {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "or_null")]
    containers: Vec<Container>,
    host_network: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    #[serde(deserialize_with = "or_null")]
    ports: Vec<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    name: String,
    #[serde(rename = "containerPort")]
    number: u16,
    protocol: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: String,
}

/// A service: which pods it selects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiService {
    spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    #[serde(deserialize_with = "or_null")]
    selector: BTreeMap<String, String>,
    #[serde(rename = "clusterIP", deserialize_with = "or_null")]
    cluster_ip: String,
}

impl ApiService {
    /// Its selector as the text of a query; `None` without one.
    pub(super) fn selector(&self) -> Option<String> {
        let terms: Vec<String> = self
            .spec
            .selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// Its address; `None` for one that has no address of its own.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.spec.cluster_ip.parse().ok()
    }
}

/// The pods of this node that match.
pub(super) type Pods = Objects<ApiPod>;

impl Pods {
    /// The pods to be mirrored. One that has ended has no network any more; one that is being deleted still serves.
    pub(super) fn wanted(&self, config: &Kubernetes) -> Vec<Pod> {
        let runs = |pod: &&ApiPod| !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        let mut wanted: Vec<Pod> = self
            .all()
            .filter(runs)
            .map(|pod| Pod {
                uid: pod.metadata.uid.clone(),
                name: format!("{}/{}", pod.metadata.namespace, pod.metadata.name),
                host_network: pod.spec.host_network,
                ports: ports(pod, config),
            })
            .collect();
        wanted.sort();
        wanted
    }
}

/// The ports of a pod that are mirrored: those that are given, those with the name, or every TCP port that it declares.
fn ports(pod: &ApiPod, config: &Kubernetes) -> BTreeSet<u16> {
    if !config.ports.is_empty() {
        return config.ports.iter().copied().collect();
    }
    let container = |one: &&Container| config.container.as_ref().is_none_or(|name| *name == one.name);
    let named = |port: &&Port| config.port_name.as_ref().is_none_or(|name| *name == port.name);
    let declared = pod
        .spec
        .containers
        .iter()
        .filter(container)
        .flat_map(|one| &one.ports);
    declared
        .filter(named)
        .filter(|port| matches!(port.protocol.as_str(), "" | "TCP") && port.number != 0)
        .map(|port| port.number)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::discover::objects::Change;

    fn pod(uid: &str, version: &str, phase: &str) -> Value {
        json!({
            "metadata": {"uid": uid, "name": format!("shop-{uid}"), "namespace": "shop", "resourceVersion": version},
            "spec": {"hostNetwork": uid == "h", "containers": [
                {"name": "app", "ports": [
                    {"name": "http", "containerPort": 8080, "protocol": "TCP"},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                ]},
                {"name": "sidecar", "ports": [{"name": "admin", "containerPort": 15000}]},
            ]},
            "status": {"phase": phase},
        })
    }

    fn change(pods: &mut Pods, kind: &str, object: &Value) -> Change {
        let event = serde_json::from_value(json!({"type": kind, "object": object})).expect("an event");
        pods.change(event).expect("a change")
    }

    fn names(pods: &Pods) -> Vec<String> {
        let wanted = pods.wanted(&Kubernetes::default());
        wanted.into_iter().map(|pod| pod.uid).collect()
    }

    #[test]
    fn the_set_follows_the_watch() {
        let mut pods = Pods::default();
        let list = json!({"metadata": {"resourceVersion": "7"}, "items": [pod("a", "5", "Running"), pod("z", "6", "Failed")]});
        pods.list(serde_json::from_value(list).expect("a list"));
        assert_eq!((names(&pods), pods.version()), (vec!["a".to_owned()], "7"));
        assert_eq!(
            change(&mut pods, "ADDED", &pod("b", "8", "Pending")),
            Change::Objects
        );
        assert_eq!(
            change(&mut pods, "ADDED", &pod("h", "9", "Running")),
            Change::Objects
        );
        assert_eq!(names(&pods), ["a", "b", "h"]);
        assert_eq!(
            change(&mut pods, "MODIFIED", &pod("a", "10", "Succeeded")),
            Change::Objects
        );
        assert_eq!(
            change(&mut pods, "DELETED", &pod("b", "11", "Running")),
            Change::Objects
        );
        assert_eq!((names(&pods), pods.version()), (vec!["h".to_owned()], "11"));
        assert!(pods.wanted(&Kubernetes::default())[0].host_network);
        // As an API server sends it.
        let bookmark = json!({"kind": "Pod", "metadata": {"resourceVersion": "20", "creationTimestamp": null},
            "spec": {"containers": null}, "status": {}});
        assert_eq!(change(&mut pods, "BOOKMARK", &bookmark), Change::Version);
        assert_eq!(pods.version(), "20");
        let gone = json!({"code": 410, "message": "too old resource version"});
        let expired = Change::Expired("too old resource version".to_owned());
        assert_eq!(change(&mut pods, "ERROR", &gone), expired);
        assert_eq!(names(&pods), ["h"], "what is known stays");
    }

    #[test]
    fn ports_are_given_or_named_or_declared() {
        let pod: ApiPod = serde_json::from_value(pod("a", "1", "Running")).expect("a pod");
        let with = |ports: &[u16], name: Option<&str>, container: Option<&str>| {
            let config = Kubernetes {
                ports: ports.to_vec(),
                port_name: name.map(str::to_owned),
                container: container.map(str::to_owned),
                ..Kubernetes::default()
            };
            super::ports(&pod, &config).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(with(&[], None, None), [8080, 15000]);
        assert_eq!(with(&[9], None, Some("app")), [9]);
        assert_eq!(with(&[], Some("http"), None), [8080]);
        assert_eq!(with(&[], None, Some("sidecar")), [15000]);
        assert!(with(&[], Some("dns"), None).is_empty(), "not TCP");
        assert!(with(&[], Some("http"), Some("sidecar")).is_empty());
    }

    #[test]
    fn a_service_selects_by_its_labels() {
        let service = json!({"spec": {"selector": {"b": "2", "a": "1"}}});
        let service: ApiService = serde_json::from_value(service).expect("a service");
        assert_eq!(service.selector().as_deref(), Some("a=1,b=2"));
        let bare: ApiService = serde_json::from_value(json!({"spec": {}})).expect("a service");
        assert_eq!(bare.selector(), None, "its endpoints are made by hand");
    }
}
