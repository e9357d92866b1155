//! Arrays as sets, as multisets and keyed by a member.

use super::{
    rules_tests::{CENT, check},
    tests::{found_under, place, places},
};
use crate::compare::{
    Arrays, Rules,
    rules::{PlaceRule, Pointer},
};

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
                    "value $.items[id=2].p: 2 | 9",
                    r#"missing $.items[id=3]: {"id":3} | (absent)"#,
                    r#"added $.items[id=4]: (absent) | {"id":4}"#,
                ],
            ),
            (
                r#"{"items":[{"id":1,"p":1},{"id":1,"p":2},7]}"#,
                r#"{"items":[8,{"id":1,"p":1},{"id":1,"p":3}]}"#,
                &["value $.items[id=1].p: 2 | 3", "value $.items[2]: 7 | 8"],
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
                &["value $[id=2].price: 5 | 6"],
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
    assert_eq!(
        found_under(&places([keyed("$", "id")]), &same, &other).len(),
        Rules::default().discrepancies + 1
    );
}
