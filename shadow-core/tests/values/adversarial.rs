//! Values that look like others.

use super::*;

#[test]
fn a_page_is_no_identifier_and_a_price_is_none() {
    let mut values = values();
    for (collection, id, other) in [("pages", 2, 5), ("prices", 100, 7), ("orders", 2, 9)] {
        let (ours, theirs) = (format!("/{collection}/{id}"), format!("/{collection}/{other}"));
        let created = exchange(
            "POST",
            &format!("/{collection}"),
            &[],
            "",
            Said(201, &[("Location", &ours)], ""),
        );
        compared(&mut values, &created, Said(201, &[("Location", &theirs)], ""));
        assert_eq!(target(&mut values, &ours).unwrap(), theirs);
    }
    assert_eq!(
        target(&mut values, "/orders?page=2&size=100").as_deref(),
        Ok("/orders?page=2&size=100")
    );
    let json = [("Content-Type", "application/json")];
    let body = r#"{"price":100,"quantity":2,"order_id":2}"#;
    let request = sent(&mut values, "POST", "/lines", &json, body).unwrap();
    assert_eq!(content(&request), r#"{"price":100,"quantity":2,"order_id":9}"#);
}

#[test]
fn one_uuid_in_two_roles_has_a_partner_in_each() {
    let one = "6f9619ff-8b86-4011-b42d-00cf4fc964ff";
    let (user, account) = (
        "11119c1d-aaaa-4bbb-8ccc-0123456789ab",
        "22229c1d-aaaa-4bbb-8ccc-0123456789ab",
    );
    let mut values = values();
    let body = |id: &str| format!(r#"{{"id":"{id}"}}"#);
    for (path, other) in [("/users", user), ("/accounts", account)] {
        let created = exchange("POST", path, &[], "", Said(201, &[], &body(one)));
        let (text, conflict) = compared(&mut values, &created, Said(201, &[], &body(other)));
        assert_eq!((text, conflict), (body(one), false), "{path}");
    }
    assert_eq!(
        target(&mut values, &format!("/users/{one}")).unwrap(),
        format!("/users/{user}")
    );
    assert_eq!(
        target(&mut values, &format!("/accounts/{one}")).unwrap(),
        format!("/accounts/{account}")
    );
    let elsewhere = target(&mut values, &format!("/invoices/{one}"));
    assert_eq!(elsewhere, Err(SkipPolicy::ValueUnknown), "it may be either");
}

#[test]
fn a_value_within_a_longer_one_stays() {
    let (ours, theirs) = (
        "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "11119c1d-aaaa-4bbb-8ccc-0123456789ab",
    );
    let mut values = values();
    let body = |id: &str| format!(r#"{{"id":"{id}"}}"#);
    let created = exchange("POST", "/users", &[], "", Said(201, &[], &body(ours)));
    compared(&mut values, &created, Said(201, &[], &body(theirs)));
    for given in [
        format!("/files/{ours}.png"),
        format!("/search?q=user:{ours}"),
        format!("/x{ours}"),
    ] {
        assert_eq!(target(&mut values, &given), Ok(given.clone()));
    }
}

#[test]
fn replacements_are_written_in_the_notation_of_their_place() {
    let mut values = values();
    let created = exchange("POST", "/notes", &[], "", Said(201, &[], r#"{"id":"n1"}"#));
    compared(&mut values, &created, Said(201, &[], r#"{"id":"a/b?\"1\""}"#));
    assert_eq!(
        target(&mut values, "/notes/n1?note_id=n1").unwrap(),
        "/notes/a%2Fb%3F%221%22?note_id=a%2Fb%3F%221%22"
    );
    let json = [("Content-Type", "application/json")];
    let request = sent(&mut values, "POST", "/x", &json, r#"{"note_id":"n1"}"#).unwrap();
    assert_eq!(content(&request), r#"{"note_id":"a/b?\"1\""}"#);
    let cookie = exchange(
        "POST",
        "/login",
        &[],
        "",
        Said(200, &[("Set-Cookie", "sid=a1")], ""),
    );
    compared(
        &mut values,
        &cookie,
        Said(200, &[("Set-Cookie", "sid=b\r\nX: 1")], ""),
    );
    let request = sent(&mut values, "GET", "/x", &[("Cookie", "sid=a1")], "").unwrap();
    assert_eq!(
        header(&request, "cookie"),
        Some("sid=a1"),
        "it would end the line"
    );
}

#[test]
fn memory_is_bounded_however_many_values_there_are() {
    let limits = TableLimits {
        entries: 1 << 20,
        bytes: 4 << 20,
        ttl: Duration::from_hours(1),
    };
    let mut values = Values::new(limits);
    for number in 0..50_000u32 {
        let body = |n: u32| format!(r#"{{"id":"6f9619ff-8b86-4011-b42d-0000{n:08x}"}}"#);
        let (ours, theirs) = (body(number), body(u32::MAX - number));
        let created = exchange("POST", "/orders", &[], "", Said(201, &[], &ours));
        compared(&mut values, &created, Said(201, &[], &theirs));
        let (_, bytes) = values.size();
        assert!(bytes <= limits.bytes, "{bytes}");
    }
    let counters = values.counters();
    assert_eq!(counters.learned, 50_000);
    assert_eq!(counters.forgotten + values.size().0 as u64, 50_000);
}

#[test]
fn any_bytes_are_read_without_a_panic_and_nothing_is_learned_from_noise() {
    let mut random = testing::Random(20);
    let pieces: [&str; 16] = [
        "/", "orders", "8123", "?", "id=", "&", "%", "%zz", "{\"id\":", "8123", "}", "[", "]", "\"",
        "\u{feff}", "é",
    ];
    let mut text = || {
        let count = random.number() % 12;
        let mut made = String::new();
        for _ in 0..count {
            made.push_str(pieces[usize::try_from(random.number() % 16).unwrap()]);
        }
        made
    };
    let mut values = with_order();
    for _ in 0..20_000 {
        let (target, body, cookie) = (format!("/{}", text()), text(), text());
        let headers = [
            ("Cookie", &*cookie),
            ("Referer", &*target),
            ("Content-Type", "application/json"),
        ];
        let said = [text(), text()];
        let made = exchange(
            "GET",
            &target,
            &headers,
            &body,
            Said(200, &[("Location", &target)], &said[0]),
        );
        values.carried(&made);
        compared(&mut values, &made, Said(200, &[("ETag", &cookie)], &said[1]));
        let sent = sent(&mut values, "GET", &target, &headers, &body);
        assert!(sent.is_ok() || sent.as_ref().err() == Some(&SkipPolicy::ValueUnknown));
    }
    assert_eq!(values.kinds(), [("order".to_owned(), 1)]);
}
