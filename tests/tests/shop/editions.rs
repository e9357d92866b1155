//! The demo's shop differs from its rewrite exactly as [`PLANTED`] and [`natural`](shadow_tests::shop::natural) say:
//! otherwise the demo would prove nothing.

use std::{
    io::Read as _,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use shadow_tests::client::{Answer, Connection};

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
