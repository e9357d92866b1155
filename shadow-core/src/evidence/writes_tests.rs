use super::*;
use crate::evidence::testing::answered;
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
    answered(status, Duration::ZERO)
}

fn skip(writes: &mut Writes, exchange: &Exchange) {
    writes.skipped(exchange, Skip::Policy(SkipPolicy::Write));
}

/// A read with production's answer.
fn read(target: &str, body: &str, nanos: u64) -> Exchange {
    let mut read = at(exchange("GET", target), nanos);
    if let Some(response) = &mut read.response {
        response.body = Body::whole(body.to_owned());
    }
    read
}

fn explains(writes: &mut Writes, exchange: &Exchange, status: u16) -> bool {
    writes.read(exchange);
    writes.explains(exchange, &answer(status))
}

/// Whether a read is explained if production's answer to it changed.
fn explained(writes: &mut Writes, target: &str, status: u16) -> bool {
    writes.reads = Generations::default();
    writes.read(&read(target, "before", MINUTE / 2));
    explains(writes, &read(target, "after", 2 * MINUTE), status)
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
        assert_eq!(explained(&mut writes, target, 200), expected, "{target}");
    }
    skip(&mut writes, &at(exchange("POST", "/a/b/c/d/e"), MINUTE));
    assert!(explained(&mut writes, "/a/b/c", 200) && !explained(&mut writes, "/a/b", 200));
    let post = at(exchange("POST", "/api/users/7"), 2 * MINUTE);
    assert!(!explains(&mut writes, &post, 200), "a write is no read");
    let options = at(exchange("OPTIONS", "/api/users/7"), 2 * MINUTE);
    assert!(
        !explains(&mut writes, &options, 200),
        "no write changes what is allowed"
    );
}

#[test]
fn a_resource_that_was_made_is_missing_and_no_other_differs() {
    let mut writes = Writes::new(WriteLimits::default());
    let mut post = at(exchange("POST", "/orders"), MINUTE);
    if let Some(response) = &mut post.response {
        response.headers = Headers::from_pairs([("Location", "http://shop/orders/12")]);
    }
    skip(&mut writes, &post);
    assert!(explained(&mut writes, "/orders", 200), "the list is longer");
    assert!(explained(&mut writes, "/orders/12", 200), "it was named");
    assert!(explained(&mut writes, "/orders/13", 404), "it may have been made");
    assert!(!explained(&mut writes, "/orders/3", 200), "it was there before");
    assert!(!explained(&mut writes, "/orders/3", 500));
}

#[test]
fn where_the_new_resource_is_named_no_other_is_missing() {
    for (status, location, expected) in [
        (201, Some("/orders/12"), false),
        (201, Some("http://shop/orders/12"), false),
        (201, None, true),
        (201, Some("/jobs/7"), true),
        (201, Some("/orders"), true),
        (200, Some("/orders/12"), true),
    ] {
        let mut writes = Writes::new(WriteLimits::default());
        let mut post = at(exchange("POST", "/orders/"), MINUTE);
        if let Some(response) = &mut post.response {
            response.status = status;
            response.headers = Headers::from_pairs(location.map(|location| ("Location", location)));
        }
        skip(&mut writes, &post);
        assert!(explained(&mut writes, "/orders", 200), "the list is longer");
        let other = explained(&mut writes, "/orders/13", 404);
        assert_eq!(other, expected, "{status} {location:?}");
    }
}

#[test]
fn only_later_reads_of_the_same_host_for_some_time() {
    let mut writes = Writes::new(WriteLimits::default());
    skip(
        &mut writes,
        &at(exchange_with("PUT", "/a/1", &[("Host", "Shop")]), 10 * MINUTE),
    );
    let mut read = |host: &str, minute: u64| {
        let read = at(exchange_with("GET", "/a/1", &[("host", host)]), minute * MINUTE);
        writes.read(&read);
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
        assert!(!explained(&mut writes, target, 200), "{target}");
    }
    assert_eq!(writes.figures(), report::Writes::default());
    // Safe by its method but a write by its override; and a write that was lost in the queue.
    skip(&mut writes, &at(exchange("GET", "/b/1"), MINUTE));
    writes.skipped(
        &at(exchange("PUT", "/d/1"), MINUTE),
        Skip::Policy(SkipPolicy::QueueFull),
    );
    assert!(explained(&mut writes, "/b/1", 200) && explained(&mut writes, "/d/1", 200));
}

#[test]
fn only_differences_of_data_are_explained() {
    let found = |category, place: &str, shadow: &str| {
        may_explain(&Discrepancy {
            category,
            place: place.to_owned(),
            production: "200".to_owned(),
            shadow: shadow.to_owned(),
            leaves: 1,
        })
    };
    assert!(found(Category::Status, "status", "404") && !found(Category::Status, "status", "503"));
    assert!(
        found(Category::Header, "header etag", "x") && !found(Category::Header, "header cache-control", "x")
    );
    assert!(!found(Category::Header, "header etag", "(absent)"));
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
    assert!(explained(&mut writes, "/a/b/c/99999", 200) && explained(&mut writes, "/a/b/c", 200));
    assert!(!explained(&mut writes, "/a/b/c/5", 200), "forgotten");
    let long = format!("/a{}", "/b".repeat(100));
    skip(&mut writes, &at(exchange("PUT", &long), MINUTE));
    assert!(!explained(&mut writes, &long, 200));
    let mut none = Writes::new(WriteLimits { paths: 0, ..limits });
    skip(&mut none, &at(exchange("PUT", "/a/1"), MINUTE));
    assert!(!explained(&mut none, "/a/1", 200));
}

#[test]
fn a_collection_is_explained_only_where_production_changed_across_the_write() {
    let mut writes = Writes::new(WriteLimits::default());
    let get = |body: &str, minutes: u64| read("/users?city=Bern", body, minutes * MINUTE);
    let post = |writes: &mut Writes, minutes: u64| {
        skip(writes, &at(exchange("POST", "/users"), minutes * MINUTE));
    };
    post(&mut writes, 1);
    assert!(
        !explains(&mut writes, &get("a", 2), 200),
        "nothing is known from before"
    );
    post(&mut writes, 3);
    assert!(!explains(&mut writes, &get("a", 4), 200), "it did not change");
    assert!(
        !explains(&mut writes, &get("b", 5), 200),
        "it changed, and nothing was written"
    );
    post(&mut writes, 6);
    assert!(
        explains(&mut writes, &get("c", 7), 200),
        "it changed across the write"
    );
    assert!(explains(&mut writes, &get("c", 8), 200), "and is as it became");
    assert!(!explains(&mut writes, &get("c", 68), 200), "too long ago");
}

#[test]
fn a_written_resource_is_explained_unless_it_is_known_not_to_have_changed() {
    let mut writes = Writes::new(WriteLimits::default());
    let put = |writes: &mut Writes, minutes: u64| {
        skip(writes, &at(exchange("PUT", "/users/7"), minutes * MINUTE));
    };
    writes.read(&read("/users/7/avatar", "a", MINUTE / 2));
    put(&mut writes, 1);
    let user = |minutes: u64| read("/users/7", "a", minutes * MINUTE);
    let avatar = |minutes: u64| read("/users/7/avatar", "a", minutes * MINUTE);
    assert!(
        explains(&mut writes, &user(2), 200),
        "nothing is known from before"
    );
    assert!(!explains(&mut writes, &avatar(2), 200), "it did not change");
    put(&mut writes, 3);
    assert!(explains(&mut writes, &user(4), 200), "the same was written twice");
    assert!(!explains(&mut writes, &avatar(4), 200));
}

#[test]
fn noise_is_no_change() {
    let mut writes = Writes::new(WriteLimits::default());
    let post =
        |writes: &mut Writes, minute: u64| skip(writes, &at(exchange("POST", "/users"), minute * MINUTE));
    let get = |body: &str, minute: u64| read("/users", body, minute * MINUTE);
    let minute = |minute: u64| Timestamp::from_nanos(minute * MINUTE);
    writes.read(&get("trace 1", 1));
    post(&mut writes, 2);
    let again = get("trace 2", 3);
    assert!(writes.is_written(&again, minute(1)) && !writes.is_written(&again, minute(2)));
    writes.same(&again, minute(1));
    assert!(!explains(&mut writes, &again, 200), "only the trace differs");
    post(&mut writes, 4);
    let later = get("trace 3, and a user", 5);
    writes.same(&get("trace 2", 3), minute(2));
    assert!(
        explains(&mut writes, &later, 200),
        "nothing is known of this answer"
    );
    let last = get("trace 4, and a user", 6);
    writes.same(&last, minute(5));
    assert!(explains(&mut writes, &last, 200), "it is as it became");
}

#[test]
fn only_data_and_a_missing_resource_are_explained() {
    let found = |category, production: &str, shadow: &str| Discrepancy {
        category,
        place: "$.a".to_owned(),
        production: production.to_owned(),
        shadow: shadow.to_owned(),
        leaves: 1,
    };
    for (category, production, shadow, expected) in [
        (Category::Value, "1", "2", true),
        (Category::Missing, "{}", "(absent)", true),
        (Category::Type, "[]", "{}", false),
        (Category::Type, "1", "\"1\"", false),
        (Category::Status, "200", "404", true),
        (Category::Status, "404", "200", true),
        (Category::Status, "200", "400", false),
        (Category::Status, "200", "500", false),
        (Category::Status, "301", "404", false),
    ] {
        let found = found(category, production, shadow);
        assert_eq!(may_explain(&found), expected, "{found:?}");
    }
}
