//! `writes`: the treatment of requests that may change state. One word for all of them, or a section with routes.

use core::fmt;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IntoDeserializer as _, value::MapAccessDeserializer},
};
use shadow_core::gate::{self, Match, WriteRules};

use super::{select::Rule, text::OneOrMore};

/// The treatment of requests whose method is not safe (RFC 9110 section 9.2.1).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum WriteMode {
    /// They are not replayed.
    #[default]
    Skip,
    /// They are replayed: the shadow system must not share data with production.
    Replay,
    /// They are replayed with a header field that asks the shadow system to change nothing.
    DryRun,
    /// They are kept in the journal in the form in which they would be sent, and not sent.
    RecordOnly,
}

/// The treatment of writes.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Writes {
    /// Applies where no route matches.
    pub default: WriteMode,
    /// The field that asks for a dry run, such as `X-Dry-Run: 1`.
    pub header: Option<String>,
    /// The first rule that matches a write decides.
    pub routes: Vec<Route>,
    /// Globs of the paths that serve GraphQL.
    pub graphql: OneOrMore,
    /// The rules for gRPC.
    pub grpc: GrpcRules,
}

/// The rules for gRPC.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcRules {
    /// Globs of the methods that only read.
    pub safe: OneOrMore,
}

/// A rule for some writes.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The requests.
    #[serde(rename = "match")]
    pub rule: Rule,
    /// Their treatment.
    pub writes: WriteMode,
}

/// The section form.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "WritesSection")]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Section {
    /// Applies where no route matches.
    default: WriteMode,
    /// The field that asks for a dry run, such as `X-Dry-Run: 1`.
    header: Option<String>,
    /// The first rule that matches a write decides.
    routes: Vec<Route>,
    /// Globs of the paths that serve GraphQL.
    graphql: OneOrMore,
    /// The rules for gRPC.
    grpc: GrpcRules,
}

struct WritesVisitor;

impl<'de> de::Visitor<'de> for WritesVisitor {
    type Value = Writes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("skip, replay, dry_run, record_only or a section")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Writes, E> {
        WriteMode::deserialize(text.into_deserializer()).map(Writes::from)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Writes, A::Error> {
        let Section {
            default,
            header,
            routes,
            graphql,
            grpc,
        } = Section::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Writes {
            default,
            header,
            routes,
            graphql,
            grpc,
        })
    }
}

impl<'de> Deserialize<'de> for Writes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WritesVisitor)
    }
}

impl From<WriteMode> for Writes {
    fn from(default: WriteMode) -> Self {
        Self {
            default,
            ..Self::default()
        }
    }
}

impl From<WriteMode> for gate::Writes {
    fn from(mode: WriteMode) -> Self {
        match mode {
            WriteMode::Skip => Self::Skip,
            WriteMode::Replay => Self::Replay,
            WriteMode::DryRun => Self::DryRun,
            WriteMode::RecordOnly => Self::RecordOnly,
        }
    }
}

impl Writes {
    /// Whether any write may reach the shadow system.
    pub fn sends(&self) -> bool {
        let sends = |mode: WriteMode| matches!(mode, WriteMode::Replay | WriteMode::DryRun);
        sends(self.default) || self.routes.iter().any(|route| sends(route.writes))
    }
}

impl Writes {
    /// Whether any write is replayed as it is.
    pub fn replays(&self) -> bool {
        let replays = |mode: WriteMode| mode == WriteMode::Replay;
        replays(self.default) || self.routes.iter().any(|route| replays(route.writes))
    }
}

impl From<&Writes> for WriteRules {
    fn from(writes: &Writes) -> Self {
        let Writes {
            default,
            header,
            routes,
            graphql,
            grpc,
        } = writes;
        Self {
            default: (*default).into(),
            header: header.as_deref().map(|text| {
                // Without a colon there is no value, so this is not a field.
                let (name, value) = text.split_once(':').unwrap_or((text, "\n"));
                (name.trim().to_owned(), value.trim_matches([' ', '\t']).to_owned())
            }),
            routes: routes
                .iter()
                .map(|Route { rule, writes }| (Match::from(rule), (*writes).into()))
                .collect(),
            graphql: graphql.0.clone(),
            grpc_safe: grpc.safe.0.clone(),
            // They are in another section.
            descriptors: None,
        }
    }
}
