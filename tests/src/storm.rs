//! A shadow system of which no answer is right, and no two are wrong in the same way.
//!
//! What a careless release looks like to the agent: a discrepancy of a place of its own with every exchange, so that whatever
//! is kept for each group, route or case would grow without an end if nothing bounded it.

use crate::servers::{Behaviour, Received};

/// What to ask production for: `{n}` is another number each time.
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
