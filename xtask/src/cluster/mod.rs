//! `cargo xtask cluster`: the chart, the agents and a workload on a real Kubernetes cluster of two nodes.
//!
//! The cluster runs on this machine: each node is a network namespace with a containerd, a kubelet and a kube-proxy
//! (`xtask/cluster/nodes.sh`). Its programs are built once, in some minutes (`build.sh`). Requests have ids and are
//! counted at the clients, at production and at the shadow system ([`work`]).

mod calls;
mod kill;
mod life;
mod nodes;
mod outages;
mod paths;
mod privileges;
mod tenants;
mod work;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::nodes::Cluster;
use crate::shell;

/// The use of the cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Action {
    /// Start it, run every scenario, take it down
    #[default]
    Run,
    /// Start it with chart and workload, and leave it
    Up,
    /// Take down what was left
    Down,
}

type Scenario = (&'static str, fn(&Cluster) -> Result<String>);

const SCENARIOS: &[Scenario] = &[
    ("each path once", paths::every_path),
    ("another service on the same port", paths::another_service),
    ("probes", paths::probes),
    ("separate privileges", privileges::separate),
    ("one verdict", paths::one_verdict),
    ("restart of production", life::restart_of_production),
    ("scaling", life::scaling),
    ("address used again", life::address_used_again),
    ("update of the agents", life::update_of_the_agents),
    ("drained node", outages::drained_node),
    ("API server away", outages::api_server_away),
    ("pod with the network of its node", outages::host_network),
    ("second agent", outages::second_agent),
    ("kill of a hung agent", kill::hung_agent),
    ("cluster-wide kill", kill::everywhere),
    ("kill while agents hang", kill::while_agents_hang),
    ("node that does not answer", kill::silent_node),
    ("test created", tenants::created),
    ("test invalid", tenants::invalid),
    ("test suspended", tenants::suspended),
    ("test deleted", tenants::deleted),
    ("two tenants", tenants::two_tenants),
];

/// Runs the action; `only` are parts of names of scenarios.
pub(crate) fn run(action: Action, only: &[String]) -> Result<()> {
    if let Some(reason) = nodes::missing() {
        println!("SKIPPED: {reason}");
        return Ok(());
    }
    let cluster = Cluster::new()?;
    if action == Action::Down {
        return cluster.down();
    }
    let was_up = cluster.is_up();
    let result = prepare(&cluster, was_up).and_then(|()| match action {
        Action::Up => Ok(()),
        Action::Run | Action::Down => scenarios(&cluster, only),
    });
    if action == Action::Up && result.is_ok() || was_up {
        println!("the cluster is left running; `cargo xtask cluster down` takes it down");
        return result;
    }
    result.and(cluster.down())
}

fn prepare(cluster: &Cluster, was_up: bool) -> Result<()> {
    let start = Instant::now();
    cluster.build()?;
    let images = cluster.images()?;
    if !was_up {
        cluster.up()?;
    }
    cluster.load(&images)?;
    cluster.install()?;
    println!("two nodes with agents and workload after {:.0?}", start.elapsed());
    Ok(())
}

fn scenarios(cluster: &Cluster, only: &[String]) -> Result<()> {
    let mut failed = Vec::new();
    for (name, scenario) in SCENARIOS {
        if !only.is_empty() && !only.iter().any(|part| name.contains(&**part)) {
            continue;
        }
        cluster.interrupted()?;
        let start = Instant::now();
        let result = scenario(cluster);
        let took = Duration::from_secs(start.elapsed().as_secs());
        match result {
            Ok(figures) => println!("ok      {name} ({took:?}): {figures}"),
            Err(error) => {
                println!("FAILED  {name} ({took:?}): {error:#}");
                failed.push(*name);
            }
        }
    }
    cluster.interrupted()?;
    if !failed.is_empty() {
        bail!(
            "{} failed; logs are in {}",
            failed.join(", "),
            shell::words(&cluster.logs())
        );
    }
    Ok(())
}
