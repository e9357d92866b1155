//! Answers whose types are known, compared as a whole. Messages are written by the library's own JSON reader.

use proptest::prelude::*;
use prost_reflect::{DynamicMessage, SerializeOptions, prost::Message as _};
use shadow_proto::{exchange::Body, testing};

use super::{
    document::documents,
    wire::{Value, put},
    *,
};
use crate::{
    compare::{Comparator, Rules, Side, findings::stated},
    descriptors::tests::shop,
    redact::{RedactConfig, Redactor},
};

const EVERYTHING: &str = r#"{
    "cartId": "c1", "state": "PAID", "weight": 2.5, "serial": 18446744073709551615, "deltas": [-3, 0, 2147483647],
    "items": [{"sku": "tea", "unitPrice": 500, "tags": ["a", "b"], "stock": 0}, {"sku": "pot", "unitPrice": -1}],
    "stockByRegion": {"eu": 3, "us": 0}, "byNumber": {"-7": {"sku": "x"}}, "created": "2026-11-30T08:00:00.250Z",
    "keptFor": "3.500s", "extra": {"@type": "type.googleapis.com/shop.Item", "sku": "gift"},
    "facts": {"a": ["x", null, {"b": "c"}]}, "note": "n", "card": "visa", "parent": {"cartId": "c0", "items": [{}]},
    "checksum": 9223372036854775808, "offset": -5, "ratio": 0.1
}"#;

fn of(name: &str) -> MessageDescriptor {
    shop().message(name).unwrap()
}

fn message(name: &str, json: &str) -> Vec<u8> {
    let json = as_text(serde_json::from_str(json).unwrap());
    DynamicMessage::deserialize(of(name), json)
        .unwrap()
        .encode_to_vec()
}

/// With numbers as text, which the JSON mapping permits: the library does not know numbers of any precision.
fn as_text(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Number(number) => number.to_string().into(),
        serde_json::Value::Array(items) => items.into_iter().map(as_text).collect(),
        serde_json::Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, as_text(value)));
            serde_json::Value::Object(members.collect())
        }
        other => other,
    }
}

fn cart(json: &str) -> Vec<u8> {
    message("shop.Cart", json)
}

fn with(message: &[u8], fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut out = message.to_vec();
    for (number, value) in fields {
        put(*number, *value, &mut out);
    }
    out
}

fn document(message: &[u8]) -> serde_json::Value {
    let [document, _] = documents([&[message.into()], &[]], Some(&of("shop.Cart"))).unwrap();
    serde_json::from_slice(&document[0]).unwrap()
}

/// The differences of two answers of one call, under rules as JSON.
fn differ_by(rules: &str, method: &str, a: &[u8], b: &[u8]) -> (Vec<String>, Comparator) {
    let rules = Rules {
        proto_descriptors: Some(shop()),
        ..serde_json::from_str(rules).unwrap()
    };
    let comparator = Comparator::new(rules).unwrap();
    let headers = Headers::from_pairs([("content-type", "application/grpc")]);
    let trailers = Headers::from_pairs([("grpc-status", "0")]);
    let [a, b] = [a, b].map(|message| Body::whole(framed(&headers, &[message.to_vec()], None).unwrap()));
    let [production, shadow] = [&a, &b].map(|body| Side {
        status: 200,
        headers: &headers,
        trailers: &trailers,
        body,
    });
    let request = testing::exchange("POST", method).request;
    let found = stated(comparator.compare(&request, production, shadow));
    let back = stated(comparator.compare(&request, shadow, production));
    assert_eq!(found.is_empty(), back.is_empty(), "{found:?} {back:?}");
    (found, comparator)
}

fn differ(a: &[u8], b: &[u8]) -> Vec<String> {
    differ_by("{}", "/shop.Shop/Get", a, b).0
}

#[test]
fn the_document_is_that_of_the_json_mapping() {
    let everything = cart(EVERYTHING);
    let message = DynamicMessage::decode(of("shop.Cart"), everything.as_slice()).unwrap();
    let options = SerializeOptions::new().stringify_64_bit_integers(false);
    let mut expected = Vec::new();
    message
        .serialize_with_options(&mut serde_json::Serializer::new(&mut expected), &options)
        .unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    assert_eq!(document(&everything), expected);
}

#[test]
fn a_difference_and_a_rule_are_at_their_names() {
    let a = cart(EVERYTHING);
    let b = cart(
        &EVERYTHING
            .replace("-1}", "-2}")
            .replace("PAID", "OPEN")
            .replace(".250Z", ".251Z"),
    );
    assert_eq!(
        differ(&a, &b),
        [
            "value $.items[sku=pot].unitPrice: -1 | -2",
            "value $.state: \"PAID\" | \"OPEN\"",
            "value $.created: \"2026-11-30T08:00:00.250Z\" | \"2026-11-30T08:00:00.251Z\""
        ]
    );
    let rules = r#"{"ignore": ["$.state"], "places": [{"path": "$.items[*].unitPrice", "tolerance": {"absolute": 1}},
        {"path": "$.created", "within": "1s"}]}"#;
    assert_eq!(differ_by(rules, "/shop.Shop/Get", &a, &b).0, [""; 0]);
}

#[test]
fn a_default_is_as_its_absence_where_the_type_has_no_presence() {
    let a = cart(r#"{"cartId": "c1", "items": [{"sku": "tea"}]}"#);
    let defaults = [
        (5, Value::Varint(0)),
        (11, Value::Bytes(b"")),
        (12, Value::Fixed64(0)),
        (13, Value::Bytes(b"")),
        (14, Value::Varint(0)),
    ];
    assert_eq!(differ(&a, &with(&a, &defaults)), [""; 0]);
    // With presence they differ: optional, a member of oneof, a message.
    let b = cart(r#"{"cartId": "c1", "items": [{"sku": "tea", "stock": 0}], "card": "", "note": ""}"#);
    assert_eq!(
        differ(&a, &b),
        [
            "added $.card: (absent) | \"\"",
            "added $.items[sku=tea].stock: (absent) | 0",
            "added $.note: (absent) | \"\""
        ]
    );
}

#[test]
fn the_same_message_in_another_encoding_is_equal() {
    let entry = |key: &str, value: u64| {
        with(
            &[],
            &[(1, Value::Bytes(key.as_bytes())), (2, Value::Varint(value))],
        )
    };
    let [eu, us, old] = [entry("eu", 1), entry("us", 2), entry("us", 9)];
    let maps = |entries: &[&[u8]]| -> Vec<u8> {
        let fields: Vec<_> = entries.iter().map(|entry| (3, Value::Bytes(entry))).collect();
        with(&[], &fields)
    };
    // The order of entries, and an entry that a later one replaces.
    assert_eq!(differ(&maps(&[&eu, &us]), &maps(&[&old, &us, &eu])), [""; 0]);
    assert_eq!(
        differ(&maps(&[&eu, &us]), &maps(&[&eu, &old])),
        ["value $.stockByRegion.us: 2 | 9"]
    );
    // Packed and not, whole and in parts, the last one of several values.
    let packed = with(&[], &[(11, Value::Bytes(&[2, 4, 6]))]);
    let plain = with(
        &[],
        &[
            (11, Value::Varint(2)),
            (11, Value::Bytes(&[4])),
            (11, Value::Varint(6)),
        ],
    );
    assert_eq!(differ(&packed, &plain), [""; 0]);
    let [sku, price] = [
        with(&[], &[(1, Value::Bytes(b"a"))]),
        with(&[], &[(2, Value::Varint(7))]),
    ];
    let parts = with(
        &[],
        &[
            (1, Value::Bytes(b"x")),
            (18, Value::Bytes(&sku)),
            (18, Value::Bytes(&price)),
            (1, Value::Bytes(b"y")),
        ],
    );
    let whole = with(
        &[],
        &[
            (1, Value::Bytes(b"y")),
            (18, Value::Bytes(&[sku, price].concat())),
        ],
    );
    assert_eq!(differ(&parts, &whole), [""; 0]);
}

#[test]
fn what_the_type_does_not_have_keeps_its_number() {
    let a = cart(r#"{"cartId": "c1"}"#);
    let inner = with(&[], &[(1, Value::Varint(4))]);
    let known = |number: u64| with(&a, &[(99, Value::Varint(number)), (100, Value::Bytes(&inner))]);
    assert_eq!(differ(&known(1), &known(2)), ["value $.99: 1 | 2"]);
    // Another type on the wire than the field has.
    let text = with(&a, &[(14, Value::Bytes(b"7"))]);
    let number = with(&a, &[(14, Value::Varint(7))]);
    assert_eq!(differ(&number, &text), ["type $.14: 7 | \"7\""]);
    assert_eq!(
        differ(&number, &with(&a, &[(14, Value::Varint(8))])),
        ["value $.serial: 7 | 8"]
    );
}

#[test]
fn a_message_in_any_is_of_its_own_type() {
    let any = |url: &str, content: &[u8]| {
        let any = with(
            &[],
            &[(1, Value::Bytes(url.as_bytes())), (2, Value::Bytes(content))],
        );
        with(&[], &[(8, Value::Bytes(&any))])
    };
    let item = |sku: &str| message("shop.Item", &format!("{{\"sku\": \"{sku}\"}}"));
    let known = "type.googleapis.com/shop.Item";
    assert_eq!(
        differ(&any(known, &item("a")), &any(known, &item("b"))),
        ["value $.extra.sku: \"a\" | \"b\""]
    );
    let unknown = "type.googleapis.com/other.Type";
    assert_eq!(
        differ(&any(unknown, &item("a")), &any(unknown, &item("b"))),
        ["value $.extra.value.1: \"a\" | \"b\""]
    );
    let found = differ(&any(known, &item("a")), &any(unknown, &item("a")));
    assert!(
        found
            .iter()
            .any(|found| found.contains("$.extra.@type") || found.contains("@type")),
        "{found:?}"
    );
    let time = "type.googleapis.com/google.protobuf.Duration";
    let lasting = |seconds: u64| with(&[], &[(1, Value::Varint(seconds))]);
    assert_eq!(
        differ(&any(time, &lasting(1)), &any(time, &lasting(2))),
        ["value $.extra.value: \"1s\" | \"2s\""]
    );
    let binary = differ(&any(unknown, &[0xff, 1]), &any(unknown, &[0xff, 2]));
    assert!(
        matches!(&binary[..], [one] if one.starts_with("value $.extra.value: bytes:2:")),
        "{binary:?}"
    );
}

#[test]
fn a_value_that_its_type_does_not_permit_is_shown_by_its_fields() {
    let created = |seconds: u64| {
        let time = with(&[], &[(1, Value::Varint(seconds))]);
        with(&[], &[(6, Value::Bytes(&time))])
    };
    assert_eq!(
        differ(&created(5), &created(1 << 60)),
        ["value $.created.seconds: 5 | 1152921504606846976"]
    );
}

#[test]
fn a_set_that_lacks_the_method_is_told_and_numbers_are_compared() {
    let (a, b) = (cart(r#"{"cartId": "c1"}"#), cart(r#"{"cartId": "c2"}"#));
    let (found, comparator) = differ_by("{}", "/shop.Other/Get", &a, &b);
    assert_eq!(found, ["value $.1: \"c1\" | \"c2\""]);
    let printed: Vec<String> = comparator
        .usage()
        .iter()
        .filter_map(crate::compare::RuleUsage::warning)
        .collect();
    assert_eq!(
        printed,
        [
            "2 answers were compared by field number: the file of compare.proto_descriptors has no method for them, such \
          as /shop.Other/Get"
        ]
    );
}

#[test]
fn secrets_are_found_by_the_names_of_fields() {
    let headers = Headers::from_pairs([("content-type", "application/grpc")]);
    let content = framed(
        &headers,
        &[cart(r#"{"cartId": "c1", "password": "hunter2!"}"#)],
        None,
    )
    .unwrap();
    let redactor = Redactor::new([1; 32], &RedactConfig::default()).knowing(Some(shop()));
    let shown = |redactor: &Redactor| {
        redactor
            .body(&headers, &Body::whole(content.clone()), 4096)
            .text
            .unwrap()
    };
    let [_, of_answers] = redactor.of_call(b"/shop.Shop/Get");
    let [of_requests, _] = redactor.of_call(b"/shop.Shop/Put");
    for redactor in [of_answers, of_requests] {
        let text = shown(&redactor);
        assert!(
            text.contains("\"cartId\":\"c1\"") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn depth_and_elements_are_bounded() {
    let mut deep = cart(r#"{"cartId": "c1"}"#);
    for _ in 0..5_000 {
        deep = with(&[], &[(18, Value::Bytes(&deep))]);
    }
    let text = document(&deep).to_string();
    assert!(text.matches('{').count() <= 40, "{}", text.len());
    // A byte for each element.
    let packed = vec![2; 1 << 20];
    let many = with(&[], &[(11, Value::Bytes(&packed))]);
    let found = documents([&[many.into()], &[]], Some(&of("shop.Cart"))).unwrap();
    assert!(found[0][0].len() < 100, "too many to be read as a list");
}

#[test]
fn what_the_library_reads_is_bounded() {
    let value = with(&[], &[(3, Value::Bytes(&vec![b'x'; 40_000]))]);
    let entry = with(&[], &[(1, Value::Bytes(b"k")), (2, Value::Bytes(&value))]);
    let facts = with(&[], &[(1, Value::Bytes(&entry))]);
    let cart = with(&[], &[(9, Value::Bytes(&facts))]);
    for (count, start) in [(10, "{\"facts\":{\"k\":\"xx"), (100, "{\"9\":{\"1\":")] {
        let many = vec![cart.as_slice().into(); count];
        let [found, _] = documents([&many, &[]], Some(&of("shop.Cart"))).unwrap();
        assert!(
            found
                .iter()
                .all(|document| document.starts_with(start.as_bytes())),
            "{count}"
        );
    }
}

proptest! {
    /// Any fields of a type give JSON, and equal ones no difference.
    #[test]
    fn any_fields_are_a_document(fields in proptest::collection::vec((1u32..23, any::<u64>(), 0..4u8, proptest::collection::vec(proptest::sample::select(&[0u8, 1, 2, 5, 8, 10, 16, 18][..]), 0..24)), 0..8)) {
        let mut message = Vec::new();
        for (number, bits, kind, bytes) in &fields {
            let value = match kind {
                0 => Value::Varint(*bits),
                1 => Value::Fixed64(*bits),
                2 => Value::Fixed32(u32::try_from(bits >> 32).unwrap()),
                _ => Value::Bytes(bytes),
            };
            put(*number, value, &mut message);
        }
        let document = document(&message);
        prop_assert!(document.is_object());
        prop_assert!(differ(&message, &message).is_empty());
        // The library's own encoding of it is the same document.
        if let Ok(read) = DynamicMessage::decode(of("shop.Cart"), message.as_slice()) {
            prop_assert!(differ(&message, &read.encode_to_vec()).is_empty() || has_two_payments(&fields), "{document}");
        }
    }
}

/// The library keeps the last member of a oneof.
fn has_two_payments(fields: &[(u32, u64, u8, Vec<u8>)]) -> bool {
    let has = |wanted: u32| fields.iter().any(|(number, ..)| *number == wanted);
    has(15) && has(16)
}
