//! Configuration of the comparison. Each value is checked when it is read.
//!
//! Precedence: top-level rules apply to every request; every entry of `routes` that matches a request is added, in the
//! order of the file. A single setting of a later entry replaces that of an earlier one; `ignore`, `mask` and `places`
//! accumulate. Where several rules name one place the later one wins, and a rule for a place takes precedence over
//! rules inherited from enclosing places.

mod format;
mod mask;
mod place;
mod pointer;
mod route;
mod settings;

use prost_reflect::MessageDescriptor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shadow_proto::{
    exchange::Request,
    units::{As, Size},
};

use super::{as_text::written_as_text, paths::PlacePath};
use crate::descriptors::Descriptors;

pub(crate) use format::is_uuid;
pub use format::{Format, FormatError};
pub use mask::{Mask, MaskError};
pub use place::{Added, Arrays, Nulls, PlaceRule, Tolerance};
pub use pointer::{Pointer, PointerError};
pub(crate) use route::ParsedRequest;
pub use route::{RouteError, RoutePattern};
pub use settings::{Errors, Numbers, Redirects, Statuses, Structure, Texts};

/// Header fields that clients depend on, so that they are compared unless rules say otherwise.
const HEADERS: [&str; 17] = [
    "content-type",
    "content-encoding",
    "content-range",
    "cache-control",
    "vary",
    "location",
    "link",
    "allow",
    "retry-after",
    "www-authenticate",
    "set-cookie",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// The same for fields whose values differ by nature.
const HEADER_PRESENCE: [&str; 5] = [
    "etag",
    "x-total-count",
    "ratelimit*",
    "x-ratelimit-*",
    "x-rate-limit-*",
];

/// Limits on entries of `routes`, and on places and masks in total.
const MAX_ROUTES: usize = 256;
const MAX_PLACES: usize = 4096;
const MAX_MASKS: usize = 64;

/// The codes of gRPC.
const GRPC_CODES: core::ops::Range<u16> = 0..17;

/// The rules: which parts are compared, and which differences are accepted.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Response header fields whose values are compared. Others are not.
    pub headers: Vec<FieldName>,
    /// Response header fields that must be present on both sides or on neither; their values differ by nature.
    pub header_presence: Vec<FieldName>,
    /// How close two status codes must be.
    pub status: Statuses,
    /// Lists of status codes with the same meaning: of HTTP, or of gRPC (0 to 16).
    pub same_status: Vec<Vec<u16>>,
    /// Comparison of two error responses.
    pub errors: Errors,
    /// Where an error response states its type (RFC 6901); takes precedence over RFC 9457's `type`.
    pub error_type: Vec<Pointer>,
    /// Places that are not compared: in JSON as JSONPath (RFC 9535), `$.meta.request_id`, `$.items[*].updated_at`; in
    /// XML and HTML as in reports, `/order/item/@id`.
    pub ignore: Vec<PlacePath>,
    /// Parts of lines of text that are not compared.
    pub mask: Vec<Mask>,
    /// Rules for single places.
    pub places: Vec<PlaceRule>,
    /// The largest distance of two JSON numbers. Without it they must be the same decimal number.
    pub tolerance: Option<Tolerance>,
    /// Equality of two JSON numbers.
    pub numbers: Numbers,
    /// Whether `"1.50"` and `1.5` are the same number.
    pub numbers_as_strings: bool,
    /// How the kind of a body is chosen.
    pub structure: Structure,
    /// Whether text in documents is split into parts: references, forms, tokens, JSON in strings, prose by word.
    pub text: Texts,
    /// Comparison of the content of redirects.
    pub redirects: Redirects,
    /// Whether order and number of JSON array elements matter.
    pub arrays: Arrays,
    /// Whether a null member counts as missing.
    pub nulls: Nulls,
    /// Whether the shadow system may have members that production does not have.
    pub added: Added,
    /// A file with a set of descriptors: the names and types of messages of gRPC.
    pub proto_descriptors: Option<Descriptors>,
    /// Rules for some requests.
    pub routes: Vec<RouteRules>,
    /// Discrepancies kept for one exchange; a further entry marks that there were more.
    pub discrepancies: usize,
    /// Largest decoded body in bytes. A larger one is compared by length and digest.
    #[serde(with = "As::<Size>")]
    pub decoded: usize,
}

/// Rules for some requests. A setting that is not given is unchanged.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRules {
    /// The requests: `GET /users/{id}`.
    pub route: RoutePattern,
    /// Instead of [`Rules::headers`].
    #[serde(default)]
    pub headers: Option<Vec<FieldName>>,
    /// Instead of [`Rules::header_presence`].
    #[serde(default)]
    pub header_presence: Option<Vec<FieldName>>,
    /// Instead of [`Rules::status`].
    #[serde(default)]
    pub status: Option<Statuses>,
    /// Instead of [`Rules::same_status`].
    #[serde(default)]
    pub same_status: Option<Vec<Vec<u16>>>,
    /// Instead of [`Rules::errors`].
    #[serde(default)]
    pub errors: Option<Errors>,
    /// Instead of [`Rules::error_type`].
    #[serde(default)]
    pub error_type: Option<Vec<Pointer>>,
    /// In addition to [`Rules::ignore`].
    #[serde(default)]
    pub ignore: Vec<PlacePath>,
    /// In addition to [`Rules::mask`].
    #[serde(default)]
    pub mask: Vec<Mask>,
    /// In addition to [`Rules::places`].
    #[serde(default)]
    pub places: Vec<PlaceRule>,
    /// Instead of [`Rules::tolerance`].
    #[serde(default)]
    pub tolerance: Option<Tolerance>,
    /// Instead of [`Rules::numbers`].
    #[serde(default)]
    pub numbers: Option<Numbers>,
    /// Instead of [`Rules::numbers_as_strings`].
    #[serde(default)]
    pub numbers_as_strings: Option<bool>,
    /// Instead of [`Rules::structure`].
    #[serde(default)]
    pub structure: Option<Structure>,
    /// Instead of [`Rules::text`].
    #[serde(default)]
    pub text: Option<Texts>,
    /// Instead of [`Rules::redirects`].
    #[serde(default)]
    pub redirects: Option<Redirects>,
    /// Instead of [`Rules::arrays`].
    #[serde(default)]
    pub arrays: Option<Arrays>,
    /// Instead of [`Rules::nulls`].
    #[serde(default)]
    pub nulls: Option<Nulls>,
    /// Instead of [`Rules::added`].
    #[serde(default)]
    pub added: Option<Added>,
}

/// The name of a header field (RFC 9110 section 5.1), in lower case. One that ends in `*` means all fields that begin
/// like it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldName(String);

/// Error for text that is not a field name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no header field name; write for example content-type")]
pub struct FieldNameError(String);

impl FieldName {
    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The beginning of the names that it means, if it ends in `*`.
    pub fn start(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether it means the field with this name, in lower case.
    pub fn covers(&self, name: &str) -> bool {
        self.start()
            .map_or(self.0 == name, |start| name.starts_with(start))
    }
}

impl TryFrom<String> for FieldName {
    type Error = FieldNameError;

    fn try_from(name: String) -> Result<Self, FieldNameError> {
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Self(name.as_str().to_owned())),
            Err(_) => Err(FieldNameError(name)),
        }
    }
}

written_as_text!(FieldName, "a header field name");

impl Default for Rules {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| FieldName(name.to_owned())).collect();
        Self {
            headers: names(&HEADERS),
            header_presence: names(&HEADER_PRESENCE),
            status: Statuses::Exact,
            same_status: Vec::new(),
            errors: Errors::Type,
            error_type: Vec::new(),
            ignore: Vec::new(),
            mask: Vec::new(),
            places: Vec::new(),
            tolerance: None,
            numbers: Numbers::Value,
            numbers_as_strings: false,
            structure: Structure::Content,
            text: Texts::Parts,
            redirects: Redirects::Target,
            arrays: Arrays::Ordered,
            nulls: Nulls::Distinct,
            added: Added::Report,
            proto_descriptors: None,
            routes: Vec::new(),
            discrepancies: 256,
            decoded: 32 << 20,
        }
    }
}

/// Error for a rule that cannot work, although each of its values is valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("compare.{at}: {problem}")]
pub struct RuleError {
    /// The key under `compare`.
    pub at: String,
    /// The problem.
    pub problem: String,
}

impl Rules {
    /// The type of the messages in answers to a request, if it is known.
    pub(crate) fn answer_type(&self, request: &Request) -> Option<&MessageDescriptor> {
        let method = self.proto_descriptors.as_ref()?.method(&request.target)?;
        Some(&method.output)
    }

    /// Whether a header field is compared for some request, by its value or by its presence.
    pub(crate) fn compare_field(&self, name: &str) -> bool {
        let of_routes = self
            .routes
            .iter()
            .flat_map(|entry| [&entry.headers, &entry.header_presence]);
        let lists = [&self.headers, &self.header_presence];
        let mut names = lists.into_iter().chain(of_routes.flatten()).flatten();
        names.any(|listed| listed.covers(name))
    }

    /// Rejects rules that cannot work. Single values were checked when they were read.
    pub(crate) fn validate(&self) -> Result<(), RuleError> {
        check_statuses("", &self.same_status)?;
        check_places("", &self.places)?;
        let mut places = self.ignore.len().saturating_add(self.places.len());
        let mut masks = self.mask.len();
        for (index, entry) in self.routes.iter().enumerate() {
            let at = format!("routes[{index}].");
            check_statuses(&at, entry.same_status.as_deref().unwrap_or_default())?;
            check_places(&at, &entry.places)?;
            places = places
                .saturating_add(entry.ignore.len())
                .saturating_add(entry.places.len());
            masks = masks.saturating_add(entry.mask.len());
        }
        for (at, given, most) in [
            ("routes", self.routes.len(), MAX_ROUTES),
            ("places and ignore, with those of routes", places, MAX_PLACES),
            ("mask, with those of routes", masks, MAX_MASKS),
        ] {
            if given > most {
                return Err(error(
                    at,
                    format!("{given} entries are more than the {most} there can be"),
                ));
            }
        }
        for (at, given, least) in [
            ("discrepancies", self.discrepancies, 1),
            ("decoded", self.decoded, 1024),
        ] {
            if given < least {
                return Err(error(
                    at,
                    format!("{given} is less than the least that works, {least}"),
                ));
            }
        }
        Ok(())
    }
}

fn check_statuses(at: &str, lists: &[Vec<u16>]) -> Result<(), RuleError> {
    for (index, list) in lists.iter().enumerate() {
        let at = || format!("{at}same_status[{index}]");
        let is_grpc = list.iter().any(|status| GRPC_CODES.contains(status));
        let codes = if is_grpc { GRPC_CODES } else { 100..1000 };
        if let Some(status) = list.iter().find(|status| !codes.contains(*status)) {
            let what = if is_grpc && (100..1000).contains(status) {
                format!("{status} is a status of HTTP among codes of gRPC; make two lists of it")
            } else {
                format!("{status} is no status code")
            };
            return Err(error(at(), what));
        }
        if list.len() < 2 {
            return Err(error(
                at(),
                "one status code is the same as no other; write [200, 204]",
            ));
        }
    }
    Ok(())
}

fn check_places(at: &str, places: &[PlaceRule]) -> Result<(), RuleError> {
    places.iter().enumerate().try_for_each(|(index, place)| {
        place
            .validate()
            .map_err(|problem| error(format!("{at}places[{index}]"), problem))
    })
}

fn error(at: impl Into<String>, problem: impl Into<String>) -> RuleError {
    RuleError {
        at: at.into(),
        problem: problem.into(),
    }
}
