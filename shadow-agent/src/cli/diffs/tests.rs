use serde_json::json;
use shadow_core::evidence::report::{Group, Sample};

use super::ignore::{inserted, rule};
use crate::config::{Config, example};

fn group(category: &str, place: &str) -> Group {
    Group {
        id: "0123456789ab".to_owned(),
        route: "GET /users/{id}".to_owned(),
        category: category.to_owned(),
        place: place.to_owned(),
        samples: vec![Sample {
            production: "200".to_owned(),
            shadow: "204".to_owned(),
            ..Sample::default()
        }],
        ..Group::default()
    }
}

#[test]
fn each_kind_of_difference_has_its_rule_or_a_reason_why_not() {
    let config = Config::default();
    let of = |category, place| rule(&group(category, place), &config);
    assert_eq!(
        of("value", "$.items[*].price"),
        Ok(json!({"route": "GET /users/{id}", "ignore": ["$.items[*].price"]}))
    );
    for (place, path) in [
        ("/order/item/@id", "/order/item/@id"),
        ("/f/input[@name='csrf']/@value", "/f/input[@name='csrf']/@value"),
        ("event * $.at", "$.at"),
        ("part * /a/text()", "/a/text()"),
    ] {
        assert_eq!(
            of("value", place),
            Ok(json!({"route": "GET /users/{id}", "ignore": [path]}))
        );
    }
    let why = of("value", "line *").expect_err("no rule");
    assert!(why.contains("compare.mask"), "{why}");
    assert_eq!(
        of("status", "status"),
        Ok(json!({"route": "GET /users/{id}", "same_status": [[200, 204]]}))
    );
    let headers = of("header", "header cache-control").expect("a rule");
    assert_eq!(headers["headers"], json!(["content-type", "location"]));
    for (category, place) in [("timeout", "response"), ("length", "body")] {
        let why = of(category, place).expect_err("no rule");
        assert!(why.contains("no rule") && why.contains(category), "{why}");
    }
    let why = of("value", "$.users['[redacted:00112233]']").expect_err("no rule");
    assert!(why.contains("redacted"), "{why}");
}

/// The text with the rule inserted, parsed as a configuration.
fn written(before: &str, entry: &serde_json::Value) -> String {
    let after = inserted(before, entry).unwrap_or_else(|| panic!("it was left alone:\n{before}"));
    Config::parse("test".as_ref(), &after).expect(&after);
    after
}

#[test]
fn a_rule_is_written_beside_the_comments_of_the_file() {
    let entry = rule(&group("value", "$['it\\'s'].x"), &Config::default()).expect("a rule");
    let again = rule(&group("value", "$.b"), &Config::default()).expect("a rule");
    for before in [
        "",
        "# nothing yet\n",
        "shadow:\n  url: http://127.0.0.1:1 # mine\n",
        "compare: # rules\n  ignore: ['$.a'] # ids\nshadow:\n  timeout: 3s\n",
        "compare:\n  routes: [] # none yet\n  arrays: multiset\n",
        "compare:\n    routes:\n        # the first\n        - route: GET /a\n          ignore:\n            - $.x\n\n        \
         # the last\n        - {route: GET /b, ignore: ['$.y']}\n    # behind\n    arrays: multiset\n",
        "compare:\n  routes:\n  - route: GET /a\n    ignore: ['$.x']\n  arrays: multiset\n",
        example::EXAMPLE,
    ] {
        let once = written(before, &entry);
        let twice = written(&once, &again);
        for line in before.lines().filter(|line| line.contains('#')) {
            let comment = &line[line.find('#').expect("a comment")..];
            assert!(twice.contains(comment), "{comment:?} is gone:\n{twice}");
        }
        assert!(
            twice.find("$.b") > twice.find("it\\''s"),
            "later ones stand below:\n{twice}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_changed_safely_is_left_alone() {
    let entry = rule(&group("value", "$.a"), &Config::default()).expect("a rule");
    for before in [
        "{compare: {arrays: multiset}}\n",
        "compare: {arrays: multiset}\n",
        "compare:\n  routes: [{route: GET /a, ignore: ['$.x']}]\n",
        "compare: &anchor\n  arrays: multiset\n",
        "not: [valid\n",
        "nosuch: 1\n",
    ] {
        assert_eq!(inserted(before, &entry), None, "{before}");
    }
}
