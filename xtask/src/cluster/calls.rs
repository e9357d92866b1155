//! Pods, and instructions and questions to the programs of the workload in them.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::nodes::{Cluster, captured};

/// The port on which the programs of the workload are asked.
const CONTROL: u16 = 9999;

/// A running pod.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) app: String,
    pub(super) ip: String,
    pub(super) ip6: Option<String>,
    pub(super) node: String,
}

impl Cluster {
    pub(super) fn json(&self, words: &[&str]) -> Result<Value> {
        let words: Vec<&str> = words.iter().copied().chain(["-o", "json"]).collect();
        Ok(serde_json::from_str(&self.kubectl(&words)?)?)
    }

    /// The running pods of a namespace.
    pub(super) fn pods(&self, namespace: &str) -> Result<Vec<Pod>> {
        let found = self.json(&["-n", namespace, "get", "pods"])?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = found["items"].as_array().context("no list of pods")?;
        let runs = |pod: &&Value| {
            pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
        };
        let pods = items.iter().filter(runs).map(|pod| {
            let (metadata, status) = (&pod["metadata"], &pod["status"]);
            let ips = status["podIPs"].as_array().into_iter().flatten();
            let mut ips = ips.map(|one| text(&one["ip"]));
            Pod {
                name: text(&metadata["name"]),
                uid: text(&metadata["uid"]),
                app: text(&metadata["labels"]["app"]),
                ip: text(&status["podIP"]),
                ip6: ips.find(|ip| ip.contains(':')),
                node: text(&pod["spec"]["nodeName"]),
            }
        });
        Ok(pods.collect())
    }

    /// The running pods of a part of the workload.
    pub(super) fn of(&self, app: &str) -> Result<Vec<Pod>> {
        let mut pods = self.pods("shop")?;
        pods.retain(|pod| pod.app == app);
        if pods.is_empty() {
            bail!("no pod of {app} runs");
        }
        Ok(pods)
    }

    /// Asks the program in a pod.
    pub(super) fn ask(&self, pod: &Pod, query: &str) -> Result<Value> {
        let url = format!("http://{}:{CONTROL}/{query}", pod.ip);
        let said = captured(self.command(1, "curl").args(["-g", "-s", "-S", "-m", "10", &url]))?;
        serde_json::from_str(&said).with_context(|| format!("{} of {}: {said:?}", url, pod.name))
    }

    /// The status of the agent on a node.
    pub(super) fn status(&self, node: &str) -> Result<Value> {
        let agent = self.agent(node)?;
        Ok(serde_json::from_str(
            &self.in_agent(&agent, &["status", "--json"])?,
        )?)
    }

    /// Runs `shadow` with these words in the pod of an agent.
    pub(super) fn in_agent(&self, agent: &Pod, words: &[&str]) -> Result<String> {
        let exec = [
            "-n",
            "shadow",
            "exec",
            &agent.name,
            "-c",
            "shadow",
            "--",
            "/shadow",
        ];
        self.kubectl(&[&exec, words].concat())
    }

    /// The pod of the agent on a node.
    pub(super) fn agent(&self, node: &str) -> Result<Pod> {
        let mut pods = self.pods("shadow")?.into_iter();
        pods.find(|pod| pod.node == node)
            .with_context(|| format!("no agent runs on {node}"))
    }
}
