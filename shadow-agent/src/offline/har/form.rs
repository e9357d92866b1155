//! The fields of an archive that are read.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
pub(super) struct Archive {
    pub(super) log: Log,
}

#[derive(Deserialize)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) started_date_time: String,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) time: f64,
    pub(super) request: Asked,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) response: Answered,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) timings: Timings,
}

/// `null` is what some exporters write for what they do not know.
fn or_unknown<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Default, Deserialize)]
pub(super) struct Timings {
    #[serde(default)]
    pub(super) receive: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) url: String,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) headers: Vec<Field>,
    pub(super) post_data: Option<Posted>,
}

#[derive(Deserialize)]
pub(super) struct Posted {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) params: Vec<Parameter>,
    /// Not in the standard; some write it.
    pub(super) encoding: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Parameter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered {
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) status: i64,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) status_text: String,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) headers: Vec<Field>,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) content: Content,
    /// Bytes on the wire.
    pub(super) body_size: Option<i64>,
}

#[derive(Default, Deserialize)]
pub(super) struct Content {
    pub(super) size: Option<i64>,
    pub(super) text: Option<String>,
    pub(super) encoding: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Field {
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_unknown")]
    pub(super) value: String,
}
