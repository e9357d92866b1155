//! Nodes, the API server and agents that are away, and agents and pods that are not where they should be.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    nodes::{Cluster, NODES, captured},
    work::{Traffic, shop},
};
use crate::shell;

const AWHILE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the API server is away.
const OUTAGE: Duration = Duration::from_mins(1);

/// The namespace and the name of another installation of the chart.
const SECOND: &str = "second";

/// Production's pods leave a node, under load.
pub(super) fn drained_node(cluster: &Cluster) -> Result<String> {
    let counted = cluster.during(&shop(), || {
        cluster.wait(AWHILE)?;
        let drain = [
            "drain",
            "node2",
            "--ignore-daemonsets",
            "--pod-selector=app=shop",
            "--timeout=60s",
        ];
        cluster.kubectl(&drain)?;
        cluster.rolled_out("shop", "deploy/shop")?;
        cluster.wait(AWHILE)
    });
    cluster.kubectl(&["uncordon", "node2"])?;
    let counted = counted?;
    let once = counted.each_once()?;
    ensure!(
        cluster.of("shop")?.iter().all(|pod| pod.node == "node1"),
        "pods are left on node2"
    );
    cluster.attached()?;
    let left = cluster.status("node2")?["namespaces"].as_array().map(Vec::len);
    ensure!(left == Some(0), "node2 has {left:?} pods attached");
    // Both nodes again.
    cluster.kubectl(&["-n", "shop", "rollout", "restart", "deploy/shop"])?;
    cluster.rolled_out("shop", "deploy/shop")?;
    cluster.attached()?;
    Ok(format!("{once}; {} failed at clients", counted.failed.len()))
}

/// While nobody reaches the API server all continues as it was, and afterwards new pods are found.
pub(super) fn api_server_away(cluster: &Cluster) -> Result<String> {
    let counted = cluster.during(&shop(), || {
        cluster.wait(AWHILE)?;
        let away = Away::new(cluster)?;
        cluster.wait(OUTAGE)?;
        drop(away);
        cluster.wait(AWHILE)
    })?;
    let once = counted.each_once()?;
    let ready = || Ok(cluster.kubectl(&["get", "nodes"])?.matches(" Ready").count() == NODES.len());
    cluster.until("the nodes are ready again", PATIENCE, ready)?;
    cluster.kubectl(&["-n", "shop", "scale", "deploy/shop", "--replicas=4"])?;
    cluster.rolled_out("shop", "deploy/shop")?;
    let took = cluster.attached()?;
    cluster.kubectl(&["-n", "shop", "scale", "deploy/shop", "--replicas=3"])?;
    cluster.rolled_out("shop", "deploy/shop")?;
    cluster.attached()?;
    Ok(format!(
        "away for {OUTAGE:?}: {once}; a new pod attached {took:.1?} after it was ready"
    ))
}

/// Connections to the API server are reset, until this is dropped.
struct Away<'c>(&'c Cluster);

impl<'c> Away<'c> {
    fn new(cluster: &'c Cluster) -> Result<Self> {
        rule(cluster, "-I")?;
        Ok(Self(cluster))
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        if let Err(error) = rule(self.0, "-D") {
            println!("{error:#}");
        }
    }
}

fn rule(cluster: &Cluster, verb: &str) -> Result<()> {
    let words = [
        verb,
        "INPUT",
        "-p",
        "tcp",
        "--dport",
        "26443",
        "-j",
        "REJECT",
        "--reject-with",
        "tcp-reset",
    ];
    captured(cluster.command(1, "iptables").args(words)).map(drop)
}

/// A pod with the network of its node is named, and not mirrored.
pub(super) fn host_network(cluster: &Cluster) -> Result<String> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "of-the-node", "namespace": "shop", "labels": {"app": "shop"}},
        "spec": {
            "nodeName": "node1",
            "hostNetwork": true,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "shop", "image": "localhost/shadow-app:1", "imagePullPolicy": "Never",
                "command": ["/shadow-cluster-app", "serve", "shop"],
                "ports": [{"containerPort": 8080, "name": "http"}]}],
        },
    });
    cluster.apply(&pod)?;
    let result = named_and_left(cluster);
    cluster.kubectl(&["-n", "shop", "delete", "pod", "of-the-node"])?;
    cluster.attached()?;
    result
}

fn named_and_left(cluster: &Cluster) -> Result<String> {
    cluster.kubectl(&[
        "-n",
        "shop",
        "wait",
        "--for=condition=Ready",
        "pod/of-the-node",
        "--timeout=60s",
    ])?;
    let state = || -> Result<Value> {
        let status = cluster.status("node1")?;
        let mut all = status["namespaces"].as_array().into_iter().flatten();
        let of = all.find(|one| one["name"] == "shop/of-the-node");
        Ok(of.context("the pod is not in the status")?.clone())
    };
    cluster.until("the pod is in the status", PATIENCE, || {
        Ok(state()?["text"]
            .as_str()
            .is_some_and(|text| text.contains("network of the node")))
    })?;
    let requests = cluster.not_replayed(&Traffic::to("10.77.0.1:8080"), AWHILE)?;
    Ok(format!("{requests} requests, 0 replays: {}", state()?["text"]))
}

/// Agents of another installation are refused in pods that have one, and each request is replayed once.
pub(super) fn second_agent(cluster: &Cluster) -> Result<String> {
    let chart = shell::root().join("deploy/helm/shadow");
    let values = shell::root().join("xtask/cluster/values.yaml");
    let mut helm = cluster.command(1, "helm");
    helm.args(["upgrade", "--install", SECOND]).arg(chart);
    helm.args(["--namespace", SECOND, "--create-namespace", "--values"])
        .arg(values);
    helm.args(["--set", "stateHostPath=/var/lib/shadow/second,metrics.port=9465"]);
    captured(&mut helm)?;
    let result = refused(cluster);
    captured(
        cluster
            .command(1, "helm")
            .args(["uninstall", SECOND, "--namespace", SECOND]),
    )?;
    cluster.kubectl(&["delete", "namespace", SECOND, "--wait=false"])?;
    result
}

fn refused(cluster: &Cluster) -> Result<String> {
    cluster.rolled_out(SECOND, "ds/second")?;
    let wanted = cluster.of("shop")?.len();
    let texts = || -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for pod in cluster.pods(SECOND)? {
            let words = [
                "-n", SECOND, "exec", &pod.name, "-c", "shadow", "--", "/shadow", "status", "--json",
            ];
            let status: Value = serde_json::from_str(&cluster.kubectl(&words)?)?;
            for one in status["namespaces"].as_array().into_iter().flatten() {
                texts.push(one["text"].as_str().unwrap_or("attached").to_owned());
            }
        }
        Ok(texts)
    };
    let all_refused = |texts: &[String]| {
        texts.len() == wanted
            && texts
                .iter()
                .all(|text| text.contains("another agent is attached"))
    };
    let refused = cluster.until("the second agents are refused", PATIENCE, || {
        Ok(all_refused(&texts()?))
    });
    refused.with_context(|| format!("{:?}", texts()))?;
    let once = cluster.for_time(&shop(), AWHILE)?.each_once()?;
    Ok(format!("refused in {wanted} pods; {once}"))
}
