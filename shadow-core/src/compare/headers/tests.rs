use super::*;
use crate::compare::{Rules, compiled::Compiled};
use shadow_proto::{exchange::Body, testing};

fn differ(rules: &Rules, a: &[(&str, &str)], b: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let mut findings = Findings::new(10);
    let (a, b) = (
        Headers::from_pairs(a.iter().copied()),
        Headers::from_pairs(b.iter().copied()),
    );
    let compiled = Compiled::new(rules.clone()).expect("the rules work");
    let scope = Scope::new(&compiled, &testing::exchange("GET", "/").request);
    let body = Body::default();
    let side = |headers| Side {
        status: 200,
        headers,
        trailers: Headers::none(),
        body: &body,
    };
    compare(
        &scope,
        &testing::exchange("GET", "/").request,
        side(&a),
        side(&b),
        &mut findings,
    );
    let found = findings.finish();
    assert!(
        found.iter().all(|found| found.category == Category::Header),
        "{found:?}"
    );
    found
        .into_iter()
        .map(|found| (found.place, found.production, found.shadow))
        .collect()
}

type Fields<'a> = &'a [(&'a str, &'a str)];

#[test]
fn equal_meaning_is_no_difference() {
    let rules = Rules {
        headers: ["content-type", "cache-control", "location", "vary", "set-cookie"]
            .map(|name| FieldName::try_from(name.to_owned()).expect(name))
            .to_vec(),
        ..Rules::default()
    };
    let cases: [(Fields<'_>, Fields<'_>); 7] = [
        (
            &[("Content-Type", "text/html; charset=UTF-8")],
            &[("content-type", "text/html;charset=utf-8")],
        ),
        (
            &[("Cache-Control", "no-cache, max-age=0")],
            &[("Cache-Control", "Max-Age=0"), ("Cache-Control", "no-cache")],
        ),
        (
            &[("Cache-Control", "max-age=\"060\", private=\"a, b\",")],
            &[("Cache-Control", "private=\"a,b\", max-age=60")],
        ),
        (&[("Vary", "a, b")], &[("Vary", "a"), ("Vary", "b")]),
        (
            &[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
            &[("Set-Cookie", "b=2"), ("Set-Cookie", "a=1")],
        ),
        (&[("ETag", "\"1\"")], &[("etag", "W/\"2\"")]),
        (&[("Date", "today"), ("X-Any", "1")], &[("Date", "tomorrow")]),
    ];
    for (a, b) in cases {
        assert_eq!(differ(&rules, a, b), [], "{a:?} {b:?}");
    }
}

#[test]
fn listed_fields_that_differ_are_found() {
    let rules = Rules::default();
    let found = differ(
        &rules,
        &[
            ("Content-Type", "text/html"),
            ("Location", "/a"),
            ("ETag", "x"),
            ("Cache-Control", "no-store"),
        ],
        &[
            ("Content-Type", "text/plain"),
            ("Location", "/A"),
            ("Cache-Control", "no-store, private"),
        ],
    );
    let row = |place: &str, a: &str, b: &str| (place.to_owned(), a.to_owned(), b.to_owned());
    assert_eq!(
        found,
        [
            row("header content-type", "text/html", "text/plain"),
            row("header cache-control private", ABSENT, PRESENT),
            row("header location path 1", "a", "A"),
            row("header etag", "(present)", ABSENT),
        ]
    );
    let gone = differ(&rules, &[], &[("Location", "")]);
    assert_eq!(
        gone,
        [row("header location", ABSENT, "")],
        "an empty field is a field"
    );
}

const DATE: (&str, &str) = ("Date", "Mon, 23 Nov 2026 12:00:00 GMT");
const LATER: (&str, &str) = ("Date", "Mon, 30 Nov 2026 12:30:00 GMT");

/// The places that differ under the rules without configuration, for answers to a request.
fn places(request: &Request, [a, b]: [(u16, Fields<'_>, u64); 2]) -> Vec<String> {
    let mut findings = Findings::new(20);
    let compiled = Compiled::new(Rules::default()).expect("the rules work");
    let scope = Scope::new(&compiled, request);
    let headers = [a.1, b.1].map(|fields| Headers::from_pairs(fields.iter().copied()));
    let bodies = [a.2, b.2].map(|len| Body {
        len,
        ..Body::default()
    });
    let side = |at: usize, status| Side {
        status,
        headers: &headers[at],
        trailers: Headers::none(),
        body: &bodies[at],
    };
    compare(&scope, request, side(0, a.0), side(1, b.0), &mut findings);
    let found = findings.finish();
    found.into_iter().map(|found| found.place).collect()
}

fn by_default(a: Fields<'_>, b: Fields<'_>) -> Vec<String> {
    places(
        &testing::exchange("GET", "/shop/cart").request,
        [(200, a, 0), (200, b, 0)],
    )
}

/// Fields of two answers with the same meaning.
const SAME: [(Fields<'static>, Fields<'static>); 25] = [
    // Sets: order, case, white space, empty elements, one field or several.
    (
        &[("Vary", "Accept-Encoding, Origin")],
        &[("vary", "origin"), ("VARY", " ,accept-encoding ,origin")],
    ),
    (&[("Vary", "*")], &[("Vary", "Origin, *")]),
    (&[("Vary", "")], &[]),
    (
        &[("Allow", "GET, HEAD,PUT")],
        &[("Allow", "PUT"), ("Allow", "HEAD ,GET")],
    ),
    (
        &[("Access-Control-Allow-Methods", "GET,POST")],
        &[("Access-Control-Allow-Methods", "POST, GET")],
    ),
    (
        &[("Access-Control-Allow-Headers", "Content-Type, X-A")],
        &[("Access-Control-Allow-Headers", "x-a,content-type")],
    ),
    (
        &[("Access-Control-Expose-Headers", "Link,Link")],
        &[("Access-Control-Expose-Headers", "link")],
    ),
    (
        &[("Access-Control-Max-Age", "0600")],
        &[("Access-Control-Max-Age", "600 ")],
    ),
    // A token or a quoted string.
    (
        &[("WWW-Authenticate", "Basic realm=\"shop\", charset=\"UTF-8\"")],
        &[("www-authenticate", "basic charset=utf-8 , REALM = shop")],
    ),
    (
        &[(
            "WWW-Authenticate",
            "Digest realm=a, nonce=\"1\", qop=\"auth\", Basic realm=b",
        )],
        &[
            ("WWW-Authenticate", "Basic realm=\"b\""),
            ("WWW-Authenticate", "Digest qop=auth, nonce=\"2\", realm=\"a\""),
        ],
    ),
    (
        &[("Cache-Control", "max-age=\"60\", private")],
        &[("Cache-Control", "Private,max-age=60")],
    ),
    // Ranges.
    (
        &[("Content-Range", "bytes 0-9/20")],
        &[("Content-Range", "Bytes  0-9 / 20")],
    ),
    // Codings that mean none.
    (&[("Content-Encoding", "identity")], &[]),
    // Seconds, and dates by the clock of their answer.
    (
        &[("Retry-After", "120"), DATE],
        &[("Retry-After", "Mon, 30 Nov 2026 12:32:00 GMT"), LATER],
    ),
    (
        &[("Retry-After", "Monday, 23-Nov-26 12:01:00 GMT"), DATE],
        &[("Retry-After", "Mon, 23 Nov 2026 12:01:00 GMT"), DATE],
    ),
    (&[("Retry-After", "30")], &[("Retry-After", "29")]),
    // Links: by relation, whatever the order, with commas in references.
    (
        &[(
            "Link",
            "</cart?page=2&ids=1,2>; rel=\"next\", </a.css>; rel=preload; as=style",
        )],
        &[
            ("Link", "</a.css>;as=\"style\";REL=Preload"),
            ("Link", "<../cart?page=2&ids=1,2>;rel=next"),
        ],
    ),
    (
        &[("Link", "</a>; rel=preload, </b>; rel=preload")],
        &[("Link", "</b>; rel=preload, </shop/../a>; rel=preload")],
    ),
    (
        &[("Link", "</a>; rel=\"last next\"")],
        &[("Link", "</a>; rel=\"next  Last\"")],
    ),
    // Cookies: order, case, defaults, and what is new in each answer.
    (
        &[
            ("Set-Cookie", "a=1; Path=/; HttpOnly"),
            ("Set-Cookie", "b=2; Domain=.Shop.example"),
        ],
        &[
            ("Set-Cookie", "b=2;domain=shop.example"),
            ("Set-Cookie", "a=1;httponly ;path=/"),
        ],
    ),
    (
        &[("Set-Cookie", "sid=f3a9c1d2e4; SameSite=Lax")],
        &[("Set-Cookie", "sid=07b2aa91c0; samesite=lax")],
    ),
    (&[("Set-Cookie", "a=1; Path=/shop")], &[("Set-Cookie", "a=1")]),
    (
        &[("Set-Cookie", "a=1; Max-Age=3600"), DATE],
        &[
            ("Set-Cookie", "a=1; Expires=Mon, 30-Nov-2026 13:30:00 GMT"),
            LATER,
        ],
    ),
    (
        &[("Set-Cookie", "a=; Max-Age=0")],
        &[("Set-Cookie", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT")],
    ),
    (
        &[
            ("X-RateLimit-Remaining", "9"),
            ("RateLimit", "\"a\";r=1"),
            ("X-Total-Count", "7"),
        ],
        &[
            ("x-ratelimit-remaining", "8"),
            ("ratelimit", "\"a\";r=2"),
            ("x-total-count", "8"),
        ],
    ),
];

#[test]
fn what_clients_depend_on_has_one_meaning_in_many_spellings() {
    for (a, b) in SAME {
        assert_eq!(by_default(a, b), [""; 0], "{a:?} {b:?}");
        assert_eq!(by_default(b, a), [""; 0], "{b:?} {a:?}");
    }
}

/// Fields of two answers, and where they differ.
const DIFFERENT: [(Fields<'static>, Fields<'static>, &[&str]); 27] = [
    (
        &[("Vary", "Origin, Cookie")],
        &[("Vary", "origin")],
        &["header vary cookie"],
    ),
    (&[("Vary", "Origin")], &[], &["header vary"]),
    (
        &[("Allow", "GET, PUT")],
        &[("Allow", "GET, put")],
        &["header allow PUT", "header allow put"],
    ),
    (&[("Allow", "")], &[], &["header allow"]),
    (
        &[("Access-Control-Allow-Origin", "https://a.example")],
        &[("Access-Control-Allow-Origin", "*")],
        &["header access-control-allow-origin"],
    ),
    (
        &[("Access-Control-Allow-Credentials", "true")],
        &[],
        &["header access-control-allow-credentials"],
    ),
    (
        &[("Access-Control-Max-Age", "600")],
        &[("Access-Control-Max-Age", "60")],
        &["header access-control-max-age"],
    ),
    (
        &[("WWW-Authenticate", "Basic realm=\"a\"")],
        &[("WWW-Authenticate", "Bearer realm=\"a\"")],
        &[
            "header www-authenticate basic",
            "header www-authenticate basic realm",
            "header www-authenticate bearer",
            "header www-authenticate bearer realm",
        ],
    ),
    (
        &[("WWW-Authenticate", "Basic realm=\"a\"")],
        &[("WWW-Authenticate", "Basic realm=\"A\"")],
        &["header www-authenticate basic realm"],
    ),
    (
        &[("Content-Range", "bytes 0-9/20")],
        &[("Content-Range", "bytes 0-9/*")],
        &["header content-range"],
    ),
    (
        &[("Retry-After", "120")],
        &[("Retry-After", "5")],
        &["header retry-after"],
    ),
    (
        &[("Retry-After", "120"), DATE],
        &[("Retry-After", "Mon, 23 Nov 2026 12:32:00 GMT"), DATE],
        &["header retry-after"],
    ),
    (
        &[("Retry-After", "120")],
        &[("Retry-After", "soon")],
        &["header retry-after"],
    ),
    (
        &[("Link", "</a?page=2>; rel=next, </a?page=9>; rel=last")],
        &[("Link", "</a?page=3>; rel=next")],
        &["header link last", "header link next query page"],
    ),
    // The target is no name: it is different in each answer.
    (
        &[(
            "Link",
            "http://shop/586.json; rel=alternate; type=\"application/json\"",
        )],
        &[(
            "Link",
            "<http://shop/586.json>; rel=alternate; type=\"application/json\"",
        )],
        &["header link alternate unbracketed"],
    ),
    (
        &[("Link", "</style.8f3a.css>; as=style")],
        &[("Link", "</style.77b1.css>; as=style")],
        &["header link unnamed path 1"],
    ),
    (
        &[("Link", "</a>; rel=preload; as=font; crossorigin")],
        &[("Link", "</a>; rel=preload; as=font")],
        &["header link preload crossorigin"],
    ),
    (
        &[("Set-Cookie", "sid=f3a9c1d2e4; HttpOnly; Secure; SameSite=Lax")],
        &[("Set-Cookie", "sid=a7b2aa91c0; SameSite=None; Path=/")],
        &[
            "header set-cookie sid httponly",
            "header set-cookie sid path",
            "header set-cookie sid samesite",
            "header set-cookie sid secure",
        ],
    ),
    (
        &[("Set-Cookie", "a=1; Max-Age=3600")],
        &[("Set-Cookie", "a=1")],
        &["header set-cookie a max-age"],
    ),
    (
        &[("Set-Cookie", "a=1; Max-Age=3600"), DATE],
        &[("Set-Cookie", "a=1; Expires=Mon, 23 Nov 2026 12:30:00 GMT"), DATE],
        &["header set-cookie a max-age"],
    ),
    (
        &[("Set-Cookie", "sid=f3a9c1d2e4")],
        &[("Set-Cookie", "sid=")],
        &["header set-cookie sid"],
    ),
    (&[("Set-Cookie", "a=1")], &[], &["header set-cookie a"]),
    (
        &[("Set-Cookie", "a=1; Path=/x"), ("Set-Cookie", "a=1; Path=/y")],
        &[("Set-Cookie", "a=1; Path=/x")],
        &["header set-cookie 'a /y'"],
    ),
    (&[("X-Total-Count", "7")], &[], &["header x-total-count"]),
    (
        &[("X-RateLimit-Limit-Minute", "7"), ("RateLimit-Policy", "a")],
        &[],
        &["header ratelimit-policy", "header x-ratelimit-limit-minute"],
    ),
    (
        &[("Cache-Control", "max-age=60")],
        &[("Cache-Control", "max-age=61")],
        &["header cache-control max-age"],
    ),
    (
        &[("Cache-Control", "public, max-age=17")],
        &[("Cache-Control", "private, max-age=23")],
        &[
            "header cache-control max-age",
            "header cache-control private",
            "header cache-control public",
        ],
    ),
];

#[test]
fn what_clients_depend_on_is_found_where_it_differs() {
    for (a, b, expected) in DIFFERENT {
        assert_eq!(by_default(a, b), expected, "{a:?} {b:?}");
        assert_eq!(by_default(b, a).len(), expected.len(), "{b:?} {a:?}");
    }
}

#[test]
fn a_content_coding_is_the_result_of_a_negotiation() {
    let (gzip, br): (Fields<'_>, Fields<'_>) =
        (&[("Content-Encoding", "gzip")], &[("Content-Encoding", "br")]);
    let large = 1 << 20;
    for (accepted, a, b, differs) in [
        (Some("gzip, br"), (gzip, large), (br, large), false),
        (Some("gzip;q=1.0, *;q=0.5"), (gzip, large), (br, large), false),
        (Some("gzip"), (gzip, large), (br, large), true),
        (Some("gzip, br;q=0"), (gzip, large), (br, large), true),
        (
            Some("GZIP"),
            (&[("Content-Encoding", "x-gzip")], large),
            (gzip, large),
            false,
        ),
        // Compression of small content is each server's own decision, that of much content is lost.
        (Some("gzip"), (gzip, 300), (&[], 900), false),
        (Some("gzip"), (gzip, large), (&[], large), true),
        (Some("gzip"), (&[], large), (gzip, large), false),
        (Some("gzip, identity;q=0"), (gzip, 300), (&[], 900), true),
        // A request without the field accepts any, one with an empty field none but what production sent.
        (None, (&[], 300), (gzip, 300), false),
        (None, (gzip, 300), (br, 300), false),
        (None, (gzip, large), (&[], large), true),
        (Some(""), (&[], 300), (gzip, 300), true),
        (Some(""), (gzip, 300), (gzip, 400), false),
    ] {
        let mut exchange = testing::exchange("GET", "/");
        if let Some(accepted) = accepted {
            exchange.request.headers = Headers::from_pairs([("accept-encoding", accepted)]);
        }
        let found = places(&exchange.request, [(200, a.0, a.1), (200, b.0, b.1)]);
        let expected: &[&str] = if differs {
            &["header content-encoding"]
        } else {
            &[]
        };
        assert_eq!(found, expected, "{accepted:?} {a:?} {b:?}");
    }
}

#[test]
fn a_range_follows_from_the_status() {
    let range: Fields<'_> = &[("Content-Range", "bytes 0-9/20"), ("Accept-Ranges", "bytes")];
    let request = testing::exchange("GET", "/").request;
    assert_eq!(places(&request, [(206, range, 10), (200, &[], 20)]), [""; 0]);
    assert_eq!(
        places(
            &request,
            [(416, &[("Content-Range", "bytes */20")], 0), (416, &[], 0)]
        ),
        ["header content-range"]
    );
}

#[test]
fn endless_fields_are_quick() {
    let many = |value: &str| value.repeat(20_000);
    for (name, value) in [
        ("set-cookie", many("a=1; ")),
        ("link", many("</a>; rel=x, ")),
        ("link", many("<")),
        ("www-authenticate", many("a, ")),
        ("www-authenticate", many("a b=c, ")),
        ("vary", many("x, ")),
        ("retry-after", many("9")),
        ("content-encoding", many("gzip, ")),
    ] {
        let other = format!("{value}y");
        by_default(&[(name, value.as_str())], &[(name, other.as_str())]);
    }
    let cookies: Vec<(String, String)> = (0..5_000)
        .map(|number| ("set-cookie".to_owned(), format!("a=1; path=/{number}")))
        .collect();
    let cookies: Vec<(&str, &str)> = cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    by_default(&cookies, &[]);
}

#[test]
fn a_redacted_field_of_production_is_any_field() {
    let request = testing::exchange("GET", "/").request;
    let compiled = Compiled::new(Rules::default()).expect("the rules work");
    let scope = Scope::new(&compiled, &request);
    let body = Body::default();
    let found = |production: &str, shadow: &[(&str, &str)]| {
        let headers = [
            Headers::from_pairs([("set-cookie", production)]),
            Headers::from_pairs(shadow.iter().copied()),
        ];
        let side = |at: usize| Side {
            status: 200,
            headers: &headers[at],
            trailers: Headers::none(),
            body: &body,
        };
        let mut findings = Findings::new(10).of_redacted(true);
        compare(&scope, &request, side(0), side(1), &mut findings);
        findings.finish().len()
    };
    let mark = "[redacted:1eda06d1]";
    assert_eq!(found(mark, &[("Set-Cookie", "sid=abc; HttpOnly")]), 0);
    assert_eq!(found(mark, &[]), 1, "it is missing");
    assert_eq!(found("sid=abc", &[("Set-Cookie", "sid=abc; HttpOnly")]), 1);
}

#[test]
fn attributes_of_cookies_are_shown_and_values_are_not() {
    let redactor = crate::redact::Redactor::new([1; 32], &crate::redact::RedactConfig::default());
    let mut findings = Findings::new(10);
    let request = testing::exchange("GET", "/").request;
    let [a, b] = ["session=topsecret; SameSite=Lax", "session=; SameSite=None"]
        .map(|value| Headers::from_pairs([("set-cookie", value)]));
    cookies::compare(&request, &a, &b, &mut findings);
    let shown: Vec<String> = findings
        .finish()
        .iter()
        .map(|found| redactor.discrepancy(found))
        .map(|found| format!("{}: {} | {}", found.place, found.production, found.shadow))
        .collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown.contains(&"header set-cookie session samesite: lax | none".to_owned()),
        "{shown:?}"
    );
    assert!(!shown.concat().contains("topsecret"), "{shown:?}");
}
