//! Every kind of rule for a place.

use super::tests::{found_under, place, places};
use crate::compare::{
    Added, Arrays, Nulls, Rules, Tolerance,
    rules::{PlaceRule, Pointer},
};

fn format(path: &str, format: &str) -> PlaceRule {
    PlaceRule {
        format: Some(format.parse().unwrap_or_else(|error| panic!("{error}"))),
        ..place(path)
    }
}

fn keyed(path: &str, key: &str) -> PlaceRule {
    PlaceRule {
        key: Some(Pointer::try_from(key.to_owned()).unwrap_or_else(|error| panic!("{error}"))),
        ..place(path)
    }
}

fn arrays(path: &str, arrays: Arrays) -> PlaceRule {
    PlaceRule {
        arrays: Some(arrays),
        ..place(path)
    }
}

const CENT: Option<Tolerance> = Some(Tolerance {
    absolute: 0.01,
    relative: 0.0,
});

/// What a pair of documents comes to under some rules.
fn check(rules: &Rules, cases: &[(&str, &str, &[&str])]) {
    for (a, b, expected) in cases {
        assert_eq!(found_under(rules, a, b), *expected, "{a} {b}");
    }
}

#[test]
fn different_values_of_one_format_pass() {
    let rules = places([
        format("$.id", "uuid"),
        format("$.at", "rfc3339"),
        format("$.n", "integer"),
        format("$.nonce", "hex"),
        format("$.no", "regex:ord-[0-9]+"),
    ]);
    check(
        &rules,
        &[
            (
                r#"{"id":"123e4567-e89b-12d3-a456-426614174000"}"#,
                r#"{"id":"00000000-e89b-12d3-a456-426614174000"}"#,
                &[],
            ),
            (
                r#"{"id":"123e4567-e89b-12d3-a456-426614174000"}"#,
                r#"{"id":null}"#,
                &[r#"type $.id: "123e4567-e89b-12d3-a456-426614174000" | null"#],
            ),
            (
                r#"{"id":"123e4567-e89b-12d3-a456-426614174000"}"#,
                r#"{"id":"7"}"#,
                &[r#"value $.id: "123e4567-e89b-12d3-a456-426614174000" | "7""#],
            ),
            // The same format is asked of both.
            (r#"{"id":"7"}"#, r#"{"id":"8"}"#, &[r#"value $.id: "7" | "8""#]),
            (r#"{"id":"7"}"#, r"{}", &[r#"missing $.id: "7" | (absent)"#]),
            (
                r#"{"at":"2026-11-22T20:00:00Z"}"#,
                r#"{"at":"2031-01-01T00:00:00.5+01:00"}"#,
                &[],
            ),
            (r#"{"n":1}"#, r#"{"n":99}"#, &[]),
            (r#"{"n":1}"#, r#"{"n":1.5}"#, &["value $.n: 1 | 1.5"]),
            (r#"{"n":1}"#, r#"{"n":"2"}"#, &[r#"type $.n: 1 | "2""#]),
            (r#"{"nonce":"ab12"}"#, r#"{"nonce":"FF00"}"#, &[]),
            (
                r#"{"nonce":"ab12"}"#,
                r#"{"nonce":"ab1"}"#,
                &[r#"value $.nonce: "ab12" | "ab1""#],
            ),
            (r#"{"no":"ord-1"}"#, r#"{"no":"ord-22"}"#, &[]),
            (
                r#"{"no":"ord-1"}"#,
                r#"{"no":"inv-1"}"#,
                &[r#"value $.no: "ord-1" | "inv-1""#],
            ),
        ],
    );
}

#[test]
fn a_tolerance_holds_at_its_place_and_below() {
    let rules = places([
        PlaceRule {
            tolerance: CENT,
            ..place("$.totals")
        },
        PlaceRule {
            tolerance: Some(Tolerance {
                absolute: 0.0,
                relative: 0.1,
            }),
            ..place("$.totals.estimate")
        },
    ]);
    check(
        &rules,
        &[
            (
                r#"{"totals":{"net":[1.001]}}"#,
                r#"{"totals":{"net":[1.009]}}"#,
                &[],
            ),
            (
                r#"{"totals":{"net":1}}"#,
                r#"{"totals":{"net":1.02}}"#,
                &["value $.totals.net: 1 | 1.02"],
            ),
            (
                r#"{"totals":{"estimate":100}}"#,
                r#"{"totals":{"estimate":95}}"#,
                &[],
            ),
            (
                r#"{"count":1}"#,
                r#"{"count":1.001}"#,
                &["value $.count: 1 | 1.001"],
            ),
        ],
    );
}

#[test]
fn timestamps_may_be_a_span_apart() {
    let rules = places([
        PlaceRule {
            within: Some(core::time::Duration::from_secs(5)),
            ..place("$..at")
        },
        PlaceRule {
            within: Some(core::time::Duration::from_secs(5)),
            ..format("$.text", "epoch")
        },
    ]);
    check(
        &rules,
        &[
            (
                r#"{"at":"2026-11-22T20:00:00Z"}"#,
                r#"{"at":"2026-11-22T21:00:05+01:00"}"#,
                &[],
            ),
            (
                r#"{"at":"2026-11-22T20:00:00Z"}"#,
                r#"{"at":"2026-11-22T20:00:05.001Z"}"#,
                &[r#"value $.at: "2026-11-22T20:00:00Z" | "2026-11-22T20:00:05.001Z""#],
            ),
            (r#"{"at":1790000000}"#, r#"{"at":1790000005}"#, &[]),
            (
                r#"{"at":1790000000000}"#,
                r#"{"at":1790000006000}"#,
                &["value $.at: 1790000000000 | 1790000006000"],
            ),
            // Small numbers are no points in time.
            (r#"{"at":3}"#, r#"{"at":4}"#, &["value $.at: 3 | 4"]),
            (r#"{"text":"1790000000"}"#, r#"{"text":"1790000004"}"#, &[]),
            (
                r#"{"text":"1790000000"}"#,
                r#"{"text":"1790000009"}"#,
                &[r#"value $.text: "1790000000" | "1790000009""#],
            ),
        ],
    );
}

#[test]
fn numbers_may_be_strings() {
    let rules = places([PlaceRule {
        numbers_as_strings: Some(true),
        tolerance: CENT,
        ..place("$.price")
    }]);
    check(
        &rules,
        &[
            (r#"{"price":"1.50"}"#, r#"{"price":1.5}"#, &[]),
            (r#"{"price":1.5}"#, r#"{"price":"1.509"}"#, &[]),
            (
                r#"{"price":"9007199254740993"}"#,
                r#"{"price":9007199254740993.0}"#,
                &[],
            ),
            (
                r#"{"price":"x"}"#,
                r#"{"price":1}"#,
                &[r#"type $.price: "x" | 1"#],
            ),
            (
                r#"{"other":"1"}"#,
                r#"{"other":1}"#,
                &[r#"type $.other: "1" | 1"#],
            ),
        ],
    );
}

#[test]
fn arrays_are_what_their_place_says() {
    let rules = places([
        arrays("$.set", Arrays::Set),
        arrays("$.bag", Arrays::Multiset),
        keyed("$.items", "id"),
        keyed("$.deep", "/product/sku"),
    ]);
    check(
        &rules,
        &[
            (r#"{"set":[1,2,2]}"#, r#"{"set":[2,1,1,1]}"#, &[]),
            (
                r#"{"set":[1,2,5,5]}"#,
                r#"{"set":[2,1,3]}"#,
                &["value $.set[2]: 5 | 3"],
            ),
            (
                r#"{"set":[[1,2]]}"#,
                r#"{"set":[[2,1]]}"#,
                &["order $.set[0]: [1,2] | [2,1]"],
            ),
            (r#"{"bag":[1,2,2]}"#, r#"{"bag":[2,1,2]}"#, &[]),
            (
                r#"{"bag":[1,2,2]}"#,
                r#"{"bag":[2,1,1]}"#,
                &["value $.bag[2]: 2 | 1"],
            ),
            (
                r#"{"list":[1,2]}"#,
                r#"{"list":[2,1]}"#,
                &["order $.list: [1,2] | [2,1]"],
            ),
            (
                r#"{"items":[{"id":1,"p":1},{"id":2,"p":2},{"id":3}]}"#,
                r#"{"items":[{"p":9,"id":2},{"id":1.0,"p":1},{"id":4}]}"#,
                &[
                    "value $.items[1].p: 2 | 9",
                    r#"missing $.items[2]: {"id":3} | (absent)"#,
                    r#"added $.items[2]: (absent) | {"id":4}"#,
                ],
            ),
            (
                r#"{"items":[{"id":1,"p":1},{"id":1,"p":2},7]}"#,
                r#"{"items":[8,{"id":1,"p":1},{"id":1,"p":3}]}"#,
                &["value $.items[1].p: 2 | 3", "value $.items[2]: 7 | 8"],
            ),
            (
                r#"{"deep":[{"product":{"sku":"a"},"n":1},{"product":{"sku":"b"}}]}"#,
                r#"{"deep":[{"product":{"sku":"b"}},{"product":{"sku":"a"},"n":2}]}"#,
                &["value $.deep[0].n: 1 | 2"],
            ),
        ],
    );
}

#[test]
fn sets_and_multisets_know_values_that_are_close() {
    let close = |arrays| Rules {
        arrays,
        ..places([
            PlaceRule {
                tolerance: CENT,
                ..place("$[*].price")
            },
            PlaceRule {
                tolerance: CENT,
                ..place("$.n")
            },
        ])
    };
    let multiset = close(Arrays::Multiset);
    check(
        &multiset,
        &[
            (
                r#"[{"id":1,"price":1.001},{"id":2,"price":5}]"#,
                r#"[{"id":2,"price":5.001},{"id":1,"price":1}]"#,
                &[],
            ),
            (
                r#"[{"id":1,"price":1.001},{"id":2,"price":5}]"#,
                r#"[{"id":2,"price":6},{"id":1,"price":1}]"#,
                &["value $[1].price: 5 | 6"],
            ),
            (r#"{"n":[1,2,3]}"#, r#"{"n":[3.001,2.001,1.001]}"#, &[]),
        ],
    );
    let set = close(Arrays::Set);
    check(
        &set,
        &[
            (r#"{"n":[1.0,1.001,5]}"#, r#"{"n":[5.001,1.0]}"#, &[]),
            (r#"{"n":[1,5]}"#, r#"{"n":[1,7]}"#, &["value $.n[1]: 5 | 7"]),
        ],
    );
}

#[test]
fn null_may_be_as_good_as_missing() {
    let rules = Rules {
        nulls: Nulls::Missing,
        arrays: Arrays::Multiset,
        ..Rules::default()
    };
    check(
        &rules,
        &[
            (r#"{"a":null,"b":1}"#, r#"{"b":1}"#, &[]),
            (r#"{"b":1}"#, r#"{"a":null,"b":1}"#, &[]),
            (r#"{"a":null}"#, r#"{"a":1}"#, &["added $.a: (absent) | 1"]),
            (r#"{"a":1}"#, r#"{"a":null}"#, &["missing $.a: 1 | (absent)"]),
            (r#"[{"a":null},{"b":1}]"#, r#"[{"b":1},{}]"#, &[]),
            ("[null,1]", "[1]", &["missing $[0]: null | (absent)"]),
        ],
    );
    let distinct = Rules::default();
    check(
        &distinct,
        &[(r#"{"a":null}"#, "{}", &["missing $.a: null | (absent)"])],
    );
}

#[test]
fn added_members_may_be_allowed() {
    let rules = Rules {
        added: Added::Allow,
        ..places([PlaceRule {
            added: Some(Added::Report),
            ..place("$.closed")
        }])
    };
    check(
        &rules,
        &[
            (r#"{"a":1}"#, r#"{"a":1,"new":{"x":1}}"#, &[]),
            (
                r#"{"a":1,"b":2}"#,
                r#"{"a":1,"new":2}"#,
                &["missing $.b: 2 | (absent)"],
            ),
            ("[1]", "[1,2]", &["added $[1]: (absent) | 2"]),
            (
                r#"{"closed":{"a":1}}"#,
                r#"{"closed":{"a":1,"new":1}}"#,
                &["added $.closed.new: (absent) | 1"],
            ),
            // A second member of a name is another reading of the same object.
            (
                r#"{"a":1}"#,
                r#"{"a":1,"a":2}"#,
                &["added $.a: (absent) | 2 (a second member of this name)"],
            ),
        ],
    );
    let unordered = Rules {
        arrays: Arrays::Multiset,
        ..rules
    };
    check(
        &unordered,
        &[(
            r#"[{"id":1},{"id":2}]"#,
            r#"[{"id":2,"new":1},{"id":1,"new":2}]"#,
            &[],
        )],
    );
}

#[test]
fn the_later_rule_and_the_deeper_place_win() {
    let rules = places([
        PlaceRule {
            ignore: Some(true),
            ..place("$..id")
        },
        format("$.id", "integer"),
        PlaceRule {
            tolerance: CENT,
            ..place("$")
        },
        PlaceRule {
            tolerance: Some(Tolerance::default()),
            ..place("$.exact")
        },
    ]);
    check(
        &rules,
        &[
            (r#"{"x":{"id":"a"}}"#, r#"{"x":{"id":"b"}}"#, &[]),
            (r#"{"id":1}"#, r#"{"id":2}"#, &[]),
            (r#"{"id":1}"#, r#"{"id":"x"}"#, &[r#"type $.id: 1 | "x""#]),
            (r#"{"near":1}"#, r#"{"near":1.001}"#, &[]),
            (
                r#"{"exact":1}"#,
                r#"{"exact":1.001}"#,
                &["value $.exact: 1 | 1.001"],
            ),
        ],
    );
}

#[test]
fn ten_thousand_elements_are_quick_in_every_way_of_matching() {
    let list = |reverse: bool| {
        let mut items: Vec<String> = (0..10_000)
            .map(|id| format!("{{\"id\":{id},\"n\":1.5}}"))
            .collect();
        if reverse {
            items.reverse();
        }
        format!("[{}]", items.join(","))
    };
    let (a, b) = (list(false), list(true));
    for rule in [
        arrays("$", Arrays::Set),
        arrays("$", Arrays::Multiset),
        keyed("$", "id"),
        PlaceRule {
            tolerance: CENT,
            ..arrays("$", Arrays::Set)
        },
        PlaceRule {
            tolerance: CENT,
            ..arrays("$", Arrays::Multiset)
        },
    ] {
        assert_eq!(found_under(&places([rule.clone()]), &a, &b), [""; 0], "{rule:?}");
    }
    // All of one key, and all of one hash.
    let same = format!("[{}]", vec![r#"{"id":1}"#; 10_000].join(","));
    let other = format!("[{}]", vec![r#"{"id":1,"x":1}"#; 10_000].join(","));
    assert_eq!(found_under(&places([keyed("$", "id")]), &same, &other).len(), 65);
}
