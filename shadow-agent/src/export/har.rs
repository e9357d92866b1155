//! A case as an HTTP Archive (HAR 1.2): production's exchange and the shadow system's as two entries.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use shadow_core::case::{Answered, Case, Field};

use super::{field, url};
use crate::har::{
    Content, Empty, Entry, PostData, Request, Response, Timings, UNKNOWN, VERSION, query, size,
};

/// The archive.
#[derive(Debug, Serialize)]
pub struct Archive {
    log: Log,
}

#[derive(Debug, Serialize)]
struct Log {
    version: &'static str,
    creator: Creator,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Creator {
    name: &'static str,
    version: &'static str,
}

const CUT: &str = "redacted and cut";
const REDACTED: &str = "redacted";

/// The archive of a case. A shadow system that did not answer has an entry with status 0 and the reason.
pub fn archive(case: &Case) -> Archive {
    let shadow = match &case.shadow {
        Some(answer) => entry(case, answer, format!("shadow target {}", case.target)),
        None => entry(
            case,
            &Answered::default(),
            format!(
                "shadow target {}: no answer ({})",
                case.target,
                case.failure.as_deref().unwrap_or("unknown")
            ),
        ),
    };
    Archive {
        log: Log {
            version: VERSION,
            creator: Creator {
                name: "shadow",
                version: env!("CARGO_PKG_VERSION"),
            },
            entries: vec![entry(case, &case.production, "production".to_owned()), shadow],
        },
    }
}

fn entry(case: &Case, answer: &Answered, comment: String) -> Entry {
    let first = millis(answer.first_byte_us);
    let total = millis(answer.total_us).max(first);
    let at = UNIX_EPOCH + Duration::from_millis(case.at_ms);
    Entry {
        started_date_time: humantime::format_rfc3339_millis(at).to_string(),
        time: total,
        request: request(case),
        response: response(answer),
        cache: Empty {},
        timings: Timings {
            send: 0.0,
            wait: first,
            receive: total - first,
        },
        server_ip_address: None,
        connection: None,
        comment: Some(comment.into()),
    }
}

fn request(case: &Case) -> Request {
    let asked = &case.request;
    let post_data = asked.body.text.as_ref().filter(|_| asked.body.len > 0);
    Request {
        method: asked.method.clone(),
        url: url(case),
        http_version: asked.version.clone().into(),
        cookies: [],
        headers: asked.headers.clone(),
        query_string: query(&asked.target),
        post_data: post_data.map(|text| PostData {
            mime_type: mime(&asked.headers),
            params: [],
            text: text.clone(),
            comment: if asked.body.cut { CUT } else { REDACTED },
        }),
        headers_size: UNKNOWN,
        body_size: asked.body.len,
    }
}

fn response(answer: &Answered) -> Response {
    let body = &answer.body;
    Response {
        status: answer.status,
        status_text: http::StatusCode::from_u16(answer.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default()
            .to_owned(),
        http_version: "HTTP/1.1",
        cookies: [],
        headers: answer.headers.clone(),
        content: Content {
            size: body.len,
            mime_type: mime(&answer.headers),
            text: body.text.clone(),
            comment: Some(if body.cut { CUT } else { REDACTED }),
        },
        redirect_url: field(&answer.headers, "location").unwrap_or_default().to_owned(),
        headers_size: UNKNOWN,
        body_size: size(body.len),
    }
}

fn mime(headers: &[Field]) -> String {
    field(headers, "content-type").unwrap_or_default().to_owned()
}

fn millis(micros: Option<u64>) -> f64 {
    Duration::from_micros(micros.unwrap_or(0)).as_secs_f64() * 1000.0
}
