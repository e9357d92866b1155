//! Values in requests.

use super::*;

#[test]
fn an_identifier_of_a_creation_is_replaced_wherever_it_means_the_same() {
    let mut values = with_order();
    for (given, wanted) in [
        ("/orders/8123", "/orders/977"),
        ("/api/v2/orders/8123/lines?x=1", "/api/v2/orders/977/lines?x=1"),
        (
            "/search?order_id=8123&page=8123",
            "/search?order_id=977&page=8123",
        ),
        ("/orders?id=8123", "/orders?id=977"),
        ("/customers/8123", "/customers/8123"),
        ("/orders/81234", "/orders/81234"),
        ("/orders/x8123", "/orders/x8123"),
    ] {
        // Larger than the first number that production gave: it was created later.
        let expected = if given == "/orders/81234" {
            Err(SkipPolicy::ValueUnknown)
        } else {
            Ok(wanted.to_owned())
        };
        assert_eq!(target(&mut values, given), expected, "{given}");
    }
    let json = [("Content-Type", "application/json"), ("Content-Length", "62")];
    let body = r#"{"order_id": 8123, "total": 8123, "ids": ["8123"], "n": [8123]}"#;
    let request = sent(&mut values, "POST", "/payments", &json, body).unwrap();
    assert_eq!(
        content(&request),
        r#"{"order_id": 977, "total": 8123, "ids": ["8123"], "n": [8123]}"#
    );
    assert_eq!(header(&request, "content-length"), Some("62"));
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", "26"),
    ];
    let request = sent(
        &mut values,
        "POST",
        "/payments",
        &form,
        "amount=8123&order_id=8123",
    )
    .unwrap();
    assert_eq!(content(&request), "amount=8123&order_id=977");
    assert_eq!(header(&request, "content-length"), Some("24"));
    let parts = [("Content-Type", "multipart/form-data; boundary=x")];
    let part = |id: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"order_id\"\r\n\r\n{id}\r\n--x--\r\n")
    };
    let request = sent(&mut values, "POST", "/payments", &parts, &part("8123")).unwrap();
    assert_eq!(content(&request), part("977"));
}

#[test]
fn what_is_not_known_is_sent_as_it_is() {
    let mut values = with_order();
    let json = [("Content-Type", "application/json")];
    for body in [
        r#"{"order_id": 1}"#,
        r#"{"order_id": 8123"#,
        "no json",
        r#"{"a": "\ud800", "order_id": null}"#,
    ] {
        let request = sent(&mut values, "POST", "/payments", &json, body).unwrap();
        assert_eq!(content(&request), body);
    }
    assert_eq!(target(&mut values, "/orders/17").as_deref(), Ok("/orders/17"));
    assert_eq!(target(&mut values, "*").as_deref(), Ok("*"));
}

#[test]
fn a_number_of_the_shadow_system_is_never_sent_as_one_of_production() {
    let mut values = with_order();
    assert_eq!(
        target(&mut values, "/orders/977"),
        Err(SkipPolicy::ValueUnknown),
        "there it is another order"
    );
    assert_eq!(
        target(&mut values, "/orders/8124"),
        Err(SkipPolicy::ValueUnknown),
        "it was created later"
    );
}

#[test]
fn a_session_goes_on_with_the_cookies_and_tokens_of_the_shadow_system() {
    let mut values = values();
    let (ours, theirs) = ("k3j9x2m1q8w7z6y5", "p0o9i8u7y6t5r4e3");
    let (jwt, other) = (
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.dBjftJeZ4CVP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI5MSJ9.Qm9uam91cg4TZ",
    );
    let cookie = |value: &str| format!("sid={value}; Path=/; HttpOnly");
    let (a, b) = (cookie(ours), cookie(theirs));
    let (answer, shadows) = (
        format!(r#"{{"access_token":"{jwt}"}}"#),
        format!(r#"{{"access_token":"{other}"}}"#),
    );
    let login = exchange(
        "POST",
        "/login",
        &[],
        "",
        Said(200, &[("Set-Cookie", &a)], &answer),
    );
    let (text, _) = compared(&mut values, &login, Said(200, &[("Set-Cookie", &b)], &shadows));
    assert_eq!(text, answer);
    let headers = [
        ("Cookie", &*format!("theme=dark; sid={ours}")),
        ("Authorization", &*format!("Bearer {jwt}")),
    ];
    let request = sent(&mut values, "GET", "/me", &headers, "").unwrap();
    assert_eq!(
        header(&request, "cookie"),
        Some(&*format!("theme=dark; sid={theirs}"))
    );
    assert_eq!(
        header(&request, "authorization"),
        Some(&*format!("Bearer {other}"))
    );
}

#[test]
fn a_validator_is_that_of_the_same_resource() {
    let mut values = with_order();
    let read = exchange(
        "GET",
        "/orders/8123",
        &[],
        "",
        Said(200, &[("ETag", "\"v7\"")], "{}"),
    );
    compared(&mut values, &read, Said(200, &[("ETag", "\"v2\"")], "{}"));
    let update =
        |target: &str, tag: &str| exchange("PUT", target, &[("If-Match", tag)], "{}", Said(200, &[], ""));
    let known = |values: &mut Values, exchange: &Exchange| {
        let value = exchange.request.headers.get("if-match").unwrap();
        values.validator(exchange, b"if-match", value, NOW)
    };
    assert_eq!(
        known(&mut values, &update("/orders/8123", "\"v7\"")).as_deref(),
        Some(&b"\"v2\""[..])
    );
    assert_eq!(known(&mut values, &update("/orders/8123", "\"v6\"")), None);
    assert_eq!(known(&mut values, &update("/orders/17", "\"v7\"")), None);
    assert_eq!(
        known(&mut values, &update("/orders/8123", "\"v7\", \"v6\"")),
        None,
        "all or nothing"
    );
    // It is renewed.
    let updated = exchange(
        "PUT",
        "/orders/8123",
        &[],
        "{}",
        Said(200, &[("ETag", "\"v8\"")], "{}"),
    );
    compared(&mut values, &updated, Said(200, &[("ETag", "\"v2\"")], "{}"));
    assert_eq!(
        known(&mut values, &update("/orders/8123", "\"v8\"")).as_deref(),
        Some(&b"\"v2\""[..])
    );
}

#[test]
fn a_coding_and_digests_go_where_content_changes() {
    use std::io::Write as _;
    let mut values = with_order();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(br#"{"order_id":8123}"#).unwrap();
    let packed = packed.finish().unwrap();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Content-Digest", "sha-256=:x:"),
        ("Content-Length", &*packed.len().to_string()),
    ];
    let mut exchange = exchange("POST", "/payments", &headers, "", Said(200, &[], ""));
    exchange.request.body = Body::whole(packed);
    let Ok(Rewritten::Send(mut request)) = rewrite(&exchange, &policy()) else {
        panic!("not sent");
    };
    assert_eq!(values.substitute(&mut request, NOW), Ok(1));
    assert_eq!(content(&request), r#"{"order_id":977}"#);
    assert_eq!(header(&request, "content-encoding"), None);
    assert_eq!(header(&request, "content-digest"), None);
    assert_eq!(header(&request, "content-length"), Some("16"));
}

#[test]
fn values_of_an_exchange_that_was_not_replayed_are_never_sent() {
    let mut values = values();
    let created = exchange(
        "POST",
        "/orders",
        &[],
        "",
        Said(
            201,
            &[("Location", "/orders/5")],
            r#"{"id":5,"token":"a1b2c3d4e5f6A7"}"#,
        ),
    );
    let introduced = values.introduced(&created, NOW);
    assert_eq!(introduced.keys().len(), 2, "{introduced:?}");
    values.lost(&introduced, NOW);
    assert_eq!(target(&mut values, "/orders/5"), Err(SkipPolicy::ValueUnknown));
    assert_eq!(target(&mut values, "/orders/4").as_deref(), Ok("/orders/4"));
    // It is known after all, for example from a second creation of the same.
    compared(
        &mut values,
        &created,
        Said(
            201,
            &[("Location", "/orders/3")],
            r#"{"id":3,"token":"a1b2c3d4e5f6B8"}"#,
        ),
    );
    assert_eq!(target(&mut values, "/orders/5").as_deref(), Ok("/orders/3"));
}

#[test]
fn after_a_loss_a_value_that_was_never_seen_is_not_sent() {
    let (old, lost) = (
        "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "7a9619ff-8b86-4011-b42d-00cf4fc96411",
    );
    let other = "11119c1d-aaaa-4bbb-8ccc-0123456789ab";
    let mut values = with_order();
    let note = |id: &str| format!(r#"{{"id":"{id}"}}"#);
    let made = exchange(
        "POST",
        "/notes",
        &[],
        "{}",
        Said(201, &[], &note("8a9619ff-8b86-4011-b42d-00cf4fc96422")),
    );
    compared(&mut values, &made, Said(201, &[], &note(other)));
    let path = |id: &str| format!("/notes/{id}");
    assert_eq!(
        target(&mut values, &path(old)),
        Ok(path(old)),
        "older than the capture"
    );
    values.missed(None);
    assert_eq!(target(&mut values, &path(old)), Ok(path(old)));
    assert_eq!(target(&mut values, &path(lost)), Err(SkipPolicy::ValueUnknown));
    // Nothing was ever learned of these.
    let client_made = format!("/uploads/{lost}");
    assert_eq!(target(&mut values, &client_made), Ok(client_made.clone()));
    assert_eq!(
        target(&mut values, "/orders?page=2"),
        Ok("/orders?page=2".to_owned())
    );
    values.clear();
    assert_eq!(
        target(&mut values, &path(lost)),
        Ok(path(lost)),
        "nothing is known any more"
    );
}

#[test]
fn a_change_with_a_tag_that_was_lost_is_not_sent() {
    let mut values = values();
    let read = exchange(
        "GET",
        "/orders/1",
        &[],
        "",
        Said(200, &[("ETag", "\"a1b2\"")], ""),
    );
    compared(&mut values, &read, Said(200, &[("ETag", "\"c3d4\"")], ""));
    let change = |tag: &str| exchange("PUT", "/orders/1", &[("If-Match", tag)], "", Said(200, &[], ""));
    assert!(!values.has_unknown_tag(&change("\"ffff\""), NOW), "older");
    values.missed(None);
    assert!(values.has_unknown_tag(&change("\"ffff\""), NOW));
    assert!(!values.has_unknown_tag(&change("\"a1b2\""), NOW));
    assert!(!values.has_unknown_tag(&change("*"), NOW));
}

#[test]
fn after_a_lost_creation_a_number_that_was_never_seen_is_not_sent() {
    let mut values = values();
    assert_eq!(
        target(&mut values, "/orders/700"),
        Ok("/orders/700".to_owned()),
        "an old one"
    );
    let lost = exchange("POST", "/orders", &[], "{}", Said(201, &[], ""));
    values.missed(Some(&lost));
    assert_eq!(target(&mut values, "/orders/8123"), Err(SkipPolicy::ValueUnknown));
    assert_eq!(target(&mut values, "/orders/699"), Ok("/orders/699".to_owned()));
    // The first one that is seen may come after the lost one.
    let created = |number: u32| format!(r#"{{"id":{number}}}"#);
    let made = exchange("POST", "/orders", &[], "{}", Said(201, &[], &created(8124)));
    compared(&mut values, &made, Said(201, &[], &created(978)));
    assert_eq!(target(&mut values, "/orders/8124"), Ok("/orders/978".to_owned()));
    assert_eq!(target(&mut values, "/orders/8123"), Err(SkipPolicy::ValueUnknown));
    assert_eq!(
        target(&mut values, "/orders/701"),
        Ok("/orders/701".to_owned()),
        "far below"
    );
}
