//! The capture in other network namespaces, where the configuration names some.

use std::sync::Arc;

use super::{error::unavailable, preflight};
use crate::{
    attach,
    capture::{
        attach::Attacher,
        namespaces::{Discovery, InsideMaps, Namespaces, Seen, Traffic, WantedNamespace},
        ring::LiveSource,
        targets::{Target, Targets},
    },
    config::{Config, kubernetes::Kubernetes},
    control::server::Socket,
    runtime::{Cause, RuntimeError},
};

/// The namespaces, and discovery where there is one.
#[derive(Debug)]
pub(super) struct Inside {
    /// Ended first.
    discovery: Option<Discovery>,
    namespaces: Namespaces,
    /// Until discovery listens to it; then for its file.
    socket: Option<Socket>,
}

/// Starts the attach process, with the privileges that this process gives up later, and attaches.
pub(super) fn attach(
    config: &Config,
    attacher: &mut Attacher,
    source: &mut LiveSource,
) -> Result<Option<Inside>, RuntimeError> {
    let capture = &config.capture;
    if capture.namespaces.is_empty() && capture.kubernetes.is_none() {
        return Ok(None);
    }
    let wanted = capture.namespaces.iter().map(|namespace| WantedNamespace {
        name: namespace.0.to_string(),
        namespace: namespace.0.clone(),
        interfaces: capture.namespace_interfaces.clone(),
    });
    let traffic = Arc::new(Traffic::default());
    source.count_labels(Arc::clone(&traffic));
    let method = attacher.method();
    let maps = InsideMaps::load(attacher, traffic).map_err(|error| unavailable(&error))?;
    let process = attach::start(&mut attach::command(capture.namespaces.is_empty()));
    let (stream, process) = process.map_err(|error| unavailable(&error))?;
    let namespaces = Namespaces::attach(maps, method, (stream, Box::new(process)), wanted.collect());
    Ok(Some(Inside {
        discovery: None,
        namespaces: namespaces.map_err(|error| unavailable(&error))?,
        socket: capture.kubernetes.as_ref().map(socket).transpose()?,
    }))
}

fn socket(kubernetes: &Kubernetes) -> Result<Socket, RuntimeError> {
    let group = preflight::named_group("capture.kubernetes.group", kubernetes.group.as_deref())?;
    Socket::open(&kubernetes.socket, group)
        .map_err(|error| RuntimeError::new(Cause::CannotCreate, error.to_string()))
}

impl Inside {
    /// Follows the namespaces from now on, and listens to discovery.
    pub(super) fn watch(&mut self, config: &Config, targets: &Targets) -> Result<(), RuntimeError> {
        self.namespaces.watch().map_err(|error| unavailable(&error))?;
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        let listener = socket.descriptor().map_err(|error| unavailable(&error))?;
        let (fixed, targets) = (config.capture.targets.clone(), targets.clone());
        let ports = move |ports: &std::collections::BTreeSet<u16>| {
            let ports = ports.iter().map(|&port| Target { addr: None, port });
            let all: Vec<Target> = fixed.iter().copied().chain(ports).collect();
            if let Err(error) = targets.retarget(&all) {
                tracing::error!(%error, "the ports of the pods cannot be set");
            }
        };
        let interfaces = config.capture.namespace_interfaces.clone();
        let test = config
            .capture
            .kubernetes
            .as_ref()
            .and_then(|one| one.test.clone());
        let test = test.unwrap_or_default();
        let discovery = Discovery::start(
            listener,
            self.namespaces.follow(),
            interfaces,
            test,
            Box::new(ports),
        );
        self.discovery = Some(discovery.map_err(|error| unavailable(&error))?);
        Ok(())
    }

    /// Every namespace.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.namespaces.seen()
    }

    /// A fault, if there is one.
    pub(super) fn warning(&self) -> Option<String> {
        let text = "`shadow discover` is not connected: new pods are not mirrored, those that are known stay";
        let silent = self.discovery.is_some() && !self.namespaces.is_discovered();
        silent.then(|| text.to_owned())
    }
}
