//! Lists and watches of the Kubernetes API: a set of objects that follows the lines of a watch. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

/// Of every object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    resource_version: String,
}

/// An object with the part of it that is read.
pub(super) trait ApiObject: DeserializeOwned {
    fn metadata(&self) -> &Metadata;
}

/// A list of objects.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiList<T> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

/// A line of a watch.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiEvent {
    #[serde(rename = "type")]
    kind: String,
    object: serde_json::Value,
}

/// The meaning of a line of a watch.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// The objects may have changed.
    Objects,
    /// Only the version has.
    Version,
    /// The watch cannot go on: everything is to be listed again.
    Expired(String),
}

/// The objects by their UID, with the version of the last change.
#[derive(Debug)]
pub(super) struct Objects<T> {
    all: BTreeMap<String, T>,
    version: String,
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            version: String::new(),
        }
    }
}

impl<T: ApiObject> Objects<T> {
    /// Replaces everything.
    pub(super) fn list(&mut self, list: ApiList<T>) {
        self.version = list.metadata.resource_version;
        let keyed = list
            .items
            .into_iter()
            .map(|one| (one.metadata().uid.clone(), one));
        self.all = keyed.collect();
    }

    /// Every object.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.all.values()
    }

    /// The version from which a watch goes on.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Takes a line of a watch.
    pub(super) fn change(&mut self, event: ApiEvent) -> Result<Change, serde_json::Error> {
        if event.kind == "ERROR" {
            return Ok(Change::Expired(
                event.object["message"].as_str().unwrap_or("unknown").to_owned(),
            ));
        }
        let one: T = serde_json::from_value(event.object)?;
        self.version.clone_from(&one.metadata().resource_version);
        let uid = one.metadata().uid.clone();
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" => self.all.insert(uid, one),
            "DELETED" => self.all.remove(&uid),
            _ => return Ok(Change::Version),
        };
        Ok(Change::Objects)
    }
}
