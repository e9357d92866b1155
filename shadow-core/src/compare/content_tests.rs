//! Faults next to varying values, each at its own place.

use shadow_proto::{
    exchange::{Body, Headers},
    testing,
};

use crate::compare::{Comparator, Discrepancy, Rules, Side};

pub(super) type Answer<'a> = (u16, &'a [(&'a str, &'a str)], &'a [u8]);

pub(super) fn under(rules: Rules, a: Answer<'_>, b: Answer<'_>) -> Vec<Discrepancy> {
    let comparator = Comparator::new(rules).unwrap_or_else(|error| panic!("{error}"));
    let headers = |answer: Answer<'_>| Headers::from_pairs(answer.1.iter().copied());
    let (left, right) = (headers(a), headers(b));
    let (one, two) = (Body::whole(a.2.to_vec()), Body::whole(b.2.to_vec()));
    let side = |status, headers, body| Side {
        status,
        headers,
        trailers: Headers::none(),
        body,
    };
    let request = testing::exchange_with("GET", "/shop/a?x=1", &[("Host", "shop.example")]).request;
    comparator.compare(&request, side(a.0, &left, &one), side(b.0, &right, &two))
}

pub(super) fn places(kind: &str, a: &[u8], b: &[u8]) -> Vec<String> {
    let fields: &[(&str, &str)] = &[("Content-Type", kind)];
    let fields = if kind.is_empty() { &[] } else { fields };
    let found = under(Rules::default(), (200, fields, a), (200, fields, b));
    found.into_iter().map(|found| found.place).collect()
}

/// A document of one kind, from a varying value and one that is right or wrong.
type Document = fn(&str, u32) -> Vec<u8>;

/// A list of elements in a given order, and the price of one of them.
type List = fn(&[u32], u32) -> String;

fn json(ts: &str, price: u32) -> String {
    format!(r#"{{"ts":"{ts}","price":{price},"name":"x"}}"#)
}

/// In every kind the varying value and the wrong one have separate places, and the wrong one is the same for any
/// variation.
#[test]
#[expect(clippy::too_many_lines, reason = "a row for each kind")]
fn a_fault_has_its_own_place_beside_what_varies() {
    let cases: [(&str, Document, &str); 22] = [
        (
            "application/json",
            |ts, price| json(ts, price).into_bytes(),
            "$.price",
        ),
        ("text/plain", |ts, price| json(ts, price).into_bytes(), "$.price"),
        (
            "application/octet-stream",
            |ts, price| json(ts, price).into_bytes(),
            "$.price",
        ),
        ("", |ts, price| json(ts, price).into_bytes(), "$.price"),
        (
            "application/x-amz-json-1.1",
            |ts, price| json(ts, price).into_bytes(),
            "$.price",
        ),
        (
            "application/json",
            |ts, price| json(ts, price).replace("\"x\"", "NaN").into_bytes(),
            "$.price",
        ),
        (
            "application/json",
            |ts, price| json(ts, price).replace("\"x\"", "[-Infinity,]").into_bytes(),
            "$.price",
        ),
        (
            "application/json",
            |ts, price| json(ts, price).replace("\"x\"", "\"a\tb\"").into_bytes(),
            "$.price",
        ),
        (
            "application/json",
            |ts, price| format!("for(;;);{}", json(ts, price)).into_bytes(),
            "$.price",
        ),
        (
            "application/json",
            |ts, price| {
                format!(
                    "<br />\n<b>Notice</b>: Undefined index in /a.php on line 3\n{}",
                    json(ts, price)
                )
                .into_bytes()
            },
            "$.price",
        ),
        (
            "text/javascript",
            |ts, price| format!("/**/cb_1({});", json(ts, price)).into_bytes(),
            "$.price",
        ),
        (
            "application/json",
            |ts, price| format!("{}\n{}\n", json("1", 1), json(ts, price)).into_bytes(),
            "event 2 $.price",
        ),
        (
            "application/json",
            |ts, price| {
                json(ts, price)
                    .encode_utf16()
                    .flat_map(u16::to_be_bytes)
                    .collect()
            },
            "$.price",
        ),
        (
            "text/plain",
            |ts, price| format!("ts={ts}&price={price}").into_bytes(),
            "field price",
        ),
        (
            "text/plain",
            |ts, price| format!("<a ts='{ts}'><price>{price}</price></a>").into_bytes(),
            "/a/price/text()",
        ),
        (
            "application/json",
            |ts, price| {
                format!(
                    r#"{{"a":{{"payload":{}}}}}"#,
                    serde_json::Value::from(json(ts, price))
                )
                .into_bytes()
            },
            "$.a.payload.price",
        ),
        (
            "text/html",
            |ts, price| {
                format!(
                    "<html><script type='application/json'>{}</script></html>",
                    json(ts, price)
                )
                .into_bytes()
            },
            "/html/script/text() $.price",
        ),
        (
            "text/html",
            |ts, price| {
                format!(
                    "<html><script>window.STATE = {};</script></html>",
                    json(ts, price)
                )
                .into_bytes()
            },
            "/html/script/text() $.price",
        ),
        (
            "text/html",
            |ts, price| format!("<html><div data-props='{}'></div></html>", json(ts, price)).into_bytes(),
            "/html/div/@data-props $.price",
        ),
        (
            "text/csv",
            |ts, price| format!("id,price,seen\n1,{price},{ts}\n2,20,2025\n").into_bytes(),
            "$[id=1].price",
        ),
        (
            "text/plain",
            |ts, price| {
                format!("# TYPE p gauge\np{{b=\"2\",a=\"1\"}} {price}\nt {}\n", ts.len()).into_bytes()
            },
            "$.p['{a=\"1\",b=\"2\"}']",
        ),
        (
            "text/plain",
            |ts, price| format!("Generated at {ts} for all\nThe price is {price} today\n").into_bytes(),
            "line \"The price is\" word 4",
        ),
    ];
    for (kind, document, place) in cases {
        let (ts, other) = ("2025-10-09T08:55:54.059298Z", "2025-10-09T08:05:05.3785Z");
        let varies = places(kind, &document(ts, 10), &document(other, 10));
        assert_eq!(varies.len(), 1, "{kind}: {varies:?}");
        assert_ne!(varies[0], place, "{kind}");
        let mut both = places(kind, &document(ts, 10), &document(other, 99));
        both.retain(|found| !varies.contains(found));
        assert_eq!(both, [place], "{kind}");
    }
}

/// Eight elements in any order, and one of them wrong: the order and the element are two discrepancies.
#[test]
#[expect(clippy::too_many_lines, reason = "a row for each kind")]
fn a_wrong_value_in_a_moved_element_is_told_apart_from_the_order() {
    let cases: [(&str, List, &str); 7] = [
        (
            "application/json",
            |order, wrong| {
                let item = |id: &u32| {
                    let price = if *id == 4 { wrong } else { id * 10 };
                    format!(r#"{{"id":{id},"price":{price},"seen":"2025-10-09T08:00:{id}{wrong}.0"}}"#)
                };
                format!("[{}]", order.iter().map(item).collect::<Vec<_>>().join(","))
            },
            "$[id=4].price",
        ),
        (
            "application/json",
            |order, wrong| {
                let item = |id: &u32| {
                    let price = if *id == 4 { wrong } else { id * 10 };
                    format!(r#"[{id},"item",{price}]"#)
                };
                format!("[{}]", order.iter().map(item).collect::<Vec<_>>().join(","))
            },
            "[2]",
        ),
        (
            "application/xml",
            |order, wrong| {
                let item = |id: &u32| {
                    format!(
                        "<i id='i{id}'><p>{}</p></i>",
                        if *id == 4 { wrong } else { id * 10 }
                    )
                };
                format!("<l>{}</l>", order.iter().map(item).collect::<String>())
            },
            "/l/i[@id='i4']/p/text()",
        ),
        (
            "text/html",
            |order, wrong| {
                let item =
                    |id: &u32| format!("<li>item{id}: {}</li>", if *id == 4 { wrong } else { id * 10 });
                format!(
                    "<html><ul>{}</ul></html>",
                    order.iter().map(item).collect::<String>()
                )
            },
            "/ul/li[text='item4:…']/text() word 2",
        ),
        (
            "text/csv",
            |order, wrong| {
                let item = |id: &u32| format!("{id},item{id},{}\n", if *id == 4 { wrong } else { id * 10 });
                format!("id,name,price\n{}", order.iter().map(item).collect::<String>())
            },
            "$[id=4].price",
        ),
        (
            "application/x-ndjson",
            |order, wrong| {
                let item = |id: &u32| {
                    format!(
                        "{{\"id\":{id},\"p\":{}}}\n",
                        if *id == 4 { wrong } else { id * 10 }
                    )
                };
                order.iter().map(item).collect()
            },
            " $.p",
        ),
        (
            "text/plain",
            |order, wrong| {
                let item = |id: &u32| format!("item{id} costs {}\n", if *id == 4 { wrong } else { id * 10 });
                order.iter().map(item).collect()
            },
            "line \"item4 costs\" word 3",
        ),
    ];
    let (order, other) = ([7, 6, 4, 2, 8, 1, 5, 3], [2, 7, 6, 4, 5, 1, 3, 8]);
    for (kind, document, place) in cases {
        let (a, b) = (document(&order, 40), document(&other, 40));
        let fields: &[(&str, &str)] = &[("Content-Type", kind)];
        let categories = |a: &str, b: &str| {
            let mut found = under(
                Rules::default(),
                (200, fields, a.as_bytes()),
                (200, fields, b.as_bytes()),
            );
            found.retain(|found| !found.place.ends_with("].seen"));
            found
        };
        let moved = categories(&a, &b);
        assert!(
            moved.len() == 1 && moved[0].category.as_str() == "order",
            "{kind}: {moved:?}"
        );
        let wrong = categories(&a, &document(&other, 50));
        assert_eq!(wrong.len(), 2, "{kind}: {wrong:?}");
        assert_eq!(wrong[0].category.as_str(), "order", "{kind}: {wrong:?}");
        assert!(wrong[1].place.ends_with(place), "{kind}: {wrong:?}");
        let same = categories(&a, &document(&order, 50));
        assert_eq!(
            same.iter()
                .filter(|found| found.category.as_str() == "value")
                .count(),
            1,
            "{kind}: {same:?}"
        );
    }
}

#[test]
fn siblings_are_known_by_what_stays_the_same() {
    let page = |token: &str, cart: &str| {
        format!("<html><body><a href='/logout?t={token}'>Log out</a><a href='{cart}'>Cart</a></body></html>")
    };
    assert_eq!(
        places(
            "text/html",
            page("da18", "/cart").as_bytes(),
            page("86f8", "/error").as_bytes()
        ),
        [
            "/html/body/a[text='Log out']/@href query t",
            "/html/body/a[text='Cart']/@href path 1"
        ]
    );
    let quote =
        |quote: &str, text: &str| format!("<html><p>Quote of the day: {quote}</p><p>{text}</p></html>");
    let found = places(
        "text/html",
        quote("two five", "Welcome to the shop").as_bytes(),
        quote("six one", "Access denied to page").as_bytes(),
    );
    assert_eq!(
        found,
        [
            "/html/p[text='Quote of the day:…']/text() word 5",
            "/html/p[text='Quote of the day:…']/text() word 6",
            "/html/p[2]/text()"
        ]
    );
    let links = |next: &str| {
        format!(r#"{{"links":[{{"rel":"self","href":"/a"}},{{"rel":"next","href":"/b?c={next}"}}]}}"#)
    };
    assert_eq!(
        places("application/json", links("1").as_bytes(), links("2").as_bytes()),
        ["$.links[rel=next].href query c"]
    );
}

#[test]
fn a_part_of_a_text_can_be_ignored() {
    let rules = |ignore: &[&str]| Rules {
        ignore: ignore
            .iter()
            .map(|path| path.parse().unwrap_or_else(|error| panic!("{error}")))
            .collect(),
        ..Rules::default()
    };
    let fields: &[(&str, &str)] = &[("Content-Type", "application/json")];
    let document = |token: u32, word: &str| {
        format!(
            r#"{{"next":"/p?t={token}&q={word}","list":[{{"id":"a","m":"node {token} is {word}"}},{{"id":"b"}}]}}"#
        )
    };
    let (a, b) = (document(1, "up"), document(2, "up"));
    let found = |ignore: &[&str], b: &str| {
        under(
            rules(ignore),
            (200, fields, a.as_bytes()),
            (200, fields, b.as_bytes()),
        )
        .len()
    };
    assert_eq!(found(&[], &b), 2);
    let ignored = ["$.next query t", "$.list[id=a].m word 2"];
    assert_eq!(found(&ignored, &b), 0);
    assert_eq!(found(&["$.next query *", "$.list[*].m word *"], &b), 0);
    assert_eq!(
        found(&ignored, &document(2, "down")),
        2,
        "the other parts are compared"
    );
    assert_eq!(found(&["$.list[id=b]", "$.next"], &b), 1, "another element");
}
