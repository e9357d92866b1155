//! The capture itself: each path to a service once, and nothing else.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{
    calls::Pod,
    nodes::{Cluster, NODES},
    work::{PAY, SHOP, Traffic},
};

/// How long each path is tried.
const TIME: Duration = Duration::from_secs(5);

/// Pod IP and service, port of the service and another one, same node and other node, IPv4 and IPv6.
pub(super) fn every_path(cluster: &Cluster) -> Result<String> {
    let took = cluster.attached()?;
    let shop = cluster.of("shop")?;
    let on = |node: &str| -> Result<&Pod> {
        shop.iter()
            .find(|pod| pod.node == node)
            .with_context(|| format!("no pod of the shop on {node}"))
    };
    let mut paths: Vec<(String, Traffic)> = Vec::new();
    for from in NODES {
        for to in NODES {
            let pod = on(to)?;
            paths.push((
                format!("{from} > pod on {to}"),
                Traffic::to(format!("{}:8080", pod.ip)).from(from),
            ));
            if let Some(ip) = &pod.ip6 {
                let traffic = Traffic::to(format!("[{ip}]:8080"));
                paths.push((format!("{from} > pod on {to}, IPv6"), traffic.from(from)));
            }
        }
        for port in [8080, 80] {
            paths.push((
                format!("{from} > service:{port}"),
                Traffic::to(format!("{SHOP}:{port}")).from(from),
            ));
        }
    }
    let mut requests = 0;
    for (path, traffic) in &paths {
        let counted = cluster.for_time(traffic, TIME)?;
        counted
            .each_once()
            .and_then(|_| counted.each_at_production())
            .with_context(|| path.clone())?;
        requests += counted.answered.len();
    }
    Ok(format!(
        "{} paths, {requests} requests, {requests} replays; attached after {took:.1?}",
        paths.len()
    ))
}

/// A service with the same port is not touched.
pub(super) fn another_service(cluster: &Cluster) -> Result<String> {
    let counted = cluster.for_time(&Traffic::to(format!("{PAY}:8080")), TIME)?;
    ensure!(counted.answered.len() > 10, "the other service does not answer");
    ensure!(
        counted.replays.is_empty(),
        "{} of its requests were replayed",
        counted.replays.len()
    );
    Ok(format!("{} requests, 0 replays", counted.answered.len()))
}

/// Probes of the kubelets are counted and not replayed.
pub(super) fn probes(cluster: &Cluster) -> Result<String> {
    let probes = || -> Result<u64> {
        let mut all = 0;
        for node in NODES {
            let skipped = &cluster.status(node)?["funnel"]["skipped"];
            all += skipped["health_probe"].as_u64().unwrap_or_default();
        }
        Ok(all)
    };
    let before = probes()?;
    let mut idle = Traffic::to("");
    (idle.kept, idle.new) = (0, 0);
    let counted = cluster.for_time(&idle, 2 * TIME)?;
    let seen = probes()? - before;
    ensure!(seen > 0, "no probe was seen: there is nothing to leave out");
    ensure!(
        counted.replays.is_empty(),
        "{} probes were replayed",
        counted.replays.len()
    );
    Ok(format!("{seen} probes, 0 replays"))
}

/// The report on the evidence of both nodes has what both counted, and finds the planted fault.
pub(super) fn one_verdict(cluster: &Cluster) -> Result<String> {
    let counted = cluster.for_time(&Traffic::to(format!("{SHOP}:8080")), 2 * TIME)?;
    counted.each_once()?;
    let mut both = 0;
    for node in NODES {
        let replayed = &cluster.status(node)?["funnel"]["replayed"];
        both += replayed.as_u64().context("no count of replays")?;
    }
    let (code, text) = cluster.shadow(&["report", "--json"])?;
    let report: serde_json::Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    let merged = report["funnel"]["replayed"]
        .as_u64()
        .context("no count of replays")?;
    ensure!(
        merged == both,
        "{merged} replays in one report, {both} on the nodes"
    );
    ensure!(code == 1, "the planted fault is no NO-GO: exit code {code}");
    ensure!(
        text.contains("$.price"),
        "the planted fault is not among the findings"
    );
    Ok(format!("{merged} replays of both nodes in one report: NO-GO"))
}
