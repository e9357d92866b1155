use super::{
    tape::{MAX_DEPTH, MAX_NODES, ParseError, Tape},
    *,
};
use crate::compare::{Arrays, Rules, Tolerance, compiled::Compiled, rules::PlaceRule};
use shadow_proto::testing;

/// The result of comparing two texts under some rules.
fn compared(rules: &Rules, a: &str, b: &str) -> (Compared, Vec<String>) {
    let compiled = Compiled::new(rules.clone()).unwrap_or_else(|error| panic!("{error}"));
    let scope = Scope::new(&compiled, &testing::exchange("GET", "/").request);
    let mut findings = Findings::new(rules.discrepancies);
    let done = compare(&scope, a.as_bytes(), b.as_bytes(), ROOT, &mut findings);
    let found = findings.finish().into_iter();
    let shown = found.map(|f| {
        format!(
            "{} {}: {} | {}",
            f.category.as_str(),
            f.place,
            f.production,
            f.shadow
        )
    });
    (done, shown.collect())
}

pub(super) fn found_under(rules: &Rules, a: &str, b: &str) -> Vec<String> {
    let (done, found) = compared(rules, a, b);
    assert_eq!(done, Compared::Done, "{a} {b}");
    found
}

pub(super) fn place(path: &str) -> PlaceRule {
    PlaceRule {
        ignore: None,
        ..PlaceRule::ignoring(path.parse().unwrap_or_else(|error| panic!("{error}")))
    }
}

pub(super) fn places(places: impl IntoIterator<Item = PlaceRule>) -> Rules {
    Rules {
        places: places.into_iter().collect(),
        ..Rules::default()
    }
}

fn ignoring(paths: &[&str]) -> Rules {
    places(paths.iter().map(|path| PlaceRule {
        ignore: Some(true),
        ..place(path)
    }))
}

pub(super) fn found(a: &str, b: &str) -> Vec<String> {
    found_under(&Rules::default(), a, b)
}

#[test]
fn the_same_value_in_another_text_is_equal() {
    for (a, b) in [
        (r#"{"a":1,"b":2}"#, r#" { "b" : 2 , "a" : 1.0 } "#),
        (r#""\u00e9\n""#, "\"é\\u000a\""),
        (r#""\ud83d\ude00/""#, r#""😀\/""#),
        (r#"{"\u0061":[]}"#, r#"{"a":[ ]}"#),
        ("\u{feff}[1]", "[1]"),
        ("[1e2]", "[100]"),
        (r#"{"a":1,"a":2}"#, r#"{ "a":1, "a":2 }"#),
        (r#"[{"x":1,"y":2},{"z":3}]"#, r#"[{"y":2,"x":1},{"z":3.0}]"#),
    ] {
        assert_eq!(found(a, b), [""; 0], "{a} {b}");
        assert_eq!(found(b, a), [""; 0], "{b} {a}");
    }
}

#[test]
fn each_category_has_its_place_and_both_values() {
    let cases: [(&str, &str, &[&str]); 19] = [
        ("1", "2", &["value $: 1 | 2"]),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, &[r#"type $.a: 1 | "1""#]),
        (r#"{"a":null}"#, r#"{"a":false}"#, &["type $.a: null | false"]),
        ("[true]", "[false]", &["value $[0]: true | false"]),
        (r#"{"a":null}"#, "{}", &["missing $.a: null | (absent)"]),
        ("{}", r#"{"a b":[1]}"#, &["added $['a b']: (absent) | [1]"]),
        (
            r#"{"items":[{"price":1},{"price":2}]}"#,
            r#"{"items":[{"price":1},{"price":3}]}"#,
            &["value $.items[1].price: 2 | 3"],
        ),
        (
            r#"{"b":1,"c":2}"#,
            r#"{"a":1,"c":3}"#,
            &[
                "added $.a: (absent) | 1",
                "missing $.b: 1 | (absent)",
                "value $.c: 2 | 3",
            ],
        ),
        ("[1,2,3]", "[3,1,2]", &["order $: [1,2,3] | [3,1,2]"]),
        ("[[1],[2]]", "[[2],[1]]", &["order $: [[1],[2]] | [[2],[1]]"]),
        ("[1,2,3]", "[1,9,8]", &["value $[1]: 2 | 9", "value $[2]: 3 | 8"]),
        ("[1,2,3]", "[1,3]", &["missing $[1]: 2 | (absent)"]),
        ("[1,3]", "[0,1,3]", &["added $[0]: (absent) | 0"]),
        (
            r#"[{"i":1},{"i":2},{"i":3}]"#,
            r#"[{"i":0},{"i":1},{"i":2}]"#,
            &[
                r#"added $[0]: (absent) | {"i":0}"#,
                r#"missing $[2]: {"i":3} | (absent)"#,
            ],
        ),
        (
            r#"[{"i":1,"p":1},{"i":2,"p":2}]"#,
            r#"[{"i":1,"p":9},{"i":2,"p":8}]"#,
            &["value $[0].p: 1 | 9", "value $[1].p: 2 | 8"],
        ),
        (
            r#"{"a":1,"a":2}"#,
            r#"{"a":1}"#,
            &["missing $.a: 2 (a second member of this name) | (absent)"],
        ),
        (
            r#"{"a":1,"a":2}"#,
            r#"{"a":2,"a":1}"#,
            &["value $.a: 1 | 2", "value $.a: 2 | 1"],
        ),
        (
            "9007199254740993",
            "9007199254740992",
            &["value $: 9007199254740993 | 9007199254740992"],
        ),
        (r#""\ud800""#, r#""\ud801""#, &[r#"value $: "\ud800" | "\ud801""#]),
    ];
    for (a, b, expected) in cases {
        assert_eq!(found(a, b), expected, "{a} {b}");
    }
}

#[test]
fn one_side_that_is_no_json_is_a_decode_discrepancy() {
    let one = found("{}", "<html>");
    assert_eq!(one, ["decode body: JSON, 2 bytes | no JSON from byte 0: <html>"]);
    assert_eq!(compared(&Rules::default(), "{", "<").0, Compared::Not);
}

#[test]
fn ignored_places_do_not_count() {
    let rules = ignoring(&["$.meta.id", "$.items[*].at", "$..trace"]);
    for (a, b, expected) in [
        (r#"{"meta":{"id":1}}"#, r#"{"meta":{"id":2}}"#, &[][..]),
        (r#"{"meta":{"id":1}}"#, r#"{"meta":{}}"#, &[]),
        (r#"{"meta":{}}"#, r#"{"meta":{"id":1}}"#, &[]),
        (
            r#"{"items":[{"at":1},{"at":2}]}"#,
            r#"{"items":[{"at":3},{"at":4}]}"#,
            &[],
        ),
        (
            r#"{"a":{"b":[{"trace":1}]}}"#,
            r#"{"a":{"b":[{"trace":2}]}}"#,
            &[],
        ),
        (
            r#"{"items":[{"at":1,"x":1}]}"#,
            r#"{"items":[{"at":2,"x":2}]}"#,
            &["value $.items[0].x: 1 | 2"],
        ),
        (r#"{"id":1}"#, r#"{"id":2}"#, &["value $.id: 1 | 2"]),
        // An element is matched although an ignored part of it differs.
        (
            r#"{"items":[{"at":1,"x":1},{"at":1,"x":2}]}"#,
            r#"{"items":[{"at":9,"x":2}]}"#,
            &[r#"missing $.items[0]: {"at":1,"x":1} | (absent)"#],
        ),
    ] {
        assert_eq!(found_under(&rules, a, b), expected, "{a} {b}");
    }
    let all = ignoring(&["$"]);
    assert_eq!(found_under(&all, "1", "2"), [""; 0]);
}

#[test]
fn unordered_arrays_are_multisets() {
    let rules = Rules {
        arrays: Arrays::Multiset,
        ..Rules::default()
    };
    for (a, b, expected) in [
        ("[1,2,3]", "[3,2.0,1]", &[][..]),
        (r#"[{"a":[1,2]},{"b":1}]"#, r#"[{"b":1},{"a":[2,1]}]"#, &[]),
        ("[1,1,2]", "[1,2,2]", &["value $[1]: 1 | 2"]),
        ("[1,2]", "[2,1,3]", &["added $[2]: (absent) | 3"]),
        ("[1,2,3]", "[3,1]", &["missing $[1]: 2 | (absent)"]),
    ] {
        assert_eq!(found_under(&rules, a, b), expected, "{a} {b}");
    }
}

#[test]
fn tolerance_holds_everywhere() {
    let rules = Rules {
        tolerance: Some(Tolerance {
            absolute: 0.01,
            relative: 0.0,
        }),
        ..Rules::default()
    };
    assert_eq!(
        found_under(&rules, r#"{"a":[1.001,2]}"#, r#"{"a":[1.002,2.005]}"#),
        [""; 0]
    );
    assert_eq!(found_under(&rules, "[1,2]", "[1,2.5]"), ["value $[1]: 2 | 2.5"]);
    assert_eq!(
        found_under(&rules, r#"[{"a":1},{"a":2}]"#, r#"[{"a":1.001},{"a":2.5}]"#),
        ["value $[1].a: 2 | 2.5"]
    );
    let unordered = Rules {
        arrays: Arrays::Multiset,
        ..rules
    };
    assert_eq!(found_under(&unordered, "[1,2,3]", "[3.001,1.001,2.001]"), [""; 0]);
    assert_eq!(
        found_under(&unordered, "[1,2]", r#"[2.001,"x"]"#).len(),
        2,
        "each side keeps one that has no other"
    );
}

#[test]
fn documents_over_a_bound_are_left_to_text() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Tape::parse(deep(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(
        Tape::parse(deep(MAX_DEPTH + 1).as_bytes()).err(),
        Some(ParseError::TooDeep)
    );
    assert_eq!(
        Tape::parse("[".repeat(1_000_000).as_bytes()).err(),
        Some(ParseError::TooDeep)
    );
    let many = format!("[{}1]", "1,".repeat(MAX_NODES));
    assert_eq!(Tape::parse(many.as_bytes()).err(), Some(ParseError::TooMany));
    assert_eq!(compared(&Rules::default(), &deep(200), "[]").0, Compared::Not);
}

#[test]
fn what_json_does_not_allow_is_refused() {
    for text in [
        "",
        " ",
        "[",
        "]",
        "{",
        "}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "--1",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "nul",
        "truefalse",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"\n\"",
        "'a'",
        "[1]]",
        "{}{}",
        "[1}",
        "{\"a\":1]",
        "1,",
        "// x\n1",
        "\u{a0}1",
        "\"\u{1}\"",
    ] {
        assert!(Tape::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert_eq!(Tape::parse(b"\"\xff\"").err(), Some(ParseError::Invalid(1)));
}

#[test]
fn ten_thousand_elements_in_another_order_are_quick() {
    // Linear: a quadratic match would need 10^10 steps, which no test run survives.
    let count = 100_000;
    let list = |reverse: bool| {
        let mut items: Vec<String> = (0..count).map(|id| format!("{{\"id\":{id}}}")).collect();
        if reverse {
            items.reverse();
        }
        format!("[{}]", items.join(","))
    };
    let rules = Rules {
        arrays: Arrays::Multiset,
        ..Rules::default()
    };
    assert_eq!(found_under(&rules, &list(false), &list(true)), [""; 0]);
    assert_eq!(found(&list(false), &list(true)).len(), 1);
}

#[test]
fn members_with_new_keys_are_compared_by_value() {
    const A: [&str; 3] = ["5f2a90c1-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "0b4b7f3e12", "1763856000"];
    const B: [&str; 3] = ["7f2a90c1-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "9b4b7f3e12", "1763856777"];
    let of = |keys: [&str; 3], values: [&str; 3]| {
        let members = keys
            .iter()
            .zip(values)
            .map(|(key, value)| format!("\"{key}\":{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let equal = of(A, ["{\"p\":1}", "{\"p\":2}", "{\"p\":3}"]);
    let moved = found(&equal, &of(B, ["{\"p\":3}", "{\"p\":1}", "{\"p\":2}"]));
    assert!(
        moved.len() == 3 && moved.iter().all(|found| found.starts_with("value $ key: ")),
        "{moved:?}"
    );
    let other = found(&equal, &of(B, ["{\"p\":3}", "{\"p\":9}", "{\"q\":2}"]));
    let ends: Vec<(&str, &str)> = other
        .iter()
        .filter_map(|found| found.split(": ").next()?.split_once(' '))
        .map(|(category, place)| (category, place.get(place.len() - 2..).unwrap_or(place)))
        .collect();
    let key = ("value", "ey");
    assert_eq!(
        ends,
        [key, key, ("value", ".p"), key, ("missing", ".p"), ("added", ".q")],
        "{other:?}"
    );
    let fewer = found(&equal, "{\"7f2a90c1\":{\"p\":2}}");
    assert_eq!(
        fewer
            .iter()
            .filter(|found| found.starts_with("missing $ key: "))
            .count(),
        2
    );
    let named = found("{\"total\":1,\"5f2a90c1aa\":2}", "{\"sum\":1,\"0b4b7f3e12\":2}");
    assert_eq!(named.len(), 4, "one name is no key: {named:?}");
}
