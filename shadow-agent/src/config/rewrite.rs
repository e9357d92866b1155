//! `rewrite` and `credentials`: changes to a request before it is sent to a target.

use core::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IntoDeserializer as _, value::MapAccessDeserializer},
};
use shadow_core::rewrite::{
    self, Conditional, CredentialPlace, HeaderRules, IdentityRules, Marker, MarkerError, MeshFields,
    PathRules, QueryRules, RequestIds, TracePolicy,
};

use super::text::{Named, OneOrMore, Words};
use crate::replay::credentials::Replace;

/// Changes to a request.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rewrite {
    /// A prefix of the path.
    pub path: Path,
    /// Query parameters.
    pub query: Query,
    /// Header fields.
    pub headers: Fields,
    /// Whether replays appear in the traces of production.
    pub traceparent: TracePolicy,
    /// Whether replays carry the request ids of production.
    pub request_id: RequestIds,
    /// Whether replays carry the fields of a service mesh.
    pub envoy: MeshFields,
    /// Whether production's validators are sent.
    pub conditional: Conditional,
    /// The field that identifies a replay.
    pub marker: Words<MarkField>,
}

/// A prefix of the path.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Path {
    /// The prefix that is removed.
    pub strip: Option<String>,
    /// The prefix that is then added.
    pub add: Option<String>,
}

/// Query parameters.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Set to one value, replacing all others.
    pub set: Named,
    /// Removed.
    pub remove: OneOrMore,
}

/// Header fields.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// Set to one value, replacing all others.
    pub set: Named,
    /// Added to the existing fields.
    pub add: Named,
    /// Removed.
    pub remove: OneOrMore,
}

/// The field that identifies a replay, written `Name: value`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MarkField(pub Marker);

impl FromStr for MarkField {
    type Err = MarkerError;

    fn from_str(text: &str) -> Result<Self, MarkerError> {
        let (name, value) = text.split_once(':').unwrap_or((text, "1"));
        Marker::new(name.trim(), value.trim()).map(Self)
    }
}

impl fmt::Display for MarkField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name(), self.0.value())
    }
}

/// The treatment of credentials: one word, or a section with replacements.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Credentials {
    /// The treatment of credentials that no token replaces.
    pub default: KeepOrStrip,
    /// Credentials that a token replaces.
    pub replace: Vec<Replace>,
}

/// The treatment of Authorization, Proxy-Authorization and Cookie that no token replaces.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepOrStrip {
    /// They are sent.
    #[default]
    Keep,
    /// They are left out.
    Strip,
}

/// The section form.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "CredentialsSection")]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    /// The treatment of credentials that no token replaces.
    default: KeepOrStrip,
    /// Credentials that a token replaces.
    replace: Vec<Replace>,
}

struct CredentialsVisitor;

impl<'de> de::Visitor<'de> for CredentialsVisitor {
    type Value = Credentials;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keep, strip or a section")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Credentials, E> {
        KeepOrStrip::deserialize(text.into_deserializer()).map(|default| Credentials {
            default,
            replace: Vec::new(),
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Credentials, A::Error> {
        let Section { default, replace } = Section::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Credentials { default, replace })
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CredentialsVisitor)
    }
}

impl Replace {
    /// The place of the credential.
    pub fn place(&self) -> CredentialPlace {
        if let Some(cookie) = &self.cookie {
            return CredentialPlace::Cookie(cookie.clone());
        }
        let name = self.header.clone().unwrap_or_else(|| "Authorization".to_owned());
        let bearer = name.eq_ignore_ascii_case("authorization");
        let usual = if bearer { "Bearer" } else { "" };
        CredentialPlace::Header {
            scheme: self.scheme.clone().unwrap_or_else(|| usual.to_owned()),
            name,
        }
    }
}

impl From<KeepOrStrip> for rewrite::Credentials {
    fn from(rest: KeepOrStrip) -> Self {
        match rest {
            KeepOrStrip::Keep => Self::Keep,
            KeepOrStrip::Strip => Self::Strip,
        }
    }
}

impl Rewrite {
    /// The rules for what identifies a request.
    pub(super) fn identity(&self) -> IdentityRules {
        IdentityRules {
            traceparent: self.traceparent,
            request_id: self.request_id,
            envoy: self.envoy,
        }
    }
}

impl From<&Path> for PathRules {
    fn from(Path { strip, add }: &Path) -> Self {
        Self {
            strip: strip.clone(),
            add: add.clone(),
        }
    }
}

impl From<&Query> for QueryRules {
    fn from(Query { set, remove }: &Query) -> Self {
        Self {
            set: set.0.clone(),
            remove: remove.0.clone(),
        }
    }
}

impl From<&Fields> for HeaderRules {
    fn from(Fields { set, add, remove }: &Fields) -> Self {
        Self {
            set: set.pairs(),
            add: add.pairs(),
            remove: remove.0.clone(),
        }
    }
}
