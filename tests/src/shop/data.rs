//! The shop's data: computed from the identifier, so that both editions agree without sharing anything.

use serde_json::{Value, json};

use super::Edition;

/// Price of an item in cents.
fn cents(id: u64) -> u64 {
    211 + (id * 7919) % 9_803
}

fn money(cents: u64) -> Value {
    // Exactly two decimals, as a decimal type would print them.
    serde_json::from_str(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap_or(Value::Null)
}

/// The member of `choices` selected by an identifier.
fn pick(choices: &[&'static str], id: u64) -> &'static str {
    let count = choices.len().max(1) as u64;
    choices
        .iter()
        .zip(0..)
        .find(|(_, at)| *at == id % count)
        .map_or("", |(choice, _)| choice)
}

/// One item.
pub fn item(id: u64) -> Value {
    json!({
        "id": id,
        "name": format!("{} {}", pick(&["Oak", "Pine", "Steel", "Glass"], id),
            pick(&["table", "lamp", "chair"], id)),
        "price": money(cents(id)),
        "tags": [format!("room-{}", id % 5), format!("series-{}", id % 11), pick(&["new", "used"], id), "delivered"],
        "dimensions": { "width_mm": 100 + id % 900, "depth_mm": 100 + id % 700 },
    })
}

/// A page of items.
pub fn items(from: u64, count: u64) -> Value {
    json!({ "from": from, "items": (from..from + count).map(item).collect::<Vec<_>>() })
}

/// An order and its state.
pub fn order(id: u64) -> Value {
    let state = pick(&["received", "packed", "sent", "delivered"], id);
    json!({ "id": id, "state": state, "lines": [item(id), item(id + 1)] })
}

/// A customer. The rewrite omits one member.
pub fn customer(id: u64, edition: Edition) -> Value {
    let mut value = json!({
        "id": id,
        "name": format!("Customer {id}"),
        "loyalty": { "points": id * 3 % 1000, "tier": pick(&["wood", "silver"], id) },
    });
    if edition == Edition::Rewrite
        && let Some(loyalty) = value["loyalty"].as_object_mut()
    {
        loyalty.remove("tier");
    }
    value
}

/// A cart with a discount of 7 %. The rewrite truncates where production rounds half up.
pub fn cart(id: u64, edition: Edition) -> Value {
    let subtotal: u64 = (id..id + 3).map(cents).sum();
    let discounted = subtotal * 93;
    let total = match edition {
        Edition::Production => (discounted + 50) / 100,
        Edition::Rewrite => discounted / 100,
    };
    json!({ "id": id, "items": [item(id), item(id + 1), item(id + 2)], "subtotal": money(subtotal), "total": money(total) })
}

/// Whether a coupon has expired. The rewrite does not check.
pub fn coupon(id: u64, edition: Edition) -> Option<Value> {
    let expired = id.is_multiple_of(3);
    (!expired || edition == Edition::Rewrite).then(|| json!({ "id": id, "percent": 5 + id % 20 }))
}

/// A text that both serve identically.
pub const TERMS: &str = "1. Goods stay ours until they are paid.\n2. They may be sent back within 30 days.\n";
