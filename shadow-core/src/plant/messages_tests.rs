//! Faults in messages of gRPC, each of which the comparison has to find.

use shadow_proto::{
    exchange::{Body, Exchange},
    testing,
};

use super::*;
use crate::{
    compare::{Comparator, Rules, ShadowResponse},
    plant::compare_again,
};

fn message(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        put(*number, *value, &mut out);
    }
    out
}

/// A cart: two items, a list of tags, and numbers of every kind.
fn cart(id: u64) -> Vec<u8> {
    let item = |price: u64| message(&[(1, Value::Bytes(b"tea")), (2, Value::Varint(price))]);
    let (first, second) = (item(500), item(750));
    message(&[
        (1, Value::Varint(id)),
        (2, Value::Bytes(&first)),
        (2, Value::Bytes(&second)),
        (3, Value::Bytes(b"new")),
        (3, Value::Bytes(b"blue")),
        (4, Value::Fixed64(2.5f64.to_bits())),
        (5, Value::Fixed32(7)),
        (6, Value::Bytes(&[0xff, 0])),
        (7, Value::Varint(1)),
    ])
}

/// An exchange and the equal answer of the shadow system.
fn exchange(media: &str, messages: &[Vec<u8>], is_head: bool) -> (Exchange, ShadowResponse) {
    let status = ("grpc-status", "0");
    let mut headers = vec![("content-type", media)];
    headers.extend(is_head.then_some(status));
    let headers = Headers::from_pairs(headers);
    let is_web = media.contains("web") || media.contains("connect");
    let lines = is_web.then_some(&b"grpc-status: 0\r\n"[..]);
    let content = framed(&headers, messages, lines).expect("a content");
    let trailers = Headers::from_pairs((!is_head && !is_web).then_some(status));
    let mut exchange = testing::exchange("POST", "/shop.Shop/Get");
    let production = exchange.response.as_mut().expect("an answer");
    production.headers = headers.clone();
    production.trailers = trailers.clone();
    production.body = Body::whole(content.clone());
    let shadow = ShadowResponse {
        status: production.status,
        headers,
        trailers,
        body: Body::whole(content),
        first_byte: core::time::Duration::ZERO,
        total: core::time::Duration::ZERO,
    };
    (exchange, shadow)
}

/// How often each kind was planted; all of them are found.
fn planted(media: &str, messages: &[Vec<u8>]) -> Vec<Planted> {
    let comparator = Comparator::new(Rules::default()).expect("rules");
    let (exchange, shadow) = exchange(media, messages, false);
    let mut kinds = Vec::new();
    for kind in Planted::ALL {
        for seed in 0..60 {
            let with = (*kind, Some(b"other".as_slice()), seed);
            let Some(tried) = compare_again(&comparator, &exchange, &shadow, with) else {
                continue;
            };
            assert!(!tried.found.is_empty(), "{media}: {kind:?} at {}", tried.place);
            let is_field = !matches!(
                kind,
                Planted::Status | Planted::Header | Planted::Truncated | Planted::Other
            );
            assert!(
                !is_field
                    || tried
                        .found
                        .iter()
                        .all(|found| found.place != "body" || tried.place.starts_with("event")),
                "{media}: {kind:?} at {}: {:?}",
                tried.place,
                tried.found
            );
            if kinds.last() != Some(kind) {
                kinds.push(*kind);
            }
        }
    }
    kinds
}

#[test]
fn every_kind_is_planted_and_found() {
    for media in [
        "application/grpc",
        "application/grpc-web+proto",
        "application/grpc-web-text",
        "application/proto",
    ] {
        assert_eq!(planted(media, &[cart(3)]), Planted::ALL, "{media}");
    }
    let stream = [cart(1), cart(2), cart(3)];
    for media in ["application/grpc", "application/connect+proto"] {
        assert_eq!(planted(media, &stream), Planted::ALL, "{media}");
    }
    let documents =
        [1, 2, 3].map(|id| format!(r#"{{"id":{id},"tags":["new","blue"],"price":2.5}}"#).into_bytes());
    for media in [
        "application/connect+json",
        "application/grpc+json",
        "application/grpc-web+json",
    ] {
        assert_eq!(planted(media, &documents), Planted::ALL, "{media}");
        assert_eq!(
            planted(media, documents.get(..1).unwrap_or_default()),
            Planted::ALL,
            "{media}"
        );
    }
}

#[test]
fn an_answer_without_messages_gets_another_status() {
    let comparator = Comparator::new(Rules::default()).expect("rules");
    let (exchange, shadow) = exchange("application/grpc", &[], true);
    let found: Vec<_> = (0..20)
        .filter_map(|seed| compare_again(&comparator, &exchange, &shadow, (Planted::Status, None, seed)))
        .collect();
    assert!(!found.is_empty());
    for tried in found {
        assert_eq!(tried.place, "trailer grpc-status");
        assert_eq!(tried.found.len(), 1, "{:?}", tried.found);
    }
    for kind in [Planted::Value, Planted::Lost, Planted::Duplicated] {
        assert!(compare_again(&comparator, &exchange, &shadow, (kind, None, 1)).is_none());
    }
}

#[test]
fn entries_of_a_map_get_only_faults_that_are_some() {
    let entry = |name: &str| message(&[(1, Value::Bytes(name.as_bytes())), (2, Value::Varint(5))]);
    let (eu, us) = (entry("eu"), entry("us"));
    let cart = message(&[(3, Value::Bytes(&eu)), (3, Value::Bytes(&us))]);
    let (mut exchange, shadow) = exchange("application/grpc", &[cart], false);
    exchange.request.target = "/shop.Shop/Get".into();
    let comparator = Comparator::new(Rules {
        proto_descriptors: Some(crate::descriptors::tests::shop()),
        ..Rules::default()
    });
    let comparator = comparator.expect("rules");
    for kind in [
        Planted::Swapped,
        Planted::Duplicated,
        Planted::Value,
        Planted::Lost,
        Planted::Near,
    ] {
        let tried: Vec<_> = (0..40)
            .filter_map(|seed| compare_again(&comparator, &exchange, &shadow, (kind, None, seed)))
            .collect();
        let is_none = matches!(kind, Planted::Swapped | Planted::Duplicated);
        assert_eq!(tried.is_empty(), is_none, "{kind:?}");
        for tried in tried {
            let at_name = |place: &str| place.starts_with("$.stockByRegion");
            assert!(!tried.found.is_empty(), "{kind:?} at {}", tried.place);
            assert!(
                tried.found.iter().all(|found| at_name(&found.place)),
                "{:?}",
                tried.found
            );
        }
    }
}

#[test]
fn a_place_names_the_field_among_equal_ones() {
    let mut dice = Dice(0);
    let headers = Headers::from_pairs([("content-type", "application/grpc")]);
    let content = framed(&headers, &[cart(1)], None).expect("a content");
    let places: Vec<String> = (0..200)
        .filter_map(|_| change(Planted::Value, (&headers, &content), None, &mut dice))
        .map(|changed| changed.place)
        .collect();
    for place in ["$.1", "$.2[1].2", "$.3[0]", "$.6"] {
        assert!(places.iter().any(|found| found == place), "{place}: {places:?}");
    }
}

#[test]
fn deep_and_wide_messages_are_bounded() {
    let mut deep = vec![8, 1];
    for _ in 0..2_000 {
        deep = message(&[(1, Value::Bytes(&deep))]);
    }
    let wide = [8, 1].repeat(100_000);
    let headers = Headers::from_pairs([("content-type", "application/proto")]);
    for content in [deep, wide] {
        for kind in [Planted::Value, Planted::Swapped, Planted::Duplicated] {
            change(kind, (&headers, &content), None, &mut Dice(1));
        }
    }
}
