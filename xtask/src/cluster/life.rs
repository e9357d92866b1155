//! Changes of production and of the agents under load.

use std::{fs, net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    calls::Pod,
    nodes::Cluster,
    work::{Traffic, shop},
};

const AWHILE: Duration = Duration::from_secs(3);

/// New pods are attached before their first request, and nothing is replayed twice.
pub(super) fn restart_of_production(cluster: &Cluster) -> Result<String> {
    let counted = cluster.during(&shop(), || {
        cluster.wait(AWHILE)?;
        cluster.kubectl(&["-n", "shop", "rollout", "restart", "deploy/shop"])?;
        cluster.rolled_out("shop", "deploy/shop")?;
        cluster.wait(AWHILE)
    })?;
    let once = counted.each_once()?;
    cluster.attached()?;
    Ok(format!("{once}; {} failed at clients", counted.failed.len()))
}

/// Changes the number of pods, and waits until they are ready.
fn scale(cluster: &Cluster, name: &str, replicas: u32) -> Result<()> {
    let words = ["-n", "shop", "scale", name, &format!("--replicas={replicas}")];
    cluster.kubectl(&words)?;
    cluster.rolled_out("shop", name)
}

/// From three replicas to six and back.
pub(super) fn scaling(cluster: &Cluster) -> Result<String> {
    let mut took = Duration::ZERO;
    let counted = cluster.during(&shop(), || {
        scale(cluster, "deploy/shop", 6)?;
        took = cluster.attached()?;
        cluster.wait(AWHILE)?;
        scale(cluster, "deploy/shop", 3)?;
        cluster.wait(AWHILE)
    })?;
    let once = counted.each_once()?;
    Ok(format!(
        "{once}; {} failed at clients; attached {took:.1?} after the last was ready",
        counted.failed.len()
    ))
}

/// A pod of another service that gets the address of a deleted pod is not mirrored.
pub(super) fn address_used_again(cluster: &Cluster) -> Result<String> {
    let former = cluster.of("shop")?;
    let result = heir_of(cluster, &former);
    scale(cluster, "deploy/pay", 2)?;
    scale(cluster, "deploy/shop", 3)?;
    cluster.attached()?;
    result
}

fn heir_of(cluster: &Cluster, former: &[Pod]) -> Result<String> {
    cluster.kubectl(&["-n", "shop", "scale", "deploy/shop", "--replicas=0"])?;
    cluster.until("the shop's pods are gone", Duration::from_secs(90), || {
        let left = cluster.kubectl(&["-n", "shop", "get", "pods", "-l", "app=shop", "-o", "name"])?;
        Ok(left.trim().is_empty())
    })?;
    for pod in former {
        // The network plug-in continues after the address that it gave last.
        let address: Ipv4Addr = pod.ip.parse()?;
        let before = Ipv4Addr::from_bits(address.to_bits() - 1);
        let number = pod.node.trim_start_matches("node");
        let last = cluster
            .running()
            .join(format!("ipam{number}/kube/last_reserved_ip.0"));
        fs::write(last, before.to_string())?;
    }
    scale(cluster, "deploy/pay", 6)?;
    let pay = cluster.of("pay")?;
    let heir = pay.iter().find(|pod| former.iter().any(|one| one.ip == pod.ip));
    let heir = heir.context("no address was used again")?;
    let counted = cluster.for_time(&Traffic::to(format!("{}:8080", heir.ip)), AWHILE)?;
    ensure!(
        counted.answered.len() > 10,
        "the heir of the address does not answer"
    );
    let replays = counted.replays.len();
    ensure!(
        replays == 0,
        "{replays} requests of the other service were replayed"
    );
    Ok(format!(
        "{} requests to {}, 0 replays",
        counted.answered.len(),
        heir.ip
    ))
}

/// While agents are replaced nothing is replayed twice and production loses nothing.
pub(super) fn update_of_the_agents(cluster: &Cluster) -> Result<String> {
    let counted = cluster.during(&shop(), || {
        cluster.wait(AWHILE)?;
        cluster.kubectl(&["-n", "shadow", "rollout", "restart", "ds/shadow"])?;
        cluster.rolled_out("shadow", "ds/shadow")?;
        cluster.attached()?;
        cluster.wait(AWHILE)
    })?;
    counted.at_most_once()?;
    ensure!(
        counted.failed.is_empty(),
        "{} requests failed at the clients",
        counted.failed.len()
    );
    let after = cluster.for_time(&shop(), AWHILE)?;
    let once = after.each_once()?;
    Ok(format!(
        "{} answered, {} replayed, none twice; afterwards {once}",
        counted.answered.len(),
        counted.replays.len()
    ))
}
