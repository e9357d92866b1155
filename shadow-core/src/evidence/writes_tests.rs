use super::*;
use crate::compare::ShadowResponse;
use shadow_proto::exchange::{Body, Headers};
use shadow_proto::testing::{exchange, exchange_with};

const MINUTE: u64 = 60_000_000_000;

fn at(mut exchange: Exchange, nanos: u64) -> Exchange {
    let time = Some(Timestamp::from_nanos(nanos));
    exchange.timing.request_first = time;
    exchange.timing.response_last = time;
    exchange
}

fn answer(status: u16) -> Outcome {
    Outcome::Response(ShadowResponse {
        status,
        headers: Headers::default(),
        body: Body::default(),
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    })
}

fn skip(writes: &mut Writes, exchange: &Exchange) {
    writes.skipped(exchange, Skip::Policy(SkipPolicy::Write));
}

fn explained(writes: &Writes, target: &str, status: u16) -> bool {
    writes.explains(&at(exchange("GET", target), 2 * MINUTE), &answer(status))
}

#[test]
fn a_write_explains_its_resource_and_what_is_around_it() {
    let mut writes = Writes::new(WriteLimits::default());
    skip(&mut writes, &at(exchange("PUT", "/api/users/7?x=1"), MINUTE));
    for (target, expected) in [
        ("/api/users/7", true),
        ("/api/users/7/", true),
        ("http://host/api/users/7", true),
        ("/api/users/7/avatar", true),
        ("/api/users?page=2", true),
        ("/api", true),
        ("/api/users/8", false),
        ("/api/users/70", false),
        ("/api/orders/7", false),
        ("/", false),
        ("/orders", false),
    ] {
        assert_eq!(explained(&writes, target, 200), expected, "{target}");
    }
    skip(&mut writes, &at(exchange("POST", "/a/b/c/d/e"), MINUTE));
    assert!(explained(&writes, "/a/b/c", 200) && !explained(&writes, "/a/b", 200));
    let post = at(exchange("POST", "/api/users/7"), 2 * MINUTE);
    assert!(!writes.explains(&post, &answer(200)), "a write is no read");
}

#[test]
fn a_resource_that_was_made_is_missing_and_no_other_differs() {
    let mut writes = Writes::new(WriteLimits::default());
    let mut post = at(exchange("POST", "/orders"), MINUTE);
    if let Some(response) = &mut post.response {
        response.headers = Headers::from_pairs([("Location", "http://shop/orders/12")]);
    }
    skip(&mut writes, &post);
    assert!(explained(&writes, "/orders", 200), "the list is longer");
    assert!(explained(&writes, "/orders/12", 200), "it was named");
    assert!(explained(&writes, "/orders/13", 404), "it may have been made");
    assert!(!explained(&writes, "/orders/3", 200), "it was there before");
    assert!(!explained(&writes, "/orders/3", 500));
}

#[test]
fn only_later_reads_of_the_same_host_for_some_time() {
    let mut writes = Writes::new(WriteLimits::default());
    skip(
        &mut writes,
        &at(exchange_with("PUT", "/a/1", &[("Host", "Shop")]), 10 * MINUTE),
    );
    let read = |host: &str, minute: u64| {
        let read = at(exchange_with("GET", "/a/1", &[("host", host)]), minute * MINUTE);
        writes.explains(&read, &answer(200))
    };
    assert!(read("shop", 10) && read("SHOP", 69));
    assert!(!read("shop", 9), "before the write");
    assert!(!read("shop", 71), "too long ago");
    assert!(!read("other", 11));
}

#[test]
fn what_changed_nothing_explains_nothing() {
    let mut writes = Writes::new(WriteLimits::default());
    let mut refused = at(exchange("PUT", "/a/1"), MINUTE);
    if let Some(response) = &mut refused.response {
        response.status = 409;
    }
    skip(&mut writes, &refused);
    let read = at(exchange("GET", "/b/1"), MINUTE);
    writes.skipped(&read, Skip::Policy(SkipPolicy::QueueFull));
    writes.skipped(
        &at(exchange("PUT", "/c/1"), MINUTE),
        Skip::Policy(SkipPolicy::Replayed),
    );
    for target in ["/a/1", "/b/1", "/c/1"] {
        assert!(!explained(&writes, target, 200), "{target}");
    }
    assert_eq!(writes.figures(), report::Writes::default());
    // Safe by its method, a write by what overrides it; and a write that was lost in the queue.
    skip(&mut writes, &at(exchange("GET", "/b/1"), MINUTE));
    writes.skipped(
        &at(exchange("PUT", "/d/1"), MINUTE),
        Skip::Policy(SkipPolicy::QueueFull),
    );
    assert!(explained(&writes, "/b/1", 200) && explained(&writes, "/d/1", 200));
}

#[test]
fn only_differences_of_data_are_explained() {
    let found = |category, place: &str, shadow: &str| {
        may_explain(&Discrepancy {
            category,
            place: place.to_owned(),
            production: "200".to_owned(),
            shadow: shadow.to_owned(),
        })
    };
    assert!(found(Category::Status, "status", "404") && !found(Category::Status, "status", "503"));
    assert!(
        found(Category::Header, "header etag", "x") && !found(Category::Header, "header cache-control", "x")
    );
    assert!(found(Category::Value, "$.total", "1") && !found(Category::Decode, "body", "x"));
}

#[test]
fn the_paths_are_bounded_and_the_latest_stay() {
    let limits = WriteLimits {
        paths: 100,
        ..WriteLimits::default()
    };
    let mut writes = Writes::new(limits);
    for number in 0..100_000 {
        skip(
            &mut writes,
            &at(exchange("PUT", &format!("/a/b/c/{number}")), MINUTE),
        );
    }
    let figures = writes.figures();
    assert!(figures.paths <= 102 && figures.evicted > 90_000, "{figures:?}");
    assert!(explained(&writes, "/a/b/c/99999", 200) && explained(&writes, "/a/b/c", 200));
    assert!(!explained(&writes, "/a/b/c/5", 200), "forgotten");
    let long = format!("/a{}", "/b".repeat(100));
    skip(&mut writes, &at(exchange("PUT", &long), MINUTE));
    assert!(!explained(&writes, &long, 200));
    let mut none = Writes::new(WriteLimits { paths: 0, ..limits });
    skip(&mut none, &at(exchange("PUT", "/a/1"), MINUTE));
    assert!(!explained(&none, "/a/1", 200));
}
