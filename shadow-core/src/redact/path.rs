//! Configured paths to secrets.

use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::compare::{PathError, paths::PathSet};

/// A JSONPath (RFC 9535) that was understood.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SecretPath(String);

impl FromStr for SecretPath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let one = [path.to_owned()];
        PathSet::compile(&one).map_err(|(_, error)| error)?;
        let [path] = one;
        Ok(Self(path))
    }
}

impl<'de> Deserialize<'de> for SecretPath {
    /// By a visitor, so that an error names the entry of the list.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = SecretPath;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a JSONPath like $.patient.birthday")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<SecretPath, E> {
                path.parse().map_err(E::custom)
            }
        }

        from.deserialize_str(Visitor)
    }
}

/// All of them. They were understood one by one, so they are together; were they not, everything would be secret.
pub(super) fn set(paths: &[SecretPath]) -> PathSet {
    let paths: Vec<String> = paths.iter().map(|SecretPath(path)| path.clone()).collect();
    PathSet::compile(&paths)
        .or_else(|_| PathSet::compile(&["$".to_owned()]))
        .unwrap_or_default()
}
