//! Natural differences between two correct answers: identifiers, times, figures that jitter, members that come and go,
//! the order of members and of sets. The agent has no information about them: it has to find out.

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

static STATE: AtomicU64 = AtomicU64::new(0);

/// A different number each time (Steele et al. 2014, splitmix64), seeded with the time of the first call.
pub(super) fn random() -> u64 {
    if STATE.load(Ordering::Relaxed) == 0 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        STATE.store(
            u64::from(now.subsec_nanos()) << 32 | now.as_secs(),
            Ordering::Relaxed,
        );
    }
    let mut z = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random identifier (RFC 9562, version 4).
pub(super) fn uuid() -> String {
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// Adds what differs whenever an item is viewed: a trace, the number of viewers, and sometimes a badge.
pub fn lively(mut value: Value) -> Value {
    if let Some(item) = value.as_object_mut() {
        item.insert("trace".to_owned(), uuid().into());
        item.insert("viewers".to_owned(), (1_000 + random() % 101 - 50).into());
        if random().is_multiple_of(3) {
            item.insert("badge".to_owned(), "popular".into());
        }
    }
    value
}

/// Tags are a set: their order varies.
fn shuffle(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_array_mut().filter(|_| name == "tags") {
                    Some(tags) => {
                        // A random key for each: there are so few that no key is drawn twice.
                        tags.sort_by_cached_key(|_| random());
                    }
                    None => shuffle(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(shuffle),
        _ => {}
    }
}

/// Adds to an object what every answer of the shop carries; the rewrite writes its members in reverse order.
pub fn dress(mut value: Value, request_id: &str, edition: Edition) -> Vec<u8> {
    shuffle(&mut value);
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
