use super::*;

#[test]
fn a_marker_is_a_field_without_another_meaning() {
    assert!(Marker::new("X-Mirrored", "yes").is_ok());
    for name in [
        "",
        "two words",
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "TE",
    ] {
        assert!(Marker::new(name, "1").is_err(), "{name:?}");
    }
    for value in ["", "a b", "a\r\nb", "é"] {
        assert_eq!(Marker::new("X-M", value), Err(MarkerError::Value), "{value:?}");
    }
}
