//! Every kind of rule for a place.

use super::tests::{found_under, place, places};
use crate::compare::{Added, Arrays, Nulls, Rules, Tolerance, rules::PlaceRule};

fn format(path: &str, format: &str) -> PlaceRule {
    PlaceRule {
        format: Some(format.parse().unwrap_or_else(|error| panic!("{error}"))),
        ..place(path)
    }
}

pub(super) const CENT: Option<Tolerance> = Some(Tolerance {
    absolute: 0.01,
    relative: 0.0,
});

/// Checks the discrepancies of pairs of documents under some rules.
pub(super) fn check(rules: &Rules, cases: &[(&str, &str, &[&str])]) {
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
            // Both must have the same format.
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
            // Small numbers are not timestamps.
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
            // A second member of one name makes an object ambiguous.
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
