//! Objects of the kind `ShadowTest`, by which tenants say what is mirrored.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    kill::{BOUND, last_replay, now_ms},
    nodes::{Cluster, NODES},
    work::{Traffic, shop},
};

const AWHILE: Duration = Duration::from_secs(2);

/// How long it takes until each node has the evidence for a verdict.
const EVIDENCE: Duration = Duration::from_secs(20);

/// How long it may take until something is in the status.
const PATIENCE: Duration = Duration::from_mins(1);

/// The chart's values for these scenarios.
const VALUES: &str = "values-tests.yaml";

/// The shop against its rewrite.
fn of_shop() -> Value {
    json!({
        "service": "shop",
        "portName": "http",
        "shadow": {"service": "shop-next", "port": 8080},
        "sample": "100%",
    })
}

impl Cluster {
    fn apply_test(&self, namespace: &str, name: &str, spec: &Value) -> Result<()> {
        self.apply(&json!({
            "apiVersion": "shadow.dev/v1alpha1",
            "kind": "ShadowTest",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }))
    }

    fn suspend(&self, is: bool) -> Result<()> {
        let patch = format!("{{\"spec\": {{\"suspend\": {is}}}}}");
        let words = [
            "-n",
            "shop",
            "patch",
            "shadowtest",
            "next",
            "--type",
            "merge",
            "-p",
            &patch,
        ];
        self.kubectl(&words).map(drop)
    }

    fn delete(&self, namespace: &str, name: &str) -> Result<()> {
        let words = [
            "-n",
            namespace,
            "delete",
            "shadowtest",
            name,
            "--ignore-not-found",
            "--wait=false",
        ];
        self.kubectl(&words).map(drop)
    }

    /// Status and reason of a condition: `True Attached`.
    fn condition(&self, namespace: &str, name: &str, kind: &str) -> Result<String> {
        let test = self.json(&["-n", namespace, "get", "shadowtest", name])?;
        let mut all = test["status"]["conditions"].as_array().into_iter().flatten();
        let found = all.find(|one| one["type"] == kind).context("no such condition")?;
        let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        Ok(format!("{} {}", word("status"), word("reason")))
    }

    fn becomes(&self, test: [&str; 2], kind: &str, wanted: &str) -> Result<Duration> {
        let what = format!("{kind} of {} is {wanted}", test.join("/"));
        let result = self.until(&what, PATIENCE, || {
            Ok(self.condition(test[0], test[1], kind)? == wanted)
        });
        result.with_context(|| {
            let now = self.kubectl(&["get", "shadowtests", "-A", "-o", "yaml"]);
            now.unwrap_or_else(|error| error.to_string())
        })
    }

    /// Nothing of the shop is replayed.
    fn nothing(&self) -> Result<usize> {
        self.not_replayed(&shop(), AWHILE)
    }

    /// Milliseconds from the start of `end`, under load, until the last replay.
    fn last_replay_after(&self, end: impl FnOnce() -> Result<()>) -> Result<u64> {
        let mut start = 0;
        let counted = self.during(&shop(), || {
            self.wait(AWHILE)?;
            start = now_ms();
            end()?;
            self.wait(AWHILE)
        })?;
        counted.at_most_once()?;
        let took = last_replay(self)?.saturating_sub(start);
        ensure!(
            took <= BOUND,
            "the last replay came {took} ms after the start of kubectl"
        );
        Ok(took)
    }

    /// One test in force, as the scenarios begin.
    fn one_test(&self) -> Result<()> {
        self.install_with(VALUES)?;
        self.apply_test("shop", "next", &of_shop())?;
        self.becomes(["shop", "next"], "Capturing", "True Attached")?;
        self.attached().map(drop)
    }
}

/// Without a test nothing is captured; with one each request once, and its status says so.
pub(super) fn created(cluster: &Cluster) -> Result<String> {
    cluster.install_with(VALUES)?;
    cluster.delete("shop", "next")?;
    let before = cluster.nothing().context("without a test")?;
    let start = Instant::now();
    cluster.one_test()?;
    let took = start.elapsed();
    let traffic = Traffic { kept: 100, ..shop() };
    let once = cluster.for_time(&traffic, EVIDENCE)?.each_once()?;
    cluster
        .becomes(["shop", "next"], "Verdict", "False NoGo")
        .context("of the planted fault")?;
    let test = cluster.json(&["-n", "shop", "get", "shadowtest", "next"])?;
    let status = &test["status"];
    ensure!(status["pods"] == "3/3", "{status}");
    let mut nodes: Vec<&str> = Vec::new();
    for entry in status["nodes"].as_array().context("no entries")? {
        nodes.push(entry["node"].as_str().context("no name")?);
    }
    nodes.sort_unstable();
    ensure!(nodes == NODES, "entries of {nodes:?}");
    let events = || {
        cluster.json(&[
            "-n",
            "shop",
            "get",
            "events",
            "--field-selector",
            "reason=Verdict",
        ])
    };
    cluster.until("an event for the verdict", PATIENCE, || {
        Ok(events()?["items"].as_array().is_some_and(|all| !all.is_empty()))
    })?;
    let table = cluster.kubectl(&["-n", "shop", "get", "shadowtests"])?;
    ensure!(table.contains("NoGo") && table.contains("3/3"), "{table}");
    Ok(format!(
        "without a test {before} requests, 0 replays; attached {took:.1?} after `helm`; {once}; NO-GO in status and events"
    ))
}

/// A test that cannot work is degraded, with the reason, and the one in force continues.
pub(super) fn invalid(cluster: &Cluster) -> Result<String> {
    cluster.one_test()?;
    let mut spec = of_shop();
    spec["selector"] = "app=shop".into();
    cluster.apply_test("shop", "wrong", &spec)?;
    let took = cluster.becomes(["shop", "wrong"], "Degraded", "True Invalid")?;
    cluster.becomes(["shop", "wrong"], "Capturing", "False NotInForce")?;
    let test = cluster.json(&["-n", "shop", "get", "shadowtest", "wrong"])?;
    let message = test["status"]["conditions"].to_string();
    ensure!(message.contains("both choose the pods"), "{message}");
    let once = cluster.for_time(&shop(), AWHILE)?.each_once()?;
    cluster.delete("shop", "wrong")?;
    Ok(format!("said after {took:.1?}; of the other test {once}"))
}

/// A suspended test captures nothing after a second, and continues with its evidence.
pub(super) fn suspended(cluster: &Cluster) -> Result<String> {
    cluster.one_test()?;
    let took = cluster.last_replay_after(|| cluster.suspend(true))?;
    cluster.nothing()?;
    cluster.becomes(["shop", "next"], "Capturing", "False Suspended")?;
    let compared = || -> Result<u64> {
        let status = cluster.status("node1")?;
        status["lanes"][0]["coverage"]["successes"]
            .as_u64()
            .context("no coverage")
    };
    let before = compared()?;
    ensure!(before > 0, "nothing was compared");
    cluster.suspend(false)?;
    cluster.attached()?;
    let once = cluster.for_time(&shop(), AWHILE)?.each_once()?;
    ensure!(compared()? > before, "the evidence began anew");
    Ok(format!(
        "last replay after {took} ms; then {once}, with the same evidence"
    ))
}

/// Of two tenants the first is served. The status of the other one says so, and it takes the place when that is free.
pub(super) fn two_tenants(cluster: &Cluster) -> Result<String> {
    cluster.one_test()?;
    let result = second_tenant(cluster);
    cluster.delete("other", "theirs")?;
    cluster.one_test()?;
    result
}

fn second_tenant(cluster: &Cluster) -> Result<String> {
    let mut spec = of_shop();
    // Its pods are those of its own namespace, whatever they are named elsewhere.
    spec["shadow"] = json!({"url": "http://10.250.0.90:8080"});
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("service");
        spec.insert("selector".to_owned(), "app=shop".into());
    }
    cluster.apply_test("other", "theirs", &spec)?;
    let noticed = cluster.becomes(["other", "theirs"], "Degraded", "True Conflict")?;
    let once = cluster.for_time(&shop(), AWHILE)?.each_once()?;
    cluster.delete("shop", "next")?;
    let taken = cluster.becomes(["other", "theirs"], "Capturing", "False NoPods")?;
    let replays = cluster.nothing().context("of another namespace")?;
    cluster.delete("other", "theirs")?;
    Ok(format!(
        "the conflict is in the status after {noticed:.1?}, meanwhile {once}; in force {taken:.1?} after the first was deleted, \
         {replays} requests to the other namespace not replayed"
    ))
}

/// Nothing of a deleted test is mirrored.
pub(super) fn deleted(cluster: &Cluster) -> Result<String> {
    cluster.one_test()?;
    let took = cluster.last_replay_after(|| cluster.delete("shop", "next"))?;
    let requests = cluster.nothing()?;
    for node in NODES {
        let observes = || Ok(cluster.status(node)?["shadow"].is_null());
        cluster.until("the agent observes", PATIENCE, observes)?;
    }
    Ok(format!(
        "last replay after {took} ms; then {requests} requests, 0 replays"
    ))
}
