//! Messages of gRPC, with and without their types: for any framing, coding and content, an answer equals itself,
//! differences are mutual, and what is kept of it has a bound.

use shadow_core::{
    compare::{Comparator, Rules, Side},
    descriptors::Descriptors,
    redact::{RedactConfig, Redactor},
};
use shadow_proto::exchange::{Body, Headers};

use super::decode::request;

const CODINGS: [&str; 5] = ["identity", "gzip", "deflate", "zstd", "unknown"];

const MEDIA: [&str; 5] = [
    "application/grpc",
    "application/grpc+json",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/proto",
];

/// The types of a shop.
const SHOP: &[u8] = include_bytes!("../../shadow-core/tests/descriptors/shop.pb");

/// The highest bit of the first byte: the types are known.
const TYPED: u8 = 0x80;

/// Input: a byte for coding, media type and types, the length of the first answer in two bytes, and both answers.
pub fn run(input: &[u8]) {
    let [choice, high, low, rest @ ..] = input else {
        return;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (one, other) = rest.split_at(length);
    let coding = CODINGS[usize::from(choice & 15) % CODINGS.len()];
    let media = MEDIA[usize::from((choice & !TYPED) >> 4) % MEDIA.len()];
    let mut shop = Descriptors::from("shop.pb".to_owned());
    shop.read(SHOP).expect("a set of descriptors");
    let shop = (choice & TYPED != 0).then_some(shop);
    let headers = Headers::from_pairs([("content-type", media), ("grpc-encoding", coding)]);
    let trailers = Headers::from_pairs([("grpc-status", "5"), ("grpc-status-details-bin", "CAUSA2E=")]);
    let fields = Headers::from_pairs([
        ("grpc-status".as_bytes(), &b"5"[..]),
        ("grpc-message".as_bytes(), one),
        ("grpc-status-details-bin".as_bytes(), other),
    ]);
    let [one, other] = [one, other].map(|content| Body::whole(content.to_vec()));
    let comparator = Comparator::new(Rules {
        proto_descriptors: shop,
        ..Rules::default()
    });
    let comparator = comparator.expect("the defaults are rules");
    let mut request = request();
    request.target = "/shop.Shop/Get".into();
    let sides = [(&one, &trailers), (&other, &trailers), (&other, &fields)].map(|(body, trailers)| Side {
        status: 200,
        headers: &headers,
        trailers,
        body,
    });
    for a in sides {
        for b in sides {
            let there = comparator.compare(&request, a, b);
            let back = comparator.compare(&request, b, a);
            assert_eq!(there.is_empty(), back.is_empty(), "{there:?} {back:?}");
        }
        let same = comparator.compare(&request, a, a);
        assert!(same.is_empty(), "{same:?}");
        comparator.checked(&request, a, sides[0]);
    }
    let redactor = Redactor::new([7; 32], &RedactConfig::default());
    let kept = redactor.body(&headers, &one, 1024);
    assert!(
        kept.text.is_none_or(|text| text.len() <= 64 << 10),
        "more is kept than asked for"
    );
}
