//! Further targets: each lists only its differences from `shadow`.
//!
//! Owns: the items of `also` and what they inherit. An item may hold any key of the `shadow` section, which replaces
//! that key as a whole, and `compare` with any key of that section. Bias: every key and value is checked at its place
//! in the file; an item without a URL of its own is refused, so that no target is replayed to twice by mistake.

use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_yaml_ng::{Mapping, Value};

use shadow_core::compare::Rules;

use super::{Config, Shadow};
use crate::pipeline::Role;

/// The name of the target in the section `shadow`.
pub const FIRST: &str = "shadow";

/// Keys of an item that are not keys of `shadow`.
const OWN: [&str; 3] = ["name", "role", "compare"];

/// A further target as written in the file: a name, a role, and its differences from `shadow`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtraTarget {
    /// Its name in reports and metrics.
    pub name: String,
    /// The purpose of the comparison.
    pub role: Role,
    /// Keys of `shadow`, and `compare`.
    differs: Mapping,
}

/// A target with everything it inherits.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedTarget {
    /// Its name in reports and metrics.
    pub name: String,
    /// The purpose of the comparison.
    pub role: Role,
    /// Where it is replayed, and how.
    pub shadow: Shadow,
    /// The rules of comparison.
    pub compare: Rules,
}

impl Config {
    /// Every target, the one of the section `shadow` first. Fails only for faults that [`Config::problems`] reports.
    pub fn wanted(&self) -> Result<Vec<ResolvedTarget>, serde_yaml_ng::Error> {
        let first = ResolvedTarget {
            name: FIRST.to_owned(),
            role: Role::Shadow,
            shadow: self.shadow.clone(),
            compare: self.compare.clone(),
        };
        let also = self.also.iter().map(|also| also.over(&first));
        core::iter::once(Ok(first.clone())).chain(also).collect()
    }
}

impl ExtraTarget {
    /// Whether it has a URL of its own.
    pub fn has_url(&self) -> bool {
        self.differs.get("url").is_some_and(|url| !url.is_null())
    }

    /// This item with the keys of another that may change while the agent runs: all but those that identify the system
    /// and its purpose.
    #[must_use]
    pub fn with_live(&self, wanted: &Self) -> Self {
        let stays = |key: &Value| key.as_str().is_some_and(|key| Shadow::FIXED.contains(&key));
        let keys = |from: &Self, fixed: bool| -> Vec<(Value, Value)> {
            let keys = from.differs.iter().filter(|(key, _)| stays(key) == fixed);
            keys.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Self {
            name: self.name.clone(),
            role: self.role,
            differs: keys(self, true).into_iter().chain(keys(wanted, false)).collect(),
        }
    }

    fn over(&self, first: &ResolvedTarget) -> Result<ResolvedTarget, serde_yaml_ng::Error> {
        let mut shadow = self.differs.clone();
        let compare = shadow.remove("compare");
        let proto_descriptors = first.compare.proto_descriptors.clone();
        Ok(ResolvedTarget {
            name: self.name.clone(),
            role: self.role,
            shadow: laid_over(&first.shadow, shadow)?,
            compare: match compare {
                Some(Value::Mapping(differs)) => Rules {
                    // Read once, for all targets.
                    proto_descriptors,
                    ..laid_over(&first.compare, differs)?
                },
                _ => first.compare.clone(),
            },
        })
    }
}

/// `base` with these keys replaced.
fn laid_over<T>(base: &T, differs: Mapping) -> Result<T, serde_yaml_ng::Error>
where
    T: Serialize + for<'de> Deserialize<'de>,
{
    let Value::Mapping(mut merged) = serde_yaml_ng::to_value(base)? else {
        return Err(serde_yaml_ng::Error::custom("a section is a mapping"));
    };
    merged.extend(differs);
    serde_yaml_ng::from_value(Value::Mapping(merged))
}

impl Serialize for ExtraTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.differs.len() + 2))?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("role", &self.role)?;
        for (key, value) in &self.differs {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ExtraTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Item)
    }
}

struct Item;

impl<'de> Visitor<'de> for Item {
    type Value = ExtraTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target with a name and a url")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExtraTarget, A::Error> {
        let known = known();
        let mut also = ExtraTarget::default();
        while let Some(key) = map.next_key_seed(Key(&known))? {
            match key.as_str() {
                "name" => also.name = map.next_value()?,
                "role" => also.role = map.next_value()?,
                "compare" => {
                    let value = map.next_value_seed(Checked(rules))?;
                    also.differs.insert(key.into(), value);
                }
                _ => {
                    let name = Value::from(key.clone());
                    let alone = |value: Value| {
                        let section: Mapping = [(name, value)].into_iter().collect();
                        is::<Shadow>(section.into())
                    };
                    let value = map.next_value_seed(Checked(alone))?;
                    also.differs.insert(key.into(), value);
                }
            }
        }
        Ok(also)
    }
}

/// Every key an item may have, taken from the defaults so that the list cannot become stale.
fn known() -> Vec<String> {
    let shadow = match serde_yaml_ng::to_value(Shadow::default()) {
        Ok(Value::Mapping(shadow)) => shadow,
        _ => Mapping::new(),
    };
    let keys = shadow.keys().filter_map(Value::as_str);
    OWN.into_iter().chain(keys).map(str::to_owned).collect()
}

/// Whether a value is valid for a section; if not, the reason.
fn is<T: for<'de> Deserialize<'de>>(value: Value) -> Result<(), String> {
    match T::deserialize(value) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The same for the rules of one target.
fn rules(value: Value) -> Result<(), String> {
    if value.get("proto_descriptors").is_some() {
        return Err("proto_descriptors is for all targets; give it as compare.proto_descriptors".to_owned());
    }
    is::<Rules>(value)
}

/// Refuses an unknown key at its place in the file.
struct Key<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if self.0.iter().any(|known| known == key) {
            return Ok(key.to_owned());
        }
        // In serde's wording, which the reader of the file parses.
        let known: Vec<String> = self.0.iter().map(|known| format!("`{known}`")).collect();
        Err(E::custom(format!(
            "unknown field `{key}`, expected one of {}",
            known.join(", ")
        )))
    }
}

/// Refuses a wrong value at its place in the file.
struct Checked<F>(F);

impl<'de, F: FnOnce(Value) -> Result<(), String>> DeserializeSeed<'de> for Checked<F> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<F: FnOnce(Value) -> Result<(), String>> Checked<F> {
    fn check<E: de::Error>(self, value: Value) -> Result<Value, E> {
        (self.0)(value.clone()).map_err(E::custom)?;
        Ok(value)
    }
}

impl<'de, F: FnOnce(Value) -> Result<(), String>> Visitor<'de> for Checked<F> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.check(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.check(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.check(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.check(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.check(value.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.check(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        let value = Value::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
        self.check(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let value = Value::deserialize(de::value::MapAccessDeserializer::new(map))?;
        self.check(value)
    }
}

/// A name that is safe as a label, a file name and a word on a command line.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 32 && name.starts_with(plain) && name.chars().all(|c| plain(c) || c == '-' || c == '_')
}
