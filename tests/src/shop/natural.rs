//! How two right answers differ all the same: identifiers, times, and the order of members.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use super::Edition;

static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// An identifier that no other request has, in either edition.
pub fn request_id(edition: Edition) -> String {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let letter = match edition {
        Edition::Production => 'p',
        Edition::Rewrite => 'r',
    };
    format!("{letter}-{:08x}-{number:06}", std::process::id())
}

/// Adds to an object what every answer of the shop carries; the rewrite writes its members the other way round.
pub fn dress(value: Value, request_id: &str, edition: Edition) -> Vec<u8> {
    let Value::Object(members) = value else {
        return value.to_string().into_bytes();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let meta = [
        ("request_id".to_owned(), Value::from(request_id)),
        (
            "generated_at".to_owned(),
            Value::from(format!("{}.{:06}", now.as_secs(), now.subsec_micros())),
        ),
    ];
    let members: Map<String, Value> = members.into_iter().chain(meta).collect();
    let mut parts: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    if edition == Edition::Rewrite {
        parts.reverse();
    }
    format!("{{{}}}", parts.join(",")).into_bytes()
}
