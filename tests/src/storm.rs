//! A shadow system whose answers are all wrong, each in a different way.
//!
//! This is a careless release as the agent sees it: every exchange has a discrepancy at a new place, so the data kept
//! for each group, route or case would grow without bound if nothing limited it.

use crate::servers::{Behaviour, Received};

/// Target of the requests to production: `{n}` is replaced by a different number each time.
pub const TARGET: &str = "/1k.json?n={n}";

/// Answers with members that are named after the number in the request.
pub fn behaviour() -> Behaviour {
    Behaviour::Raw(other)
}

fn other(request: &Received) -> Vec<u8> {
    let number = request.start.rsplit('=').next().unwrap_or_default();
    let content = format!("{{\"items\":[],\"k{number}\":1,\"nested\":{{\"v{number}\":\"{number}\"}}}}");
    let length = content.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{content}")
        .into_bytes()
}
