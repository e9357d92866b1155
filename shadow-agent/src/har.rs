//! HTTP Archive 1.2 as it is written by `shadow inspect --har` and `shadow diffs export`.
//!
//! Owns: the names and the order of the format. The content is up to the writers.

use std::borrow::Cow;

use serde::Serialize;
use shadow_core::case::Field;

/// The version of the format.
pub(crate) const VERSION: &str = "1.2";

/// "Unknown" in this format.
pub(crate) const UNKNOWN: i64 = -1;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) started_date_time: String,
    pub(crate) time: f64,
    pub(crate) request: Request,
    pub(crate) response: Response,
    pub(crate) cache: Empty,
    pub(crate) timings: Timings,
    #[serde(rename = "serverIPAddress", skip_serializing_if = "Option::is_none")]
    pub(crate) server_ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<Cow<'static, str>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Empty {}

/// In milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Timings {
    pub(crate) send: f64,
    pub(crate) wait: f64,
    pub(crate) receive: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) http_version: Cow<'static, str>,
    pub(crate) cookies: [Empty; 0],
    pub(crate) headers: Vec<Field>,
    pub(crate) query_string: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) post_data: Option<PostData>,
    pub(crate) headers_size: i64,
    pub(crate) body_size: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostData {
    pub(crate) mime_type: String,
    pub(crate) params: [Empty; 0],
    pub(crate) text: String,
    pub(crate) comment: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) status_text: String,
    pub(crate) http_version: &'static str,
    pub(crate) cookies: [Empty; 0],
    pub(crate) headers: Vec<Field>,
    pub(crate) content: Content,
    #[serde(rename = "redirectURL")]
    pub(crate) redirect_url: String,
    pub(crate) headers_size: i64,
    pub(crate) body_size: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Content {
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<&'static str>,
}

/// The query of a target, as it was sent.
pub(crate) fn query(target: &str) -> Vec<Field> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Field {
                name: name.to_owned(),
                value: value.to_owned(),
            }
        })
        .collect()
}

/// A length, or "unknown".
pub(crate) fn size(len: u64) -> i64 {
    i64::try_from(len).unwrap_or(UNKNOWN)
}
