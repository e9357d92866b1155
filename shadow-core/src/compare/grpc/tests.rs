//! gRPC answers, field by field, compared as a whole.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use shadow_proto::{exchange::Body, testing};

use super::{
    document::documents,
    wire::{Value, put},
    *,
};
use crate::compare::{Comparator, Errors, Rules, Side, findings::stated};

/// A message of these fields.
fn message(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        put(*number, *value, &mut out);
    }
    out
}

fn text(text: &str) -> Value<'_> {
    Value::Bytes(text.as_bytes())
}

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        out.push(0);
        out.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        out.extend_from_slice(message);
    }
    out
}

/// An answer: header fields, trailer fields, content.
#[derive(Clone)]
struct Answer {
    headers: Headers,
    trailers: Headers,
    body: Body,
}

fn answer(status: &[(&str, &str)], content: Vec<u8>) -> Answer {
    Answer {
        headers: Headers::from_pairs([("content-type", "application/grpc")]),
        trailers: Headers::from_pairs(status.iter().copied()),
        body: Body::whole(content),
    }
}

const OK: &[(&str, &str)] = &[("grpc-status", "0")];

fn ok(messages: &[&[u8]]) -> Answer {
    answer(OK, framed(messages))
}

fn differ_by(rules: Rules, a: &Answer, b: &Answer) -> Vec<String> {
    let [production, shadow] = [a, b].map(|answer| Side {
        status: 200,
        headers: &answer.headers,
        trailers: &answer.trailers,
        body: &answer.body,
    });
    let request = testing::exchange("POST", "/p.S/M").request;
    let comparator = Comparator::new(rules).unwrap();
    let found = stated(comparator.compare(&request, production, shadow));
    let mirrored = comparator.compare(&request, shadow, production);
    assert_eq!(found.is_empty(), mirrored.is_empty(), "{found:?} {mirrored:?}");
    found
}

fn differ(a: &Answer, b: &Answer) -> Vec<String> {
    differ_by(Rules::default(), a, b)
}

/// A document of one message, alone.
fn document(message: &[u8]) -> String {
    let [mut documents, _] = documents([&[message.into()], &[]], None).unwrap();
    String::from_utf8(documents.remove(0)).unwrap()
}

#[test]
fn a_message_is_a_tree_of_field_numbers() {
    let inner = message(&[(1, text("blue")), (2, Value::Varint(7))]);
    let given = message(&[
        (3, Value::Bytes(&inner)),
        (1, Value::Varint(u64::MAX)),
        (2, text("a \"b\"\n")),
        (3, Value::Bytes(&inner)),
        (4, Value::Fixed64(1.5f64.to_bits())),
        (5, Value::Fixed64(42)),
        (6, Value::Fixed32(0.25f32.to_bits())),
        (7, Value::Fixed32(u32::MAX)),
        (8, Value::Bytes(&[0, 1, 0xff])),
        (9, text("")),
    ]);
    assert_eq!(
        document(&given),
        concat!(
            r#"{"1":-1,"2":"a \"b\"\n","3":[{"1":"blue","2":7},{"1":"blue","2":7}],"4":1.5,"5":42,"6":0.25,"7":-1,"#,
            r#""8":"bytes:3:DIGEST","9":""}"#
        )
        .replace("DIGEST", &blake3::hash(&[0, 1, 0xff]).to_hex()[..16])
    );
}

#[test]
fn a_difference_is_at_its_field() {
    let item = |price: u64| message(&[(2, text("tea")), (3, Value::Varint(price))]);
    let cart = |prices: &[u64]| {
        let items: Vec<Vec<u8>> = prices.iter().map(|price| item(*price)).collect();
        let mut fields = vec![(1, text("c1"))];
        fields.extend(items.iter().map(|item| (4, Value::Bytes(item.as_slice()))));
        message(&fields)
    };
    let (a, b) = (cart(&[5, 6, 7]), cart(&[5, 6, 8]));
    assert_eq!(differ(&ok(&[&a]), &ok(&[&b])), ["value $.4[2].3: 7 | 8"]);
    assert_eq!(
        differ(&ok(&[&a, &a]), &ok(&[&a, &b])),
        ["value event 2 $.4[2].3: 7 | 8"]
    );
    let ignoring = Rules {
        ignore: vec!["$.4[*].3".parse().unwrap()],
        ..Rules::default()
    };
    assert_eq!(differ_by(ignoring, &ok(&[&a]), &ok(&[&b])), [""; 0]);
    assert_eq!(
        differ(&ok(&[&a, &b]), &ok(&[&a])).len(),
        1,
        "a message that is missing"
    );
}

#[test]
fn the_order_of_fields_has_no_meaning_and_that_of_elements_has() {
    let of = |fields: &[(u32, u64)]| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(number, value)| (*number, Value::Varint(*value)))
            .collect();
        ok(&[&message(&fields)])
    };
    assert_eq!(differ(&of(&[(1, 2), (3, 4)]), &of(&[(3, 4), (1, 2)])), [""; 0]);
    assert_ne!(differ(&of(&[(1, 2), (1, 4)]), &of(&[(1, 4), (1, 2)])), [""; 0]);
}

#[test]
fn bytes_are_a_message_only_where_both_sides_are() {
    let nested = message(&[(1, Value::Varint(1))]);
    let of = |bytes: &[u8]| ok(&[&message(&[(1, Value::Bytes(bytes))])]);
    let other = message(&[(1, Value::Varint(2))]);
    assert_eq!(differ(&of(&nested), &of(&other)), ["value $.1.1: 1 | 2"]);
    let found = differ(&of(&nested), &of(&[0xff, 0]));
    assert!(
        matches!(&found[..], [one] if one.starts_with("value $.1: bytes:2:")),
        "{found:?}"
    );
}

#[test]
fn what_is_no_message_is_compared_by_length_and_digest() {
    let broken = |content: &[u8]| answer(OK, content.to_vec());
    let good = framed(&[&message(&[(1, Value::Varint(1))])]);
    for bad in [
        &b"\x00\x00\x00\x00\x09short"[..],
        b"\x02\x00\x00\x00\x00",
        b"\x01\x00\x00\x00\x01x",
        b"plain",
        b"\x00\x00\x00\x00\x02\x07\x01",
    ] {
        let found = differ(&broken(&good), &broken(bad));
        assert!(
            matches!(&found[..], [one] if one.contains(" body: ")),
            "{found:?}"
        );
        assert_eq!(differ(&broken(bad), &broken(bad)), [""; 0]);
    }
}

#[test]
fn compressed_messages_are_equal_to_plain_ones() {
    let plain = message(&[(1, text("hello hello hello hello"))]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    let mut content = framed(&[&packed]);
    content[0] = 1;
    let coded = Answer {
        headers: Headers::from_pairs([
            ("content-type", "application/grpc+proto"),
            ("grpc-encoding", "gzip"),
        ]),
        ..answer(OK, content)
    };
    assert_eq!(differ(&ok(&[&plain]), &coded), [""; 0]);
    let other = message(&[(1, text("hello hello hello other"))]);
    assert_eq!(differ(&ok(&[&other]), &coded).len(), 1);
}

#[test]
fn a_status_is_compared_however_it_is_written() {
    let of = |status: &[(&str, &str)]| answer(status, Vec::new());
    let trailers_only = |status: &[(&str, &str)]| Answer {
        headers: Headers::from_pairs([&[("content-type", "application/grpc")], status].concat()),
        trailers: Headers::default(),
        body: Body::default(),
    };
    let web = |status: &str| {
        let mut content = framed(&[status.as_bytes()]);
        content[0] = 0x80;
        Answer {
            headers: Headers::from_pairs([("content-type", "application/grpc")]),
            trailers: Headers::default(),
            body: Body::whole(content),
        }
    };
    let missing = [("grpc-status", "5"), ("grpc-message", "item 7: 100 %25")];
    let spelt = [("grpc-message", "item%207:%20100%20%25"), ("grpc-status", "5")];
    assert_eq!(differ(&of(&missing), &trailers_only(&spelt)), [""; 0]);
    assert_eq!(
        differ(
            &of(&missing),
            &web("grpc-status: 5\r\ngrpc-message: item 7: 100 %25\r\n")
        ),
        [""; 0]
    );
    assert_eq!(
        differ(&of(OK), &of(&[("grpc-status", "0"), ("grpc-message", "OK")])),
        [""; 0]
    );
    assert_eq!(
        differ(&of(OK), &of(&missing)),
        ["status trailer grpc-status: 0 | 5"]
    );
    assert_eq!(
        differ(&of(OK), &of(&[])),
        ["status trailer grpc-status: 0 | (absent)"]
    );
    let other = [("grpc-status", "5"), ("grpc-message", "item 8: 100 %25")];
    assert_eq!(
        differ(&of(&missing), &of(&other)),
        ["header trailer grpc-message word 2: item 7: 100 % | item 8: 100 %"]
    );
    let by_status = Rules {
        errors: Errors::Status,
        ..Rules::default()
    };
    assert_eq!(differ_by(by_status, &of(&missing), &of(&other)), [""; 0]);
}

#[test]
fn codes_that_are_listed_are_the_same() {
    let of =
        |code: &str, message: &str| answer(&[("grpc-status", code), ("grpc-message", message)], Vec::new());
    let listed = || Rules {
        same_status: vec![vec![200, 204], vec![5, 13]],
        ..Rules::default()
    };
    let (a, b) = (of("5", "no item"), of("13", "broken"));
    assert_eq!(differ(&a, &b), ["status trailer grpc-status: 5 | 13"]);
    assert_eq!(differ_by(listed(), &a, &b), [""; 0]);
    assert_eq!(
        differ_by(listed(), &a, &of("14", "later")),
        ["status trailer grpc-status: 5 | 14"]
    );
    // The messages of answers whose codes are the same are compared.
    let with = |code: &str, price| {
        answer(
            &[("grpc-status", code)],
            framed(&[&message(&[(1, Value::Varint(price))])]),
        )
    };
    assert_eq!(
        differ_by(listed(), &with("5", 1), &with("13", 2)),
        ["value $.1: 1 | 2"]
    );
}

/// An answer over HTTP alone.
fn plain(media: &str, content: &[u8]) -> Answer {
    Answer {
        headers: Headers::from_pairs([("content-type", media)]),
        trailers: Headers::default(),
        body: Body::whole(content.to_vec()),
    }
}

#[test]
fn the_forms_of_the_web_are_compared_alike() {
    let item = |price| message(&[(1, text("green")), (2, Value::Varint(price))]);
    let content = |price, code: &str| {
        let mut trailers = framed(&[format!("grpc-status:{code}\r\n").as_bytes()]);
        trailers[0] = 0x80;
        (framed(&[&item(price)]), trailers)
    };
    let binary = |price, code: &str| {
        let (messages, trailers) = content(price, code);
        plain("application/grpc-web+proto", &[messages, trailers].concat())
    };
    // Each piece that is flushed is padded.
    let coded = |price, code: &str| {
        let (messages, trailers) = content(price, code);
        let pieces = [messages, trailers].map(|piece| base64::prelude::BASE64_STANDARD.encode(piece));
        assert!(pieces[0].ends_with('='), "{pieces:?}");
        plain("application/grpc-web-text+proto", pieces.concat().as_bytes())
    };
    let whole = |price, code: &str| {
        let (messages, trailers) = content(price, code);
        let text = BASE64_STANDARD_NO_PAD.encode([messages, trailers].concat());
        plain("application/grpc-web-text", text.as_bytes())
    };
    assert_eq!(differ(&coded(5, "0"), &whole(5, "0")), [""; 0]);
    for (a, b, c) in [
        (binary(5, "0"), binary(6, "0"), binary(5, "7")),
        (coded(5, "0"), coded(6, "0"), whole(5, "7")),
    ] {
        assert_eq!(differ(&a, &b), ["value $.2: 5 | 6"]);
        assert_eq!(differ(&a, &c), ["status trailer grpc-status: 0 | 7"]);
    }
    let broken = plain("application/grpc-web-text", b"AAAA!");
    assert_eq!(differ(&broken, &broken.clone()), [""; 0]);
    assert!(!differ(&broken, &whole(5, "0")).is_empty());
}

/// A stream of Connect: messages, and the object that ends it.
fn stream(media: &str, messages: &[&[u8]], end: &str) -> Answer {
    let mut content = framed(messages);
    let mut last = framed(&[end.as_bytes()]);
    last[0] = 2;
    content.extend(last);
    plain(media, &content)
}

#[test]
fn a_stream_of_connect_is_compared_by_messages_and_status() {
    let item = |price| message(&[(1, text("tea")), (2, Value::Varint(price))]);
    let of = |price, end: &str| stream("application/connect+proto", &[&item(1), &item(price)], end);
    let error = |code: &str, value: &str| {
        format!(
            r#"{{"error":{{"code":"{code}","message":"50 % off","details":[{{"type":"shop.Item","value":"{value}"}}]}}}}"#
        )
    };
    let (tea, pot) = ("CgN0ZWE", "CgNwb3Q=");
    let gone = of(5, &error("not_found", tea));
    let other_text = of(5, &error("not_found", tea).replace("50", "60"));
    let found = |a: &Answer, b: &Answer| differ(a, b);
    assert_eq!(
        found(&of(5, "{}"), &of(5, r#"{"metadata":{"x":["1"]}}"#)),
        [""; 0]
    );
    assert_eq!(found(&of(5, "{}"), &of(6, "{}")), ["value event 2 $.2: 5 | 6"]);
    assert_eq!(found(&of(5, "{}"), &gone), ["status trailer grpc-status: 0 | 5"]);
    assert_eq!(
        found(&gone, &other_text),
        [""; 0],
        "details say what kind of error it is"
    );
    assert_eq!(
        found(&gone, &of(5, &error("not_found", pot))),
        ["value trailer grpc-status-details-bin $.3.2.1: \"tea\" | \"pot\""]
    );
    let json = |price| {
        stream(
            "application/connect+json",
            &[format!(r#"{{"price":{price}}}"#).as_bytes()],
            "{}",
        )
    };
    assert_eq!(found(&json(5), &json(6)), ["value $.price: 5 | 6"]);
    // Content that does not end as it must is compared as bytes.
    for odd in ["", "[]", r#"{"error":{"code":"gone"}}"#, r#"{"error":{}}"#] {
        assert!(!found(&of(5, odd), &of(5, "{}")).is_empty(), "{odd}");
        assert_eq!(found(&of(5, odd), &of(5, odd)), [""; 0], "{odd}");
    }
}

#[test]
fn one_message_over_plain_http_is_a_tree() {
    let item = |price| message(&[(1, text("tea")), (2, Value::Varint(price))]);
    for media in ["application/proto", "application/x-protobuf"] {
        assert_eq!(
            differ(&plain(media, &item(5)), &plain(media, &item(6))),
            ["value $.2: 5 | 6"],
            "{media}"
        );
        let found = differ(&plain(media, &item(5)), &plain(media, b"\xff"));
        assert!(matches!(&found[..], [one] if one.contains("body")), "{found:?}");
    }
}

#[test]
fn errors_of_connect_are_compared_by_their_code() {
    let error = |code: &str, text: &str| {
        plain(
            "application/json",
            format!("{{\"code\":\"{code}\",\"message\":\"{text}\"}}").as_bytes(),
        )
    };
    let comparator = Comparator::new(Rules::default()).unwrap();
    let asked = |(method, target): (&str, &str), fields: &[(&str, &str)], a: &Answer, b: &Answer| {
        let request = testing::exchange_with(method, target, fields).request;
        let [production, shadow] = [a, b].map(|answer| Side {
            status: 404,
            headers: &answer.headers,
            trailers: &answer.trailers,
            body: &answer.body,
        });
        stated(comparator.compare(&request, production, shadow))
    };
    let under = |fields: &[(&str, &str)], a: &Answer, b: &Answer| asked(("POST", "/p.S/M"), fields, a, b);
    let by_get = |a: &Answer, b: &Answer| {
        let target = "/p.S/M?connect=v1&encoding=json&message=%7b%7d";
        asked(("GET", target), &[], a, b)
    };
    let connect = [("connect-protocol-version", "1")];
    let (a, b, c) = (
        error("not_found", "one"),
        error("not_found", "two"),
        error("internal", "one"),
    );
    assert_eq!(under(&connect, &a, &b), [""; 0]);
    assert_eq!(by_get(&a, &b), [""; 0]);
    assert_eq!(by_get(&a, &c), ["error_type $.code: not_found | internal"]);
    assert_eq!(
        under(&connect, &a, &c),
        ["error_type $.code: not_found | internal"]
    );
    assert_eq!(under(&[], &a, &b).len(), 1, "another protocol has no such codes");
}

#[test]
fn details_of_an_error_are_its_type() {
    let details = |reason: &str, text_of: &str, pad: bool| {
        let info = message(&[(1, text(reason))]);
        let any = message(&[
            (1, text("type.googleapis.com/google.rpc.ErrorInfo")),
            (2, Value::Bytes(&info)),
        ]);
        let status = message(&[(1, Value::Varint(5)), (2, text(text_of)), (3, Value::Bytes(&any))]);
        let mut coded = BASE64_STANDARD_NO_PAD.encode(status);
        while pad && !coded.len().is_multiple_of(4) {
            coded.push('=');
        }
        answer(
            &[
                ("grpc-status", "5"),
                ("grpc-message", text_of),
                ("grpc-status-details-bin", &coded),
            ],
            Vec::new(),
        )
    };
    let a = details("GONE", "no item 7", false);
    assert_eq!(differ(&a, &details("GONE", "another text", true)), [""; 0]);
    assert_eq!(
        differ(&a, &details("MOVED", "no item 7", true)),
        ["value trailer grpc-status-details-bin $.3.2.1: \"GONE\" | \"MOVED\""]
    );
}

#[test]
fn json_messages_keep_their_names() {
    let of = |json: &str| Answer {
        headers: Headers::from_pairs([("content-type", "application/grpc+json")]),
        ..answer(OK, framed(&[json.as_bytes()]))
    };
    assert_eq!(
        differ(&of("{\"name\":\n\"a\"}"), &of("{\"name\":\"b\"}")),
        ["value $.name: \"a\" | \"b\""]
    );
}

#[test]
fn depth_and_fields_are_bounded() {
    let mut deep = message(&[(1, Value::Varint(1))]);
    for _ in 0..10_000 {
        deep = message(&[(1, Value::Bytes(&deep))]);
    }
    let shown = document(&deep);
    assert!(shown.matches('{').count() <= 40, "{}", shown.len());
    let many = [8, 1].repeat(1 << 20);
    assert!(documents([&[many.into()], &[]], None).is_none());
}

fn any_message(depth: u32) -> BoxedStrategy<Vec<u8>> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(|number| message(&[(1, Value::Varint(number))])),
        any::<u64>().prop_map(|bits| message(&[(2, Value::Fixed64(bits))])),
        any::<u32>().prop_map(|bits| message(&[(3, Value::Fixed32(bits))])),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| message(&[(4, Value::Bytes(&bytes))])),
        "[ -~\n]{0,12}".prop_map(|line| message(&[(5, text(&line))])),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = any_message(depth - 1).prop_map(|inner| message(&[(6, Value::Bytes(&inner))]));
    proptest::collection::vec(prop_oneof![leaf, inner], 0..4)
        .prop_map(|parts| parts.concat())
        .boxed()
}

proptest! {
    /// Documents are equal exactly when the messages are, up to the order of fields.
    #[test]
    fn documents_are_equal_only_for_equal_messages(a in any_message(2), b in any_message(2)) {
        let [left, right] = documents([&[a.as_slice().into()], &[b.as_slice().into()]], None).unwrap();
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&left[0]).is_ok());
        if a == b {
            prop_assert_eq!(&left, &right);
        }
        if left == right {
            let sorted = |message: &[u8]| {
                let mut found: Vec<_> = fields(message).unwrap().into_iter().map(|(number, value)| (number, format!("{value:?}"))).collect();
                found.sort();
                found
            };
            // Nested ones may be in another order, too.
            prop_assert_eq!(sorted(&a).len(), sorted(&b).len());
            prop_assert_eq!(a.len(), b.len());
        }
    }

    /// Any content gives an answer, and equal content no difference.
    #[test]
    fn any_content_is_compared(a in proptest::collection::vec(any::<u8>(), 0..64), b in any_message(2)) {
        let given = answer(OK, a);
        prop_assert!(differ(&given, &given.clone()).is_empty());
        differ(&given, &ok(&[&b]));
    }
}
