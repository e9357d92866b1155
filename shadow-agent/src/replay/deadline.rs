//! The time that a gRPC client gave its call (`grpc-timeout`).
//!
//! A replay gets as long: after it the client would no longer have waited for the answer.

use std::time::Duration;

use shadow_core::rewrite::ShadowRequest;

/// The most digits of a value; gRPC permits no more.
const DIGITS: usize = 8;

/// The time for a request, if it states one.
pub(super) fn of(request: &ShadowRequest) -> Option<Duration> {
    let mut fields = request.headers.iter();
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(b"grpc-timeout"))?;
    let (unit, digits) = value.split_last()?;
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.len() > DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_hours(count),
        b'M' => Duration::from_mins(count),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shadow_proto::exchange::Version;

    use super::*;

    #[test]
    fn values_of_every_unit_are_read_and_others_ignored() {
        for (value, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("10S", Some(Duration::from_secs(10))),
            ("10100m", Some(Duration::from_millis(10_100))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0m", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("123456789m", None),
            ("1", None),
            ("m", None),
            ("", None),
            ("-1S", None),
            ("1 S", None),
            ("1s", None),
            ("\u{e9}S", None),
        ] {
            let request = ShadowRequest {
                method: Bytes::from("POST"),
                target: Bytes::from("/"),
                version: Version::Http2,
                headers: vec![("grpc-timeout".into(), value.into())],
                body: Bytes::new(),
                trailers: Vec::new(),
                is_repeatable: false,
                is_first: false,
            };
            assert_eq!(of(&request), expected, "{value:?}");
        }
    }
}
