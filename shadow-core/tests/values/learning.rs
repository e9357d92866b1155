//! Values in answers.

use super::*;
use shadow_core::{
    compare::{Comparator, Rules, Side},
    redact::{RedactConfig, Redactor},
};

const P1: &str = "6f9619ff-8b86-4011-b42d-00cf4fc964ff";
const P2: &str = "7a9619ff-8b86-4011-b42d-00cf4fc96411";
const S1: &str = "11119c1d-aaaa-4bbb-8ccc-0123456789ab";
const S2: &str = "22229c1d-aaaa-4bbb-8ccc-0123456789ab";

/// The differences of one exchange, as `category place`.
fn differences(values: &mut Values, exchange: &Exchange, said: Said<'_>) -> Vec<String> {
    let introduced = values.introduced(exchange, NOW);
    let shadow = shadow(said);
    let mapped = values.answered(exchange, &introduced, &shadow, NOW);
    let answer = mapped.answer.as_ref().unwrap_or(&shadow);
    let comparator = Comparator::new(Rules::default()).unwrap();
    let production: Side<'_> = exchange.response.as_ref().unwrap().into();
    let mut found = comparator.compare(&exchange.request, production, answer.into());
    mapped.name(&mut found);
    found
        .iter()
        .map(|found| format!("{} {}", found.category.as_str(), found.place))
        .collect()
}

fn read(values: &mut Values, target: &str, production: &str, shadow: &str) -> Vec<String> {
    let exchange = exchange("GET", target, &[], "", Said(200, &[], production));
    differences(values, &exchange, Said(200, &[], shadow))
}

#[test]
fn an_object_that_corresponds_is_equal_and_another_one_is_not() {
    let mut values = with_order();
    let body = |id: u32, total: u32| format!(r#"{{"id":{id},"total":{total}}}"#);
    let none: [&str; 0] = [];
    assert_eq!(
        read(&mut values, "/orders/8123", &body(8123, 5), &body(977, 5)),
        none
    );
    assert_eq!(
        read(&mut values, "/orders/8123", &body(8123, 5), &body(977, 6)),
        ["value $.total"]
    );
    assert_eq!(
        read(&mut values, "/orders/8123", &body(8123, 5), &body(976, 5)),
        ["identity $.id"]
    );
    assert_eq!(
        read(&mut values, "/orders/8123", &body(8123, 5), &body(8123, 5)),
        ["identity $.id"],
        "the number is the same, the order is not"
    );
    assert_eq!(
        read(&mut values, "/orders/8123", &body(8123, 5), &body(977, 5)),
        none
    );
}

#[test]
fn a_second_partner_is_a_difference_and_changes_nothing() {
    let mut values = values();
    let of = |id: &str| format!(r#"{{"id":"{id}"}}"#);
    let none: [&str; 0] = [];
    assert_eq!(read(&mut values, "/orders/x", &of(P1), &of(S1)), none);
    assert_eq!(
        read(&mut values, "/orders/x", &of(P1), &of(S2)),
        ["identity $.id"]
    );
    assert_eq!(
        read(&mut values, "/orders/x", &of(P2), &of(S1)),
        ["identity $.id"]
    );
    assert_eq!(read(&mut values, "/orders/x", &of(P1), &of(S1)), none);
    assert_eq!(read(&mut values, "/orders/x", &of(P2), &of(S2)), none);
    assert_eq!(
        target(&mut values, &format!("/anything/{P1}")).unwrap(),
        format!("/anything/{S1}")
    );
}

#[test]
fn a_value_that_the_request_had_is_not_learned_from_its_answer() {
    let mut values = values();
    let json = [("Content-Type", "application/json")];
    let body = r#"{"customer_id":3}"#;
    let created = exchange(
        "POST",
        "/orders",
        &json,
        body,
        Said(201, &[], r#"{"id":10,"customer_id":3}"#),
    );
    let found = differences(
        &mut values,
        &created,
        Said(201, &[], r#"{"id":2,"customer_id":4}"#),
    );
    assert_eq!(found, ["value $.customer_id"]);
    assert_eq!(target(&mut values, "/customers/3").as_deref(), Ok("/customers/3"));
    assert_eq!(target(&mut values, "/orders/10").as_deref(), Ok("/orders/2"));
}

#[test]
fn a_read_teaches_no_number() {
    let mut values = values();
    assert_eq!(
        read(&mut values, "/orders/7", r#"{"id":7}"#, r#"{"id":8}"#),
        ["value $.id"]
    );
    assert_eq!(target(&mut values, "/orders/7").as_deref(), Ok("/orders/7"));
}

#[test]
fn elements_in_another_order_belong_together_by_their_content() {
    let mut values = values();
    let production = format!(r#"{{"items":[{{"id":"{P1}","sku":"a"}},{{"id":"{P2}","sku":"b"}}]}}"#);
    let shadow = format!(r#"{{"items":[{{"id":"{S2}","sku":"b"}},{{"id":"{S1}","sku":"a"}}]}}"#);
    read(&mut values, "/orders", &production, &shadow);
    assert_eq!(
        target(&mut values, &format!("/orders/{P1}")).unwrap(),
        format!("/orders/{S1}")
    );
    assert_eq!(
        target(&mut values, &format!("/orders/{P2}")).unwrap(),
        format!("/orders/{S2}")
    );
    let mut values = self::values();
    let twins = |a: &str, b: &str| format!(r#"[{{"id":"{a}","sku":"a"}},{{"id":"{b}","sku":"a"}}]"#);
    read(&mut values, "/orders", &twins(P1, P2), &twins(S1, S2));
    assert_eq!(values.size().0, 0, "which is which is not known");
}

#[test]
fn a_field_that_has_the_name_of_a_thing_must_prove_what_it_is() {
    let mut values = with_order();
    let json = [("Content-Type", "application/json")];
    let pay = |values: &mut Values| {
        sent(values, "POST", "/payments", &json, r#"{"order":8123}"#)
            .map(|request| content(&request).to_owned())
    };
    assert_eq!(
        pay(&mut values),
        Err(SkipPolicy::ValueUnknown),
        "it may be either"
    );
    let none: [&str; 0] = [];
    assert_eq!(
        read(
            &mut values,
            "/payments/1",
            r#"{"order":8123}"#,
            r#"{"order":977}"#
        ),
        none
    );
    assert_eq!(pay(&mut values).as_deref(), Ok(r#"{"order":977}"#));
    assert_eq!(
        read(
            &mut values,
            "/payments/1",
            r#"{"order":8123}"#,
            r#"{"order":8123}"#
        ),
        none
    );
    assert_eq!(pay(&mut values).as_deref(), Ok(r#"{"order":8123}"#), "it is none");
}

#[test]
fn an_answer_that_names_its_subject_otherwise_is_known_all_the_same() {
    let mut values = with_order();
    let none: [&str; 0] = [];
    assert_eq!(
        read(&mut values, "/latest", r#"{"id":8123}"#, r#"{"id":977}"#),
        none
    );
}

#[test]
fn links_are_compared_by_their_segments() {
    let mut values = with_order();
    let body = |id: &str, host: &str| {
        format!(r#"{{"_links":{{"self":{{"href":"http://{host}/orders/{id}?x=1"}}}}}}"#)
    };
    let (text, _) = compared(
        &mut values,
        &exchange("GET", "/orders/8123", &[], "", Said(200, &[], &body("8123", "a"))),
        Said(200, &[], &body("977", "a")),
    );
    assert_eq!(text, body("8123", "a"));
}

#[test]
fn a_redirect_to_another_page_teaches_nothing() {
    let mut values = values();
    let login = exchange("POST", "/login", &[], "", Said(302, &[("Location", "/home")], ""));
    let found = differences(&mut values, &login, Said(302, &[("Location", "/error")], ""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(values.size().0, 0);
}

#[test]
fn entries_are_listed_as_keyed_hashes() {
    let mut values = with_order();
    let redactor = Redactor::new([7; 32], &RedactConfig::default());
    let listed = values.list(&redactor, 10);
    assert_eq!(listed.len(), 1);
    let text = format!("{listed:?}");
    assert!(
        text.contains("order") && !text.contains("8123") && !text.contains("977"),
        "{text}"
    );
    assert_eq!(values.kinds(), [("order".to_owned(), 1)]);
    values.clear();
    assert_eq!(target(&mut values, "/orders/8123").as_deref(), Ok("/orders/8123"));
}
