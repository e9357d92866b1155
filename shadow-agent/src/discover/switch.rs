//! The kill switch of the whole cluster: a key of a ConfigMap, which becomes the agent's kill file.
//!
//! Any tool that can change a ConfigMap stops every node. While the key exists the kill file does, so that an agent
//! that starts meanwhile does not mirror. The guard is asked to kill besides, for an agent that hangs. Removing the key
//! removes the file, and resumes nothing: that takes `shadow resume` on each node (`kubectl shadow resume`).

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tokio::{sync::watch, time::sleep};

use super::{
    PAUSE,
    objects::{ApiObject, Metadata, Objects, or_null},
};
use crate::guard;

/// The key whose existence kills; its value is the reason.
const KEY: &str = "kill";

/// A ConfigMap, as the API server describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiConfigMap {
    metadata: Metadata,
    #[serde(deserialize_with = "or_null")]
    data: BTreeMap<String, String>,
}

impl ApiObject for ApiConfigMap {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Objects<ApiConfigMap> {
    /// Whether to mirror.
    pub(super) fn wanted(&self) -> Wanted {
        let why = self.all().find_map(|map| map.data.get(KEY));
        why.map_or(Wanted::Mirror, |why| Wanted::Kill(why.clone()))
    }
}

/// The position of the switch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Nothing is killed.
    Mirror,
    /// Killed, with the reason.
    Kill(String),
}

/// The effect of the switch on this node.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    /// The kill file of the agent.
    pub(super) file: PathBuf,
    /// The control socket of the agent, beside which is that of its guard.
    pub(super) control: PathBuf,
}

impl Switch {
    /// Carries out each position of the switch; says on `known` that the first one has been.
    pub(super) async fn obey(
        self,
        mut position: watch::Receiver<Option<Wanted>>,
        known: &watch::Sender<bool>,
    ) {
        loop {
            let wanted = position.borrow_and_update().clone();
            if let Some(wanted) = wanted {
                match self.set(&wanted) {
                    Ok(()) => {
                        known.send_replace(true);
                    }
                    Err(error) => {
                        tracing::error!(%error, file = %self.file.display(), "the kill file cannot be changed");
                        position.mark_changed();
                        sleep(PAUSE).await;
                    }
                }
                if matches!(wanted, Wanted::Kill(_)) {
                    self.tell_guard().await;
                }
            }
            if position.changed().await.is_err() {
                return;
            }
        }
    }

    fn set(&self, wanted: &Wanted) -> io::Result<()> {
        match wanted {
            Wanted::Kill(why) => {
                tracing::warn!(why, "mirroring is stopped in the whole cluster");
                replace(&self.file, why)
            }
            Wanted::Mirror => match fs::remove_file(&self.file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Err(_) => Ok(()),
                Ok(()) => {
                    tracing::info!("the cluster's kill switch is off; `shadow resume` mirrors again");
                    Ok(())
                }
            },
        }
    }

    /// An agent that works reads the file; one that hangs is stopped by its guard.
    async fn tell_guard(&self) {
        let control = self.control.clone();
        let reached = tokio::task::spawn_blocking(move || guard::kill(&control)).await;
        if let Ok(Err(error)) = reached {
            tracing::warn!(%error, "the agent's guard was not reached; the agent reads the kill file");
        }
    }
}

/// Writes the whole file, or nothing.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    fs::write(&fresh, format!("{text}\n"))?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_key_and_nothing_else_kills() {
        let wanted = |items: serde_json::Value| {
            let mut maps = Objects::<ApiConfigMap>::default();
            let list = json!({"metadata": {"resourceVersion": "1"}, "items": items});
            maps.list(serde_json::from_value(list).expect("a list"));
            maps.wanted()
        };
        let map = |data: serde_json::Value| json!([{"metadata": {"uid": "u"}, "data": data}]);
        assert_eq!(wanted(json!([])), Wanted::Mirror, "it does not exist");
        assert_eq!(wanted(json!([{"metadata": {"uid": "u"}}])), Wanted::Mirror);
        assert_eq!(wanted(json!(null)), Wanted::Mirror);
        assert_eq!(wanted(map(json!(null))), Wanted::Mirror);
        assert_eq!(wanted(map(json!({"note": "x"}))), Wanted::Mirror);
        let kill = Wanted::Kill("incident 4711".to_owned());
        assert_eq!(wanted(map(json!({"kill": "incident 4711"}))), kill);
        let silent = Wanted::Kill(String::new());
        assert_eq!(wanted(map(json!({"kill": ""}))), silent, "without a reason");
    }

    #[test]
    fn the_kill_file_follows_the_switch() {
        let folder = tempfile::tempdir().expect("a folder");
        let switch = Switch {
            file: folder.path().join("kill"),
            control: folder.path().join("shadow.sock"),
        };
        let read = || fs::read_to_string(folder.path().join("kill")).ok();
        switch.set(&Wanted::Mirror).expect("nothing to remove");
        switch.set(&Wanted::Kill("incident".to_owned())).expect("a file");
        assert_eq!(read().as_deref(), Some("incident\n"));
        switch.set(&Wanted::Kill("another".to_owned())).expect("a file");
        assert_eq!(read().as_deref(), Some("another\n"));
        switch.set(&Wanted::Mirror).expect("no file");
        assert_eq!(read(), None);
        assert!(
            replace(&folder.path().join("none/kill"), "x").is_err(),
            "no folder"
        );
    }
}
