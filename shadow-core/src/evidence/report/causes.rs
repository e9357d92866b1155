//! The part of a report about causes: differences that belong together.

use serde::{Deserialize, Serialize};

use super::groups::{Sample, Standing};
use crate::evidence::stats::Proportion;

/// The beginning of the id of a cause.
pub const CAUSE: &str = "cause-";

/// Differences with one cause: groups that occur in the same exchanges, on every route with the same change.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Cause {
    /// A stable id: `cause-` and six hexadecimal digits.
    pub id: String,
    /// The harm of its change.
    pub harm: Harm,
    /// The change: `status 200 -> 401`, `missing at $.loyalty.tier`.
    pub change: String,
    /// The standing of the worst difference in it.
    pub standing: Standing,
    /// Exchanges with it.
    pub exchanges: u64,
    /// Their share of the exchanges with a verdict on its routes.
    pub rate: Proportion,
    /// Its routes, the one with most exchanges first.
    pub routes: Vec<CauseRoute>,
    /// Ids of its groups, the one that gives it its name first.
    pub groups: Vec<String>,
    /// Ids of groups that come with it: the body of an answer with another status.
    pub with_it: Vec<String>,
    /// The features that separate its requests from others, the most telling first.
    pub features: Vec<Separates>,
    /// An example.
    pub sample: Option<Sample>,
}

/// A cause on one route.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CauseRoute {
    /// Method and path template.
    pub route: String,
    /// Exchanges with the cause.
    pub exchanges: u64,
    /// Exchanges of the route with a verdict.
    pub of: u64,
}

/// A feature by which the requests of a cause differ from others.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Separates {
    /// The kind of feature.
    pub kind: FeatureKind,
    /// Its name.
    pub name: String,
    /// The feature in words, after a number of requests: `carry Authorization`.
    pub says: String,
    /// Requests of the cause that have it.
    pub with: Proportion,
    /// Other requests that have it: of the same routes, or of all routes.
    pub others: Proportion,
    /// Whether the others are those of all routes.
    pub everywhere: bool,
    /// Lower end of the 95 % interval of the difference of both shares.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Information gained about a request by knowing the feature, in bits.
    pub gain: f64,
}

/// The kind of a feature; of two that tell as much the first is shown.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// A parameter with its value.
    QueryValue,
    /// The name of a parameter.
    Query,
    /// The name of a header field.
    #[default]
    Header,
    /// A harmless value of a header field.
    HeaderValue,
    /// The method.
    Method,
    /// The beginning of the path.
    Path,
    /// A segment of the path where the route has a placeholder.
    Segment,
    /// The protocol version.
    Version,
    /// The size of the request's body.
    RequestSize,
    /// The coding of production's answer.
    AnswerCoding,
    /// The media type of production's answer.
    AnswerType,
    /// The size of production's answer.
    AnswerSize,
    /// The status of production's answer.
    AnswerStatus,
    /// The family of the client.
    Agent,
    /// A field by which the shadow system names its build or instance.
    Build,
    /// A span of time.
    Time,
}

/// The harm of a change to a client, the worst first.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// No answer.
    Failure,
    /// Another status.
    #[default]
    Status,
    /// Another type, or content that cannot be read.
    Type,
    /// Something is missing.
    Missing,
    /// Another value.
    Value,
    /// Another order.
    Order,
    /// Another header field.
    Header,
    /// Something is added.
    Added,
}

impl Harm {
    /// The harm of a category of differences; a name that is no category is a failure.
    pub fn of(category: &str) -> Self {
        match category {
            "status" => Self::Status,
            "type" | "error_type" | "decode" => Self::Type,
            "missing" => Self::Missing,
            "value" | "length" | "more" => Self::Value,
            "order" => Self::Order,
            "header" => Self::Header,
            "added" => Self::Added,
            _ => Self::Failure,
        }
    }

    /// Its rank: failures and statuses are equally bad.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Failure | Self::Status => 0,
            Self::Type => 1,
            Self::Missing => 2,
            Self::Value => 3,
            Self::Order => 4,
            Self::Header => 5,
            Self::Added => 6,
        }
    }
}
