use serde_json::{Value, json};
use shadow_core::{
    case::{Answered, Case, CaseRequest, Field},
    compare::Comparator,
    evidence::report::{Cause, Group, Report, Sample, Standing},
    redact::RedactedBody,
};

use super::{
    accept::{rules, tell, written as accepted},
    ignore::{inserted, rule},
    sort::Sort,
    verify::{effect, is_at},
};
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
    let listed = |rule: &Value, list: &str| -> Vec<String> {
        serde_json::from_value(rule[list].clone()).expect("names")
    };
    let (all, left) = (Config::default().compare.headers, listed(&headers, "headers"));
    let others = all
        .iter()
        .map(shadow_core::compare::FieldName::as_str)
        .filter(|name| *name != "cache-control");
    assert_eq!(left, others.collect::<Vec<_>>());
    let limits = of("header", "header x-ratelimit-reset").expect("a rule");
    let left = listed(&limits, "header_presence");
    assert!(!left.contains(&"x-ratelimit-*".to_owned()), "{left:?}");
    assert!(left.contains(&"etag".to_owned()), "{left:?}");
    for (category, place) in [("timeout", "response"), ("length", "body")] {
        let why = of(category, place).expect_err("no rule");
        assert!(why.contains("no rule") && why.contains(category), "{why}");
    }
    let why = of("value", "$.users['[redacted:00112233]']").expect_err("no rule");
    assert!(why.contains("redacted"), "{why}");
}

/// The text with the rule inserted, parsed as a configuration.
fn written(before: &str, entry: &Value) -> String {
    let after = inserted(before, entry, "").unwrap_or_else(|| panic!("it was left alone:\n{before}"));
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
        assert_eq!(inserted(before, &entry, ""), None, "{before}");
    }
}

fn answer(text: &str) -> Answered {
    Answered {
        status: 200,
        headers: vec![Field {
            name: "Content-Type".to_owned(),
            value: "application/json".to_owned(),
        }],
        body: RedactedBody {
            len: text.len() as u64,
            text: Some(text.to_owned()),
            ..RedactedBody::default()
        },
        ..Answered::default()
    }
}

fn recorded(production: &str, shadow: &str) -> Case {
    Case {
        id: "0000000000000001".to_owned(),
        route: "GET /users/{id}".to_owned(),
        request: CaseRequest {
            method: "GET".to_owned(),
            target: "/users/7".to_owned(),
            ..CaseRequest::default()
        },
        production: answer(production),
        shadow: Some(answer(shadow)),
        ..Case::default()
    }
}

fn comparators(rules: &[Value]) -> (Comparator, Comparator) {
    let after = accepted("", rules, "as agreed").expect("it can be written");
    let config = Config::parse("test".as_ref(), &after).expect(&after);
    let [before, after] =
        [Config::default(), config].map(|config| Comparator::new(config.compare).expect("rules"));
    (before, after)
}

#[test]
fn rules_of_one_route_are_one_entry_with_the_reason() {
    let groups = [
        group("value", "$.price"),
        group("missing", "$.role"),
        group("status", "status"),
        group("length", "body"),
    ];
    let (rules, without) = rules(&groups.iter().collect::<Vec<_>>(), &Config::default());
    assert_eq!(
        rules,
        [json!({"route": "GET /users/{id}", "ignore": ["$.price", "$.role"], "same_status": [[200, 204]]})]
    );
    assert_eq!(without.len(), 1, "{without:?}");
    let text = accepted("# ours\n", &rules, "as agreed\nin #812").expect("it can be written");
    assert!(
        text.starts_with("# ours\ncompare:\n  routes:\n    # as agreed\\nin #812\n    - route: "),
        "{text}"
    );
    assert!(Config::parse("test".as_ref(), &text).is_ok(), "{text}");
}

#[test]
fn a_rule_is_tried_on_recorded_cases_and_must_do_what_it_claims_only() {
    let cases = [recorded(
        r#"{"price": 1, "items": [{"at": 1, "n": 1}]}"#,
        r#"{"price": 2, "items": [{"at": 2, "n": 2}]}"#,
    )];
    let claimed = group("value", "$.items[*].at");
    let narrow = [json!({"route": "GET /users/{id}", "ignore": ["$.items[*].at"]})];
    let (before, after) = comparators(&narrow);
    let checked = effect(&cases, (&before, &after), &[&claimed]);
    assert_eq!(
        (checked.cases, checked.removed, checked.also.len()),
        (1, 1, 0),
        "{checked:?}"
    );
    assert!(tell(&checked).is_ok());
    let broad = [json!({"route": "GET /users/{id}", "ignore": ["$.items"]})];
    let (before, after) = comparators(&broad);
    let checked = effect(&cases, (&before, &after), &[&claimed]);
    assert_eq!(checked.also.len(), 1, "{checked:?}");
    let error = tell(&checked).expect_err("it hides more").to_string();
    assert!(
        error.contains("hides value at $.items[0].n in case 0000000000000001"),
        "{error}"
    );
    // A body that is not kept whole says nothing.
    let mut cut = cases[0].clone();
    cut.production.body.cut = true;
    assert_eq!(effect(&[cut], (&before, &after), &[&claimed]).cases, 0);
}

#[test]
fn places_are_at_their_group() {
    for (general, place, expected) in [
        ("$.items[*].price", "$.items[3].price", true),
        ("$.items[*].price", "$.items[id=4].price", true),
        ("$.items[*].price", "$.items[3].prices", false),
        ("$.stock.*", "$.stock.w1", true),
        ("$.stock.*", "$.stock.w1.x", false),
        ("line *", "line 12", true),
        ("header location path *", "header location path 2", true),
        ("status", "status", true),
    ] {
        assert_eq!(is_at(general, place), expected, "{general} {place}");
    }
}

#[test]
fn causes_and_groups_are_sorted_as_asked() {
    let of = |exchanges: u64, standing| Group {
        exchanges,
        standing,
        ..group("value", "$.a")
    };
    let mut report = Report {
        causes: [3, 9]
            .map(|exchanges| Cause {
                exchanges,
                ..Cause::default()
            })
            .to_vec(),
        groups: vec![
            of(3, Standing::Regression),
            of(9, Standing::Regression),
            of(20, Standing::Noise),
        ],
        ..Report::default()
    };
    Sort::Harm.apply(&mut report);
    assert_eq!(report.causes[0].exchanges, 3, "as it came");
    Sort::Exchanges.apply(&mut report);
    assert_eq!(report.causes[0].exchanges, 9);
    let order: Vec<u64> = report.groups.iter().map(|group| group.exchanges).collect();
    assert_eq!(order, [9, 3, 20]);
}
