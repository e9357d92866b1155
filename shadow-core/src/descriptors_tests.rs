//! Sets that real protoc made.

use super::*;

/// With imports.
pub(crate) const SHOP: &[u8] = include_bytes!("../tests/descriptors/shop.pb");

/// The descriptors of the shop.
pub(crate) fn shop() -> Descriptors {
    let mut shop = Descriptors::from("shop.pb".to_owned());
    shop.read(SHOP).unwrap();
    shop
}

#[test]
fn a_method_is_found_by_its_path() {
    let shop = shop();
    let output = |target: &str| {
        let method = shop.method(target.as_bytes())?;
        Some(method.output.full_name().to_owned())
    };
    for (target, expected) in [
        ("/shop.Shop/Get", Some("shop.Cart")),
        ("/shop.Shop/List?x=1", Some("shop.Item")),
        ("/api/v1/shop.Shop/Put", Some("shop.Key")),
        ("shop.Shop/Get", Some("shop.Cart")),
        ("/shop.Shop/Got", None),
        ("/Shop/Get", None),
        ("/shop.Shop/Get/", None),
        ("", None),
        ("/", None),
        ("é/é", None),
    ] {
        assert_eq!(output(target).as_deref(), expected, "{target}");
    }
    assert!(shop.method_at(b"/shop.Shop/Get").unwrap().only_reads);
    for write in ["/shop.Shop/Put", "/shop.Shop/Peek"] {
        assert!(!shop.method_at(write.as_bytes()).unwrap().only_reads, "{write}");
    }
    for other in ["/api/shop.Shop/Get", "/shop.Shop/Get?", "shop.Shop/Get"] {
        assert!(shop.method_at(other.as_bytes()).is_none(), "{other}");
    }
}

#[test]
fn what_is_no_set_is_refused_in_words() {
    let mut refused = Descriptors::from("x".to_owned());
    // Without the files that it imports: the first file of the set alone.
    let alone = {
        let own = SHOP.windows(10).position(|part| part == b"shop.proto").unwrap() - 2;
        &SHOP[own - 3..]
    };
    for (content, shown) in [
        (&b""[..], "there is no message in it"),
        (b"syntax = \"proto3\";", "is no usable set of descriptors"),
        (alone, "google/protobuf/any.proto"),
    ] {
        let error = refused.read(content).unwrap_err().to_string();
        assert!(
            error.contains(shown) && error.contains("--include_imports"),
            "{error}"
        );
        assert!(!refused.is_read());
    }
}

#[test]
fn it_is_written_as_its_path() {
    let shop = shop();
    let json = serde_json::to_string(&shop).unwrap();
    assert_eq!(json, "\"shop.pb\"");
    let unread: Descriptors = serde_json::from_str(&json).unwrap();
    assert!(!unread.is_read() && unread != shop && unread.method(b"/shop.Shop/Get").is_none());
}
