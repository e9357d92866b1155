//! Tests of the binary encodings.

use super::*;

fn read(encoding: Encoding, content: &[u8]) -> Option<String> {
    let document = encoding.document(content)?;
    Some(String::from_utf8(document).expect("JSON is UTF-8"))
}

#[test]
fn message_pack_is_read_as_json() {
    let read = |content: &[u8]| read(Encoding::MessagePack, content);
    for (content, json) in [
        (
            &b"\x82\xa1a\x01\xa1b\x93\xc0\xc2\xc3"[..],
            r#"{"a":1,"b":[null,false,true]}"#,
        ),
        (b"\xe0", "-32"),
        (b"\xcd\x01\x00", "256"),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", "-2"),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        (b"\xcb\x40\x00\x00\x00\x00\x00\x00\x00", "2.0"),
        (b"\xca\x7f\xc0\x00\x00", r#"{"float":"NaN"}"#),
        (b"\xd9\x04\"a\xc3\xa9", r#""\"aé""#),
        (b"\xda\x00\x01x", r#""x""#),
        (b"\xdc\x00\x01\x05", "[5]"),
        (b"\xde\x00\x01\x05\xa1#", r##"{"#5":"#"}"##),
        (b"\x81\xa1#\x05", r###"{"##":5}"###),
        (b"\x01\x02", "[1,2]"),
    ] {
        assert_eq!(read(content).as_deref(), Some(json), "{content:x?}");
    }
    let bytes = read(b"\xc4\x02ab").expect("bytes");
    assert!(bytes.starts_with(r#"{"bytes":"bytes:2:"#), "{bytes}");
    let extension = read(b"\xd4\xff\x07").expect("an extension");
    assert!(
        extension.starts_with(r#"{"extension -1":{"bytes":"bytes:1:"#),
        "{extension}"
    );
    for broken in [
        &b""[..],
        b"\xc1",
        b"\x82\xa1a",
        b"\xa1\xff",
        b"\xdb\xff\xff\xff\xffx",
        b"\xdd\xff\xff\xff\xff",
    ] {
        assert_eq!(read(broken), None, "{broken:x?}");
    }
    assert_eq!(read(&[0x91; 1_000]), None, "too deep");
}

#[test]
fn cbor_is_read_as_json() {
    let read = |content: &[u8]| read(Encoding::Cbor, content);
    for (content, json) in [
        (
            &b"\xa2\x61a\x01\x61b\x82\xf5\xf6"[..],
            r#"{"a":1,"b":[true,null]}"#,
        ),
        (b"\x18\x1e", "30"),
        (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "-18446744073709551616"),
        (b"\x9f\x01\x02\xff", "[1,2]"),
        (b"\xbf\x61a\xf4\xff", r#"{"a":false}"#),
        (b"\x7f\x61a\x62bc\xff", r#""abc""#),
        (b"\xc1\x1a\x51\x4b\x67\xb0", r#"{"tag 1":1363896240}"#),
        (b"\xf7", r#"{"simple 23":true}"#),
        (b"\xf9\x3e\x00", "1.5"),
        (b"\xf9\x00\x01", "5.960464477539063e-8"),
        (b"\xf9\xfc\x00", r#"{"float":"-inf"}"#),
        (b"\xfa\x47\xc3\x50\x00", "100000.0"),
        (b"\xa1\x01\x02", r##"{"#1":2}"##),
    ] {
        assert_eq!(read(content).as_deref(), Some(json), "{content:x?}");
    }
    for broken in [
        &b""[..],
        b"\xff",
        b"\x1c",
        b"\x9f\x01",
        b"\x7f\x41a\xff",
        b"\x5b\xff\xff\xff\xff\xff\xff\xff\xffx",
        b"\xa1\x01",
    ] {
        assert_eq!(read(broken), None, "{broken:x?}");
    }
    assert_eq!(read(&[0x81; 1_000]), None, "too deep");
    assert_eq!(read(&[0xc1; 1_000]), None, "too many tags");
}

#[test]
fn any_bytes_are_read_or_not_and_what_is_written_is_json() {
    let mut random = shadow_proto::testing::Random(7);
    for _ in 0..20_000 {
        let length = random.number() % 24;
        let content: Vec<u8> = (0..length).map(|_| random.number().to_le_bytes()[0]).collect();
        for encoding in [Encoding::Cbor, Encoding::MessagePack, Encoding::Protobuf] {
            if let Some(document) = encoding.document(&content) {
                let is_json = serde_json::from_slice::<serde_json::Value>(&document).is_ok();
                assert!(is_json, "{encoding:?} {content:x?}");
            }
        }
    }
}

#[test]
fn the_media_type_says_the_encoding() {
    for (media, encoding) in [
        ("application/cbor", Some(Encoding::Cbor)),
        ("Application/Senml+CBOR; x=y", Some(Encoding::Cbor)),
        ("application/x-msgpack", Some(Encoding::MessagePack)),
        ("application/vnd.google.protobuf", Some(Encoding::Protobuf)),
        ("application/octet-stream", None),
        ("text/cbor", None),
        ("application/json", None),
    ] {
        let headers = Headers::from_pairs([("content-type", media)]);
        assert_eq!(Encoding::of(&headers), encoding, "{media}");
    }
}
