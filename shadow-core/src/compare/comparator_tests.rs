//! Rules by route, statuses, error responses, and the reported usage of rules.

use super::{tests::*, *};
use crate::compare::RuleUsage;
use shadow_proto::testing;

fn rules(json: &str) -> Comparator {
    let rules = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    Comparator::new(rules).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn found_on(comparator: &Comparator, request: &str, a: &Answer, b: &Answer) -> Vec<String> {
    let (method, target) = request.split_once(' ').expect("method and target");
    comparator
        .compare(&testing::exchange(method, target).request, a.side(), b.side())
        .into_iter()
        .map(|found| format!("{} {}", found.category.as_str(), found.place))
        .collect()
}

fn under(json: &str, a: &Answer, b: &Answer) -> Vec<String> {
    found_on(&rules(json), "GET /", a, b)
}

#[test]
fn a_status_is_exact_or_of_a_class_or_listed() {
    let (ok, created, empty, moved, gone) = (
        answer(200, JSON, "{}"),
        answer(201, JSON, "{}"),
        answer(204, JSON, "{}"),
        answer(301, &[], ""),
        answer(410, &[], ""),
    );
    assert_eq!(under("{}", &ok, &created), ["status status"]);
    assert_eq!(under(r#"{"status": "class"}"#, &ok, &created), [""; 0]);
    assert_eq!(under(r#"{"status": "class"}"#, &ok, &moved), ["status status"]);
    let listed = r#"{"same_status": [[200, 204], [301, 308]]}"#;
    assert_eq!(under(listed, &ok, &empty), [""; 0]);
    assert_eq!(under(listed, &empty, &ok), [""; 0]);
    assert_eq!(under(listed, &ok, &created), ["status status"]);
    // With two classes nothing else is compared, even if the list has both codes.
    assert_eq!(under(r#"{"same_status": [[301, 410]]}"#, &moved, &gone), [""; 0]);
}

#[test]
fn errors_are_compared_by_what_kind_they_are() {
    const PROBLEM: Fields<'_> = &[("Content-Type", "application/problem+json; charset=utf-8")];
    let problem = |text: &str| answer(404, PROBLEM, text);
    let a = problem(r#"{"type":"/errors/gone","title":"Gone","detail":"item 7 is gone"}"#);
    let same = problem(r#"{"type":"/errors/gone","title":"Not here","detail":"no item 7"}"#);
    let other = problem(r#"{"type":"/errors/never","title":"Gone"}"#);
    let blank = problem(r#"{"title":"Not Found"}"#);
    assert_eq!(under("{}", &a, &same), [""; 0]);
    assert_eq!(under("{}", &a, &other), ["error_type $.type"]);
    assert_eq!(under("{}", &a, &blank), ["error_type $.type"]);
    assert_eq!(
        under("{}", &blank, &problem(r#"{"type":"about:blank"}"#)),
        [""; 0]
    );
    assert_eq!(
        under(r#"{"errors": "whole", "text": "whole"}"#, &a, &same).len(),
        2
    );
    assert_eq!(under(r#"{"errors": "status"}"#, &a, &other), [""; 0]);

    let own = |code: &str, message: &str| {
        answer(
            500,
            JSON,
            format!(r#"{{"error":{{"code":{code},"message":"{message}"}}}}"#),
        )
    };
    let pointer = r#"{"error_type": ["/code", "/error/code"]}"#;
    assert_eq!(under(pointer, &own("7", "oh"), &own("7", "ah")), [""; 0]);
    assert_eq!(
        under(pointer, &own("7", "oh"), &own("8", "oh")),
        ["error_type $.error.code"]
    );
    assert_eq!(
        under(pointer, &own("7", "oh"), &answer(500, JSON, "oh")),
        ["error_type $.error.code"],
        "an error that no longer says what it is"
    );
    assert_eq!(
        under("{}", &own("7", "oh"), &own("7", "ah")),
        ["value $.error.message"],
        "where neither says what it is the whole content counts"
    );
    let not_an_error = |text: &str| answer(200, JSON, text);
    assert_eq!(
        under(
            pointer,
            &not_an_error(r#"{"code":1,"x":1}"#),
            &not_an_error(r#"{"code":1,"x":2}"#)
        ),
        ["value $.x"]
    );
}

#[test]
fn entries_of_routes_are_added_in_their_order() {
    let comparator = rules(
        r#"{
            "ignore": ["$.trace"],
            "arrays": "multiset",
            "routes": [
                {"route": "GET /users/{id}", "ignore": ["$.seen"], "arrays": "ordered", "headers": ["vary"]},
                {"route": "/users/**", "places": [{"path": "$.n", "format": "integer"}], "arrays": "set"}
            ]
        }"#,
    );
    let a = answer(
        200,
        &[
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
        ],
        r#"{"trace":1,"seen":1,"n":1,"list":[1,1,2]}"#,
    );
    let b = answer(200, JSON, r#"{"trace":2,"seen":2,"n":2,"list":[2,1]}"#);
    assert_eq!(found_on(&comparator, "GET /users/1", &a, &b), [""; 0]);
    assert_eq!(
        found_on(&comparator, "PUT /users/1", &a, &b),
        ["header header cache-control", "value $.seen"],
        "only the second entry is for it"
    );
    assert_eq!(
        found_on(&comparator, "GET /orders", &a, &b),
        [
            "header header cache-control",
            "value $.seen",
            "value $.n",
            "missing $.list[1]"
        ]
    );
}

#[test]
fn fields_of_forms_are_places_too() {
    const FORM: Fields<'_> = &[("Content-Type", "application/x-www-form-urlencoded")];
    let form = |text: &str| answer(200, FORM, text);
    let some = r#"{
        "ignore": ["$.nonce"],
        "places": [
            {"path": "$.id", "format": "integer"},
            {"path": "$['sum[net]']", "tolerance": {"absolute": 0.01}},
            {"path": "$.more", "added": "allow"}
        ]
    }"#;
    let a = form("nonce=1&id=7&sum[net]=1.001&name=x");
    assert_eq!(
        under(some, &a, &form("id=8&sum[net]=1.005&name=x&more=1")),
        [""; 0]
    );
    assert_eq!(
        under(some, &a, &form("nonce=2&id=x&sum[net]=1.2&name=y&name=x&new=1")),
        [
            "value field id",
            "value field name",
            "added field name",
            "added field new",
            "value field sum[net]"
        ]
    );
}

fn usage<'u>(all: &'u [RuleUsage], rule: &str) -> &'u RuleUsage {
    let found = all.iter().find(|usage| usage.rule == rule);
    found.unwrap_or_else(|| panic!("no {rule} in {all:#?}"))
}

#[test]
fn a_rule_that_never_matched_or_hides_everything_is_known() {
    let comparator = rules(
        r#"{
            "ignore": ["$.id", "$.idd"],
            "same_status": [[200, 204]],
            "error_type": ["/code"],
            "routes": [
                {"route": "GET /all", "ignore": ["$..*"]},
                {"route": "GET /nothing", "ignore": ["$.x"]}
            ]
        }"#,
    );
    // Also for answers that are identical byte for byte.
    let a = answer(200, JSON, r#"{"id":1,"name":"x"}"#);
    for _ in 0..200 {
        assert_eq!(found_on(&comparator, "GET /", &a, &a), [""; 0]);
    }
    let b = answer(200, JSON, r#"{"id":2,"name":"y"}"#);
    assert_eq!(found_on(&comparator, "GET /all", &a, &b), [""; 0]);
    let all = comparator.usage();
    let id = usage(&all, "compare.ignore[0]");
    assert_eq!((id.matched, id.hid_all), (id.asked, 0), "{id:?}");
    assert!(
        (64..100).contains(&id.asked),
        "a share of the answers is looked at: {id:?}"
    );
    let typo = usage(&all, "compare.ignore[1]");
    assert_eq!((typo.what.as_str(), typo.matched), ("$.idd", 0), "{typo:?}");
    assert!(
        typo.warning()
            .is_some_and(|text| text.contains("matched nothing")),
        "{typo:?}"
    );
    let broad = usage(&all, "compare.routes[0].ignore[0]");
    assert_eq!(
        (broad.asked, broad.matched, broad.hid_all),
        (1, 1, 1),
        "{broad:?}"
    );
    assert!(
        broad
            .warning()
            .is_some_and(|text| text.contains("hides the whole body")),
        "{broad:?}"
    );
    assert_eq!(usage(&all, "compare.routes[0]").matched, 1);
    assert!(
        usage(&all, "compare.routes[1]").warning().is_some(),
        "no request is for it"
    );
    assert_eq!(
        usage(&all, "compare.routes[1].ignore[0]").warning(),
        None,
        "it had no chance yet"
    );
    assert_eq!(usage(&all, "compare.same_status[0]").warning(), None);
    assert_eq!(usage(&all, "compare.error_type[0]").warning(), None);
}

#[test]
fn rules_that_cannot_work_are_refused() {
    for (json, start) in [
        (
            r#"{"ignore": ["$.a", "a"]}"#,
            "\"a\" is no path that can be used, at column 1",
        ),
        (
            r#"{"headers": ["content type"]}"#,
            "\"content type\" is no header field name",
        ),
        (r#"{"header_presence": [""]}"#, "\"\" is no header field name"),
        (
            r#"{"tolerance": {"absolute": -1}}"#,
            "a tolerance is a number of at least 0, not -1",
        ),
        (r#"{"ignroe": []}"#, "unknown field `ignroe`"),
        (r#"{"discrepancies": 0}"#, "compare.discrepancies: 0 is less"),
        (r#"{"decoded": 10}"#, "compare.decoded: 10 is less"),
        (
            r#"{"same_status": [[0, 17]]}"#,
            "compare.same_status[0]: 17 is no status code",
        ),
        (
            r#"{"same_status": [[5, 404]]}"#,
            "compare.same_status[0]: 404 is a status of HTTP among codes of gRPC; make two lists of it",
        ),
        (
            r#"{"same_status": [[200, 99]]}"#,
            "compare.same_status[0]: 99 is no status code",
        ),
        (
            r#"{"places": [{"path": "$.a"}]}"#,
            "compare.places[0]: $.a: the rule asks nothing",
        ),
        (
            r#"{"routes": [{"route": "/", "places": [{"path": "$.a", "key": "id", "arrays": "set"}]}]}"#,
            "compare.routes[0].places[0]: $.a: arrays and key exclude each other",
        ),
        (
            r#"{"places": [{"path": "$.a", "ignore": true, "format": "uuid"}]}"#,
            "compare.places[0]: $.a: nothing else is asked",
        ),
    ] {
        let error = match serde_json::from_str(json) {
            Ok(rules) => Comparator::new(rules).expect_err(json).to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.starts_with(start), "{json}: {error}");
    }
}

#[test]
fn a_304_and_the_answer_in_its_place_are_compared_by_what_both_have() {
    const ETAG: Fields<'_> = &[("If-None-Match", "\"p\"")];
    let not_modified = answer(304, &[("ETag", "\"p\""), ("Cache-Control", "max-age=60")], "");
    let full = |headers| answer(200, headers, "{\"a\": 1}");
    let same = full(&[
        ("ETag", "\"s\""),
        ("Cache-Control", "max-age=60"),
        ("Content-Type", "application/json"),
        ("Location", "/a"),
    ]);
    let cached_otherwise = full(&[("ETag", "\"s\""), ("Cache-Control", "no-store")]);
    let without_etag = full(&[("Cache-Control", "max-age=60")]);
    let part = answer(
        206,
        &[("ETag", "\"s\""), ("Cache-Control", "max-age=60")],
        "{\"a\"",
    );
    let found = |comparator: &Comparator, request: Fields<'_>, shadow: &Answer| -> Vec<String> {
        let request = testing::exchange_with("GET", "/", request).request;
        let found = comparator.compare(&request, not_modified.side(), shadow.side());
        found
            .into_iter()
            .map(|found| format!("{} {}", found.category.as_str(), found.place))
            .collect()
    };
    let mut comparator = rules("{}");
    let since: Fields<'_> = &[("if-modified-since", "Sat, 29 Oct 1994 19:43:31 GMT")];
    let ranged: Fields<'_> = &[("If-None-Match", "\"p\""), ("Range", "bytes=0-3")];
    assert_eq!(found(&comparator, ETAG, &same), [""; 0]);
    assert_eq!(found(&comparator, since, &same), [""; 0]);
    assert_eq!(found(&comparator, ranged, &part), [""; 0]);
    assert_eq!(
        found(&comparator, ETAG, &part),
        ["status status"],
        "no part was asked for"
    );
    assert_eq!(
        found(&comparator, ETAG, &cached_otherwise),
        [
            "header header cache-control max-age",
            "header header cache-control no-store"
        ]
    );
    assert_eq!(found(&comparator, ETAG, &without_etag), ["header header etag"]);
    assert_eq!(found(&comparator, ETAG, &answer(404, &[], "")), ["status status"]);
    assert_eq!(
        found(&comparator, &[], &same),
        ["status status"],
        "nobody asked for a 304"
    );
    comparator.kept_validators(true);
    assert_eq!(found(&comparator, ETAG, &same), ["status status"]);
}

#[test]
fn a_304_names_less_in_vary_than_the_answer_in_its_place() {
    let request = testing::exchange_with("GET", "/", &[("If-None-Match", "\"p\"")]).request;
    let found = |production: &str, shadow: Fields<'_>| -> Vec<String> {
        let (old, new) = (answer(304, &[("Vary", production)], ""), answer(200, shadow, "a"));
        let found = rules("{}").compare(&request, old.side(), new.side());
        found.into_iter().map(|found| found.place).collect()
    };
    let compressed: Fields<'_> = &[("Vary", "accept-encoding"), ("Vary", "ORIGIN")];
    assert_eq!(found("Origin", compressed), [""; 0]);
    assert_eq!(found("Origin, Cookie", compressed), ["header vary cookie"]);
    assert_eq!(found("Origin", &[("Vary", "Cookie")]), ["header vary"]);
    assert_eq!(found("Origin", &[]), ["header vary"]);
}

#[test]
fn a_part_is_compared_with_the_same_part_of_a_whole_answer() {
    const IF_RANGE: Fields<'_> = &[("Range", "bytes=2-5"), ("If-Range", "\"p\"")];
    const TEXT: (&str, &str) = ("Content-Type", "text/plain");
    let part = answer(206, &[TEXT, ("Content-Range", "bytes 2-5/8")], "2345");
    let whole = |body: &str| answer(200, &[TEXT], body);
    let found = |comparator: &Comparator, request: Fields<'_>, a: &Answer, b: &Answer| {
        let request = testing::exchange_with("GET", "/", request).request;
        !comparator.compare(&request, a.side(), b.side()).is_empty()
    };
    let mut comparator = rules("{}");
    assert!(!found(&comparator, IF_RANGE, &part, &whole("01234567")));
    for other in ["01234x67", "0123", "0", ""] {
        assert!(found(&comparator, IF_RANGE, &part, &whole(other)), "{other:?}");
    }
    for odd in [
        "bytes 2-5",
        "bytes 5-18446744073709551615/8",
        "items 2-5/8",
        "bytes */8",
        "",
    ] {
        let odd = answer(206, &[TEXT, ("Content-Range", odd)], "2345");
        assert!(
            !found(&comparator, IF_RANGE, &odd, &whole("01234567")),
            "nothing can be cut"
        );
    }
    let other_type = answer(200, &[("Content-Type", "text/html")], "01234567");
    assert!(found(&comparator, IF_RANGE, &part, &other_type));
    assert!(
        found(&comparator, &[("Range", "bytes=2-5")], &part, &whole("01234567")),
        "the range was sent"
    );
    comparator.kept_validators(true);
    assert!(found(&comparator, IF_RANGE, &part, &whole("01234567")));
}

#[test]
fn a_redirect_to_the_port_that_the_shadow_system_listens_on_is_one_to_the_host_that_was_asked() {
    for (host, to, port, expected) in [
        // Production names no port: its clients may not reach this one.
        ("shop.example", "http://shop.example:9090/a", Some(9090), 1),
        ("shop.example:80", "http://shop.example:9090/a", Some(9090), 0),
        ("127.0.0.1:8080", "http://127.0.0.1:9090/a", Some(9090), 0),
        ("[::1]:8080", "http://[::1]:9090/a", Some(9090), 0),
        ("shop.example:80", "http://shop.example:9091/a", Some(9090), 1),
        ("shop.example:80", "http://shop.example:9090/a", None, 1),
        ("shop.example:80", "http://other.example:9090/a", Some(9090), 1),
        ("shop.example:80", "http://shop.example:9090/b", Some(9090), 1),
    ] {
        let mut comparator = rules("{}");
        comparator.shadow_port(port);
        let request = testing::exchange_with("GET", "/old", &[("Host", host)]).request;
        let own = format!("http://{host}/a");
        let (old, new) = (
            answer(301, &[("Location", &own)], ""),
            answer(301, &[("Location", to)], ""),
        );
        let found = comparator.compare(&request, old.side(), new.side());
        assert_eq!(found.len(), expected, "{host} {to} {port:?}: {found:?}");
    }
}
