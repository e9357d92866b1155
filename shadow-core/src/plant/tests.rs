use shadow_proto::testing::exchange;

use super::*;
use crate::compare::Rules;

fn answer(media: &str, body: &str) -> ShadowResponse {
    ShadowResponse {
        status: 200,
        headers: Headers::from_pairs([("content-type", media)]),
        trailers: Headers::default(),
        body: Body::whole(body.as_bytes().to_vec()),
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    }
}

fn planted(kind: Planted, media: &str, body: &str, seed: u64) -> Option<String> {
    let answer = answer(media, body);
    let fault = plant(kind, &answer, (body.as_bytes(), Some(b"another")), None, seed)?;
    Some(String::from_utf8_lossy(&fault.answer.body.kept).into_owned())
}

const JSON: &str =
    "{\"id\": 17, \"name\": \"ann \\u0041\", \"ok\": true, \"list\": [1.50, {\"a\": null}, \"x\"]}";

#[test]
fn a_fault_changes_one_thing_and_leaves_a_document() {
    for kind in [
        Planted::Value,
        Planted::Near,
        Planted::Null,
        Planted::Type,
        Planted::Renamed,
        Planted::Lost,
        Planted::Duplicated,
        Planted::Swapped,
    ] {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let Some(text) = planted(kind, "application/json", JSON, seed) else {
                continue;
            };
            assert_ne!(text, JSON);
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert!(parsed.is_ok(), "{kind:?} {seed}: {text}");
            seen.insert(text);
        }
        assert!(seen.len() >= 2, "{kind:?}: {seen:?}");
    }
}

#[test]
fn another_value_of_a_text_is_another_text_of_its_length() {
    for word in ["blue", "fade", "GO", "a-1"] {
        let body = format!("[\"{word}\"]");
        for seed in 0..400 {
            let text = planted(Planted::Value, "application/json", &body, seed).expect("a fault");
            assert!(text != body && text.len() == body.len(), "{text}");
        }
    }
    let text = planted(Planted::Value, "application/json", "[\"--\"]", 1);
    assert_eq!(text.as_deref(), Some("[\"1--\"]"));
}

#[test]
fn text_gets_faults_as_well() {
    let text = "alpha 12\nbeta 7\n<p>gamma</p>\n";
    for kind in [
        Planted::Value,
        Planted::Near,
        Planted::Null,
        Planted::Lost,
        Planted::Duplicated,
        Planted::Swapped,
        Planted::Truncated,
        Planted::Other,
    ] {
        let some = (0..20).find_map(|seed| planted(kind, "text/plain", text, seed));
        assert!(some.is_some_and(|new| new != text), "{kind:?}");
    }
    assert_eq!(
        planted(Planted::Lost, "text/plain", "", 1),
        None,
        "there is nothing to lose"
    );
}

#[test]
fn every_kind_is_found_where_everything_is_compared() {
    let comparator = Comparator::new(Rules::default()).expect("rules");
    let mut same = exchange("GET", "/a");
    let shadow = answer("application/json", JSON);
    if let Some(production) = &mut same.response {
        production.headers = shadow.headers.clone();
        production.body = shadow.body.clone();
    }
    for kind in Planted::ALL {
        let mut tries = 0;
        for seed in 0..40 {
            let with = (*kind, Some(b"{\"other\":1}".as_slice()), seed);
            if let Some(tried) = compare_again(&comparator, &same, &shadow, with) {
                tries += 1;
                assert!(!tried.found.is_empty(), "{kind:?} at {}", tried.place);
            }
        }
        assert!(tries > 0, "{kind:?} is never planted");
    }
    assert!(
        comparator.usage().iter().all(|rule| rule.asked == 0),
        "nothing is counted"
    );
}

#[test]
fn a_fault_is_planted_in_bounded_time() {
    // Deep and wide, within the bound on content.
    let deep = format!(
        "{}1{}",
        "{\"abcdefghijklmnopqrstuvwxyz\":[".repeat(50),
        "]}".repeat(50)
    );
    let wide = format!("[{}1]", "{\"a\":[1,2,3]},".repeat(15_000));
    for text in [deep, wide] {
        assert!(planted(Planted::Value, "application/json", &text, 3).is_some());
    }
    let large = format!("[\"{}\"]", "x".repeat(MAX_CONTENT));
    assert!(planted(Planted::Value, "application/json", &large, 3).is_none());
}
