use super::*;
use crate::compare::{Rules, compiled::scoped, findings::stated};

fn diff(a: &str, b: &str) -> Vec<String> {
    masked(&[], a, b)
}

fn masked(masks: &[&str], a: &str, b: &str) -> Vec<String> {
    let read = |mask: &&str| mask.parse().unwrap_or_else(|error| panic!("{error}"));
    let rules = Rules {
        mask: masks.iter().map(read).collect(),
        ..Rules::default()
    };
    let mut findings = Findings::new(5);
    scoped(&rules, |scope| {
        compare(scope, a.as_bytes(), b.as_bytes(), &mut findings);
    });
    stated(findings.finish())
}

#[test]
fn masked_parts_of_lines_are_not_compared() {
    let masks = [r"\d+ ms", "id=[0-9a-f]{4}"];
    for (a, b, expected) in [
        ("took 3 ms\nid=00ff x\n", "took 41 ms\nid=ab12 x\n", &[][..]),
        (
            "took 3 ms, id=00ff\nend",
            "took 41 ms, id=zz\nend",
            &["value line \"took\": took 3 ms, id=00ff | took 41 ms, id=zz"],
        ),
        ("3 ms", "4 s", &["value line 1: 3 ms | 4 s"]),
        ("1 ms\n2 ms\nx", "9 ms\nx", &["missing line 2: 2 ms | (absent)"]),
        ("a\n1 ms\nb", "a\n2 ms\nB", &["value line 3: b | B"]),
    ] {
        assert_eq!(masked(&masks, a, b), expected, "{a:?} {b:?}");
    }
    for wrong in ["", "x*", "(", "(?:[a-z]{1000}){1000}"] {
        let error = wrong
            .parse::<crate::compare::Mask>()
            .expect_err(wrong)
            .to_string();
        assert!(
            error.contains("no regular expression that can be used") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[test]
fn long_lines_that_differ_at_their_ends_are_compared_once() {
    // About 300 lines of 50 KB, all different: an alignment by content would take minutes.
    let text = |word: &str| {
        let lines: Vec<String> = (0..300)
            .map(|line| format!("row {}{word}{line}\n", "x".repeat(50_000)))
            .collect();
        lines.concat()
    };
    assert_eq!(diff(&text("a"), &text("b")).len(), 6);
}

#[test]
fn lines_are_aligned() {
    assert_eq!(diff("a\nb\n", "a\nb\n"), [""; 0]);
    assert_eq!(diff("a\nb\nc", "a\nB\nc"), ["value line 2: b | B"]);
    assert_eq!(diff("a\nc", "a\nb\nc"), ["added line \"b\": (absent) | b"]);
    assert_eq!(diff("a\nb\nc", "a\nc"), ["missing line \"b\": b | (absent)"]);
    assert_eq!(
        diff("1\n2\n3\n4\n5", "1\nX\n3\n5\n6"),
        [
            "value line 2: 2 | X",
            "missing line 4: 4 | (absent)",
            "added line 5: (absent) | 6"
        ]
    );
    assert_eq!(diff("a", "a\n"), ["added line 2: (absent) | "]);
    assert_eq!(diff("a\r\nb", "a\nb"), ["value line 1: a\\r | a"]);
}

#[test]
fn long_differing_texts_are_not_aligned() {
    let numbered = |word: &str, count: usize| {
        let lines: Vec<String> = (0..count).map(|line| format!("{word} {line}\n")).collect();
        lines.concat()
    };
    assert_eq!(
        diff(&numbered("a", 100_000), &numbered("b", 100_001)),
        [
            "value line 1 word 1: a 0 | b 0",
            "length body: 100001 lines | 100002 lines"
        ]
    );
    let many = diff(&numbered("a", 300), &numbered("b", 300));
    assert_eq!(many.len(), 6, "five and the note: {many:?}");
}

#[test]
fn another_text_is_one_difference() {
    let text = |word: &str, lines: usize| -> String {
        let line = |line: usize| {
            let colour = ["red", "blue", "fast"][line % 3];
            format!("{word} {colour} is number {}\n", line * 7)
        };
        (0..lines).map(line).collect::<Vec<_>>().concat()
    };
    let (old, page) = (
        text("The shirt", 40),
        "Es gibt hier nichts zu sehen.\n".repeat(20),
    );
    assert_eq!(diff(&old, &page).len(), 1);
    assert!(diff(&old, &page)[0].starts_with("value body: The shirt red"));
    assert!(diff(&old, "")[0].ends_with(" | (empty)"));
    assert_eq!(diff(&old, "").len(), 1);
    assert_eq!(diff("", &old).len(), 1);
    // Every line is a version of the one in its place.
    let changed = old.replace("The shirt", "A shirt");
    assert_eq!(diff(&old, &changed).len(), 6, "five and the note");
}

#[test]
fn a_text_that_ends_too_early_is_one_difference() {
    let rows: Vec<String> = (0..60).map(|line| format!("row {line} of it\n")).collect();
    let old = rows.concat();
    let cut = old.split_inclusive('\n').take(20).collect::<String>();
    assert_eq!(
        diff(&old, &cut),
        ["missing line 21: 40 lines: row 20 of it | (absent)"]
    );
    assert_eq!(
        diff(&cut, &old),
        ["added line 21: (absent) | 40 lines: row 20 of it"]
    );
}
