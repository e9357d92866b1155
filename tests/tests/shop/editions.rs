//! The demo's shop differs from its rewrite exactly as [`PLANTED`] and [`natural`](shadow_tests::shop::natural) say:
//! otherwise the demo would prove nothing.

use std::{
    io::Read as _,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use shadow_tests::{
    client::{Answer, Connection},
    shop::rpc::{Calls, Cart, DESCRIPTORS, GET, Item, LIST, PUT},
};
use tonic::{Code, Status};

struct Shop(Child, SocketAddr);

impl Shop {
    fn open(edition: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shadow-demo-service"))
            .arg(edition)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the shop answers");
        let mut said = [0; 64];
        let length = child
            .stdout
            .as_mut()
            .expect("the shop answers")
            .read(&mut said)
            .expect("the shop answers");
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        let address = said.trim().trim_start_matches("listening on ").parse();
        Self(child, address.unwrap_or_else(|error| panic!("{said:?}: {error}")))
    }

    fn get(&self, path: &str) -> Answer {
        Connection::open(self.1)
            .expect("the shop answers")
            .get(path, "")
            .expect("the shop answers")
    }

    /// The JSON without its natural differences.
    fn json(&self, path: &str) -> Value {
        let mut value: Value = serde_json::from_slice(&self.get(path).body).expect("the shop answers");
        sort_tags(&mut value);
        for member in ["trace", "viewers", "badge"] {
            value.as_object_mut().expect("the shop answers").remove(member);
        }
        for member in ["request_id", "generated_at"] {
            assert!(
                value
                    .as_object_mut()
                    .expect("the shop answers")
                    .remove(member)
                    .is_some(),
                "{path} lacks {member}"
            );
        }
        value
    }
}

fn sort_tags(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(tags) = members.get_mut("tags").and_then(Value::as_array_mut) {
                tags.sort_by_key(Value::to_string);
            }
            members.values_mut().for_each(sort_tags);
        }
        Value::Array(elements) => elements.iter_mut().for_each(sort_tags),
        _ => {}
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_rewrite_has_the_planted_faults_and_no_others() {
    let (production, rewrite) = (Shop::open("production"), Shop::open("rewrite"));
    for path in [
        "/items",
        "/items/7",
        "/search/3?q=oak",
        "/orders/9",
        "/coupons/7",
        "/recommendations/2",
    ] {
        assert_eq!(production.json(path), rewrite.json(path), "{path}");
        assert_ne!(
            production.get(path).body,
            rewrite.get(path).body,
            "{path}: members in another order"
        );
    }
    assert_eq!(production.get("/health").body, rewrite.get("/health").body);
    assert_eq!(
        production.get("/catalog").header("content-encoding"),
        Some("gzip")
    );

    let status = |shop: &Shop| shop.get("/coupons/9").status;
    assert_eq!((status(&production), status(&rewrite)), (410, 200));
    let tier = |shop: &Shop| shop.json("/customers/5")["loyalty"].get("tier").is_some();
    assert_eq!((tier(&production), tier(&rewrite)), (true, false));
    let caching = |shop: &Shop| shop.get("/terms").header("cache-control").map(str::to_owned);
    assert_ne!(caching(&production), caching(&rewrite));
    let wrong = (0..20)
        .filter(|id| production.json(&format!("/carts/{id}")) != rewrite.json(&format!("/carts/{id}")))
        .count();
    assert!(
        (5..20).contains(&wrong),
        "{wrong} of 20 carts are rounded wrongly"
    );
    assert_eq!(production.get("/invoices/1").status, 200);
}

/// A cart without its natural differences.
fn still(cart: Result<Cart, Status>) -> Cart {
    let mut cart = cart.expect("the shop answers");
    assert!(
        cart.created.take().is_some_and(|time| time.seconds > 0),
        "{cart:?}"
    );
    assert_eq!(core::mem::take(&mut cart.cart_id).len(), 36);
    cart
}

#[tokio::test]
async fn the_calls_of_the_rewrite_have_two_faults_and_no_others() {
    let (production, rewrite) = (Shop::open("production"), Shop::open("rewrite"));
    let mut old = Calls::open(production.1).await.expect("a connection");
    let mut new = Calls::open(rewrite.1).await.expect("a connection");
    for number in 1..20 {
        let (cart, mut other) = (still(old.get(number).await), still(new.get(number).await));
        assert_ne!(cart, other);
        other.items[1].unit_price -= 1;
        assert_eq!(cart, other);
        assert_eq!(old.put(number).await.expect("a key").number, 2);
        let lists: [Result<Vec<Item>, Status>; 2] = [old.list(number).await, new.list(number).await];
        match lists {
            [Err(status), Ok(none)] if number % 3 == 0 => {
                assert_eq!((status.code(), none.len()), (Code::NotFound, 0));
            }
            [Ok(list), Ok(other)] if number % 3 != 0 => assert_eq!((list.len(), list), (3, other)),
            lists => panic!("list {number}: {lists:?}"),
        }
    }
}

#[test]
fn the_messages_of_the_shop_are_those_of_its_descriptors() {
    // The names and numbers of fields, as the set of protoc has them: 0x0a is a name, 0x18 a number.
    for (name, number) in [
        ("cart_id", 1),
        ("items", 2),
        ("state", 5),
        ("created", 6),
        ("deltas", 11),
        ("weight", 12),
    ] {
        let length = u8::try_from(name.len()).expect("a short name");
        let field = [&[0x0a, length], name.as_bytes(), &[0x18, number]].concat();
        assert!(
            DESCRIPTORS.windows(field.len()).any(|bytes| bytes == field),
            "{name} = {number}"
        );
    }
    for method in [GET, LIST, PUT] {
        let name = method.rsplit('/').next().expect("a name");
        assert!(
            DESCRIPTORS
                .windows(name.len())
                .any(|bytes| bytes == name.as_bytes())
        );
    }
}
