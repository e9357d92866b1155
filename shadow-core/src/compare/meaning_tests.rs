//! Equal content and header fields in different spellings, and the settings that turn this off.

use super::content_tests::{Answer, places, under};
use crate::compare::{Rules, Structure, Texts};

#[test]
fn the_same_content_in_another_spelling_is_equal() {
    for (kind, a, b) in [
        ("application/json", r#"{"a": NaN, "b": 1}"#, r#"{"b":1,"a":NaN}"#),
        (
            "text/plain",
            r#"{"a":1,"u":"http:\/\/x"}"#,
            r#"{"u": "http://x", "a": 1}"#,
        ),
        (
            "application/json",
            r#"{"p":"{\"a\":1,\"b\":2}"}"#,
            r#"{"p":"{\"b\":2, \"a\":1.0}"}"#,
        ),
        (
            "text/html",
            "<html><script>x = {\"a\":1,\"b\":2};</script></html>",
            "<html><script>x = {\"b\":2, \"a\":1};</script></html>",
        ),
        (
            "text/plain",
            "up{b=\"1\",a=\"2\"} 1\nx 2\n",
            "x 2.0\nup{a=\"2\",b=\"1\"} 1\n",
        ),
        ("text/csv", "a,b\r\n\"1\",2\r\n", "a,b\n1,2\n"),
    ] {
        assert_eq!(places(kind, a.as_bytes(), b.as_bytes()), [""; 0], "{a} {b}");
    }
    let plain: Answer<'_> = (200, &[("Content-Type", "application/json")], b"{\"a\":1}");
    let coded: Answer<'_> = (
        200,
        &[("Content-Type", "application/json"), ("Content-Encoding", "none")],
        b"{ \"a\":1}",
    );
    assert_eq!(under(Rules::default(), plain, coded), []);
}

#[test]
fn what_only_one_side_spells_leniently_is_told() {
    let found = places("application/json", b"{\"a\":1}", b"{\"a\":2,}");
    assert_eq!(found, ["body", "$.a"]);
    assert_eq!(
        places("application/json", b"{\"a\":1}", b"while(1);{\"a\":1}"),
        ["body"]
    );
}

#[test]
fn rules_turn_it_off() {
    let rules = Rules {
        structure: Structure::Type,
        text: Texts::Whole,
        ..Rules::default()
    };
    for (kind, a, b, place) in [
        ("text/plain", "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "line 1"),
        (
            "application/json",
            "{\"a\":\"x y z\"}",
            "{\"a\":\"x y w\"}",
            "$.a",
        ),
        (
            "text/html",
            "<html><a href='/a?b=1'></a></html>",
            "<html><a href='/a?b=2'></a></html>",
            "/html/a/@href",
        ),
    ] {
        let fields: &[(&str, &str)] = &[("Content-Type", kind)];
        let found = under(
            rules.clone(),
            (200, fields, a.as_bytes()),
            (200, fields, b.as_bytes()),
        );
        assert_eq!(
            found.into_iter().map(|found| found.place).collect::<Vec<_>>(),
            [place],
            "{kind}"
        );
    }
}

#[test]
fn header_fields_are_compared_by_what_they_mean() {
    let moved = |location: &'static str| -> [(&'static str, &'static str); 1] { [("Location", location)] };
    for (a, b, expected) in [
        ("http://shop.example/login", "/login", &[][..]),
        ("/shop/login", "login", &[]),
        ("/login", "../login", &[]),
        ("/caf%c3%a9", "/caf%C3%A9", &[]),
        ("/%7Eann", "/~ann", &[]),
        ("http://shop.example:80/a", "//SHOP.example/a", &[]),
        ("/a?x=1", "?x=2", &["header location query x"]),
        (
            "/orders/107c",
            "/error/a0b6",
            &["header location path 1", "header location path 2"],
        ),
        (
            "http://shop.example/a",
            "https://shop.example/a",
            &["header location scheme"],
        ),
        (
            "http://shop.example/a",
            "http://other.example/a",
            &["header location host"],
        ),
    ] {
        let (left, right) = (moved(a), moved(b));
        let found = under(Rules::default(), (302, &left, b""), (302, &right, b""));
        let found: Vec<String> = found.into_iter().map(|found| found.place).collect();
        let expected: Vec<String> = if a == "/a?x=1" {
            vec![
                "header location path".to_owned(),
                "header location query x".to_owned(),
            ]
        } else {
            expected.iter().map(|place| (*place).to_owned()).collect()
        };
        assert_eq!(found, expected, "{a} {b}");
    }
}

#[test]
fn cookies_and_links_are_compared_by_name_and_attribute() {
    let rules = Rules {
        headers: ["set-cookie", "link"]
            .map(|name| {
                name.to_owned()
                    .try_into()
                    .unwrap_or_else(|error| panic!("{error}"))
            })
            .to_vec(),
        ..Rules::default()
    };
    let found = under(
        rules,
        (
            200,
            &[
                ("Set-Cookie", "sid=abc; Path=/; Secure; HttpOnly"),
                ("Link", "</p?page=2>; rel=\"next\", </p?page=9>; rel=last"),
            ],
            b"",
        ),
        (
            200,
            &[
                ("Set-Cookie", "sid=xyz; path=/; HttpOnly"),
                ("Link", "</p?page=9>; rel=last, </p?page=3>; rel=next"),
            ],
            b"",
        ),
    );
    let found: Vec<String> = found.into_iter().map(|found| found.place).collect();
    assert_eq!(
        found,
        [
            "header set-cookie sid secure",
            "header set-cookie sid",
            "header link next query page"
        ]
    );
}

#[test]
fn what_nobody_reads_is_not_compared() {
    let note: Answer<'_> = (
        302,
        &[("Location", "/login"), ("Content-Type", "text/plain")],
        b"Found. See /login",
    );
    let page: Answer<'_> = (
        302,
        &[
            ("Location", "/login"),
            ("Content-Type", "text/html; charset=utf-8"),
        ],
        b"<a href=\"/login\">Found</a>",
    );
    assert_eq!(under(Rules::default(), note, page), []);
    let whole = Rules {
        redirects: crate::compare::Redirects::Whole,
        ..Rules::default()
    };
    assert_eq!(under(whole, note, page).len(), 2);
    let json: Answer<'_> = (
        302,
        &[("Location", "/login"), ("Content-Type", "application/json")],
        b"{\"a\":1}",
    );
    assert_ne!(under(Rules::default(), note, json), [], "content for programs");
    let typed: Answer<'_> = (304, &[("Content-Type", "text/css")], b"");
    assert_eq!(under(Rules::default(), typed, (304, &[], b"")), []);
    assert_eq!(
        under(Rules::default(), (200, typed.1, b""), (200, &[], b"")).len(),
        1
    );
}
