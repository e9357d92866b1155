//! Traffic with an id in each request, counted at the clients, at production and at the shadow system.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    calls::Pod,
    nodes::{Cluster, NODES},
};

/// The addresses of the services.
pub(super) const SHOP: &str = "10.250.0.80";
pub(super) const PAY: &str = "10.250.0.70";

/// How long replays may lag behind.
const SETTLE: Duration = Duration::from_secs(20);

/// Orders to the clients.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    /// The nodes whose clients work.
    pub(super) nodes: Vec<&'static str>,
    /// Addresses with ports.
    pub(super) targets: String,
    /// Requests a second and client on kept connections.
    pub(super) kept: u32,
    /// The same with a connection each.
    pub(super) new: u32,
}

/// Requests to the shop, from both nodes.
pub(super) fn shop() -> Traffic {
    Traffic::to(format!("{SHOP}:8080"))
}

impl Traffic {
    /// From both nodes.
    pub(super) fn to(targets: impl Into<String>) -> Self {
        Self {
            nodes: NODES.to_vec(),
            targets: targets.into(),
            kept: 20,
            new: 5,
        }
    }

    /// From one node.
    pub(super) fn from(mut self, node: &'static str) -> Self {
        self.nodes = vec![node];
        self
    }
}

/// The ids that were counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// At the clients.
    pub(super) answered: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
    /// At production, of pods that still run.
    production: BTreeMap<String, u64>,
    /// At the shadow system.
    pub(super) replays: BTreeMap<String, u64>,
}

impl Counted {
    /// Every answered request was replayed once, and nothing else was.
    pub(super) fn each_once(&self) -> Result<String> {
        self.at_most_once()?;
        let lost: Vec<&String> = self
            .answered
            .iter()
            .filter(|id| !self.replays.contains_key(*id))
            .collect();
        ensure!(
            lost.is_empty(),
            "{} of {} answered requests were not replayed, such as {:?}",
            lost.len(),
            self.answered.len(),
            lost.iter().take(3).collect::<Vec<_>>()
        );
        Ok(format!(
            "{} answered, {} replayed, each once",
            self.answered.len(),
            self.replays.len()
        ))
    }

    /// Every answered request was counted at production's servers.
    pub(super) fn each_at_production(&self) -> Result<()> {
        let lost = self
            .answered
            .iter()
            .filter(|id| !self.production.contains_key(*id))
            .count();
        ensure!(lost == 0, "{lost} answered requests are not known to production");
        Ok(())
    }

    /// Nothing was replayed twice, or without a client that asked.
    pub(super) fn at_most_once(&self) -> Result<()> {
        ensure!(
            self.answered.len() > 10,
            "only {} requests were answered",
            self.answered.len()
        );
        for (what, counts) in [
            ("production", &self.production),
            ("the shadow system", &self.replays),
        ] {
            let twice = counts.values().filter(|count| **count > 1).count();
            ensure!(
                twice == 0,
                "{twice} of {} ids were seen more than once at {what}",
                counts.len()
            );
        }
        let asked = |id: &&String| self.answered.contains(*id) || self.failed.contains(*id);
        let foreign: Vec<&String> = self.replays.keys().filter(|id| !asked(id)).collect();
        ensure!(foreign.is_empty(), "replays of what no client sent: {foreign:?}");
        Ok(())
    }
}

fn ids(counts: &Value) -> impl Iterator<Item = (&String, u64)> {
    let counts = counts.as_object().into_iter().flatten();
    counts.map(|(id, count)| (id, count.as_u64().unwrap_or(u64::MAX)))
}

impl Cluster {
    /// Requests of clients, none of which may be replayed.
    pub(super) fn not_replayed(&self, traffic: &Traffic, time: Duration) -> Result<usize> {
        let counted = self.for_time(traffic, time)?;
        ensure!(counted.answered.len() > 10, "production did not answer");
        let replays = counted.replays.len();
        ensure!(replays == 0, "{replays} requests were replayed");
        Ok(counted.answered.len())
    }

    fn clients(&self, traffic: &Traffic) -> Result<Vec<Pod>> {
        let mut clients = self.of("client")?;
        clients.retain(|pod| traffic.nodes.contains(&&*pod.node));
        ensure!(clients.len() == traffic.nodes.len(), "a client is missing");
        Ok(clients)
    }

    /// Sets every count to zero.
    fn reset(&self) -> Result<()> {
        for pod in self.pods("shop")? {
            self.ask(&pod, "?reset=1")?;
        }
        Ok(())
    }

    /// Runs `work` while the clients do theirs, and counts.
    pub(super) fn during(&self, traffic: &Traffic, work: impl FnOnce() -> Result<()>) -> Result<Counted> {
        self.reset()?;
        let clients = self.clients(traffic)?;
        for client in &clients {
            let Traffic {
                targets, kept, new, ..
            } = traffic;
            self.ask(client, &format!("?targets={targets}&kept={kept}&new={new}"))?;
        }
        let worked = work();
        for client in &clients {
            self.ask(client, "?targets=")?;
        }
        worked?;
        // A request may be under way.
        thread::sleep(Duration::from_millis(500));
        let mut counted = Counted::default();
        for client in &clients {
            let said = self.ask(client, "")?;
            for (name, into) in [
                ("answered", &mut counted.answered),
                ("failed", &mut counted.failed),
            ] {
                let all = said[name].as_array().context("no ids")?;
                into.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
            }
        }
        self.settled(&mut counted)?;
        Ok(counted)
    }

    /// The same for a time.
    pub(super) fn for_time(&self, traffic: &Traffic, time: Duration) -> Result<Counted> {
        self.during(traffic, || self.wait(time))
    }

    /// Waits, unless Ctrl-C comes.
    pub(super) fn wait(&self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.interrupted()?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Counts at the servers until every answered request was replayed, or nothing changes for two seconds.
    fn settled(&self, counted: &mut Counted) -> Result<()> {
        let until = Instant::now() + SETTLE;
        let (mut last, mut same) = (usize::MAX, 0);
        while Instant::now() < until && same < 4 {
            self.count(counted)?;
            same = if counted.replays.len() == last {
                same + 1
            } else {
                0
            };
            last = counted.replays.len();
            if counted.replays.len() >= counted.answered.len() {
                same += 2;
            }
            self.wait(Duration::from_millis(500))?;
        }
        self.count(counted)
    }

    fn count(&self, counted: &mut Counted) -> Result<()> {
        counted.production.clear();
        counted.replays.clear();
        for pod in self.pods("shop")?.iter().filter(|pod| pod.app != "client") {
            let said = self.ask(pod, "")?;
            for (name, into) in [
                ("production", &mut counted.production),
                ("replays", &mut counted.replays),
            ] {
                for (id, count) in ids(&said[name]) {
                    *into.entry(id.clone()).or_default() += count;
                }
            }
        }
        Ok(())
    }

    /// Waits until a condition holds.
    pub(super) fn until(
        &self,
        what: &str,
        patience: Duration,
        holds: impl Fn() -> Result<bool>,
    ) -> Result<Duration> {
        let start = Instant::now();
        loop {
            // A pod that is being replaced does not answer.
            if holds().unwrap_or(false) {
                return Ok(start.elapsed());
            }
            ensure!(start.elapsed() < patience, "not within {patience:?}: {what}");
            self.wait(Duration::from_millis(100))?;
        }
    }

    /// Waits until each running pod of the shop is attached, and the agents have nothing else.
    pub(super) fn attached(&self) -> Result<Duration> {
        self.until(
            "every pod of the shop is attached",
            Duration::from_mins(1),
            || {
                let shop = self.of("shop")?;
                for node in NODES {
                    let status = self.status(node)?;
                    let inside = status["namespaces"].as_array().context("no namespaces")?;
                    let attached =
                        |one: &&Value| one["interfaces"].as_array().is_some_and(|all| !all.is_empty());
                    let names: BTreeSet<&str> = inside
                        .iter()
                        .filter(attached)
                        .filter_map(|one| one["name"].as_str())
                        .collect();
                    let wanted: Vec<String> = shop
                        .iter()
                        .filter(|pod| pod.node == node)
                        .map(|pod| format!("shop/{}", pod.name))
                        .collect();
                    if inside.len() != wanted.len() || !wanted.iter().all(|name| names.contains(&**name)) {
                        return Ok(false);
                    }
                }
                Ok(true)
            },
        )
    }
}
