//! Lists and watches of the Kubernetes API: a set of objects that follows the lines of a watch. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// Of every object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) generation: u64,
    #[serde(deserialize_with = "or_null")]
    pub(super) creation_timestamp: String,
    resource_version: String,
}

/// An object with the part of it that is read.
pub(super) trait ApiObject: DeserializeOwned {
    fn metadata(&self) -> &Metadata;
}

/// An object without its content.
#[derive(Deserialize)]
struct Bare {
    #[serde(default)]
    metadata: Metadata,
}

/// A list of objects.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct ApiList<T> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "or_null")]
    items: Vec<T>,
}

/// A field that is left out, or `null`: the API server writes an empty list as either.
pub(super) fn or_null<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
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

    /// The version from which a watch continues.
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
        // A bookmark has an object of which only the version is meant.
        let Bare { metadata } = Bare::deserialize(&event.object)?;
        self.version = metadata.resource_version;
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" => {
                self.all
                    .insert(metadata.uid, serde_json::from_value(event.object)?);
            }
            "DELETED" => {
                self.all.remove(&metadata.uid);
            }
            _ => return Ok(Change::Version),
        }
        Ok(Change::Objects)
    }
}
