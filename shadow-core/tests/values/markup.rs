//! Values of HTML and XML documents.

use shadow_core::compare::Discrepancy;

use super::*;

/// A page: the fields and the content of an answer of HTML.
fn page(method: &str, target: &str, html: &str) -> Exchange {
    let mut made = exchange(method, target, &[], "", Said(200, &[], ""));
    let answer = made.response.as_mut().unwrap();
    answer.headers = Headers::from_pairs([("Content-Type", "text/html; charset=utf-8")]);
    answer.body = Body::whole(html.to_owned());
    made
}

/// Compares a page, and returns the shadow system's as it is compared.
fn compared_page(values: &mut Values, exchange: &Exchange, html: &str) -> (String, bool) {
    let introduced = values.introduced(exchange, NOW);
    let mut theirs = shadow(Said(200, &[], ""));
    theirs.headers = Headers::from_pairs([("Content-Type", "text/html")]);
    theirs.body = Body::whole(html.to_owned());
    let mapped = values.answered(exchange, &introduced, &theirs, NOW);
    let conflict = mapped.has_conflicts();
    let mut found: Vec<Discrepancy> = Vec::new();
    mapped.name(&mut found);
    let answer = mapped.answer.unwrap_or(theirs);
    (String::from_utf8(answer.body.kept.to_vec()).unwrap(), conflict)
}

const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];

#[test]
fn a_token_of_a_form_is_the_one_that_the_shadow_system_gave() {
    let form = |token: &str| {
        format!(
            "<!DOCTYPE html><html><head><meta name=\"csrf-token\" content='{token}'></head><body><form method=post>\
             <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"{token}\"><input name=user></form></body></html>"
        )
    };
    let (ours, theirs) = ("wLq3N0bXv8Zt5RkYc2", "Ab9dEf7hJk1mNp4rSt");
    let mut values = values();
    let (text, conflict) = compared_page(&mut values, &page("GET", "/login", &form(ours)), &form(theirs));
    assert_eq!((text, conflict), (form(ours), false));
    let body = format!("csrfmiddlewaretoken={ours}&user=a");
    let request = sent(&mut values, "POST", "/login", &FORM, &body).unwrap();
    assert_eq!(content(&request), format!("csrfmiddlewaretoken={theirs}&user=a"));
    let request = sent(&mut values, "POST", "/api", &[("X-CSRFToken", ours)], "").unwrap();
    assert_eq!(header(&request, "x-csrftoken"), Some(theirs));
}

#[test]
fn a_page_about_an_object_is_equal_if_it_is_the_right_one() {
    let html = |number: u32, total: u32| {
        format!(
            "<h1>Order #{number}</h1><p data-order-id='{number}'>Total: {total}</p>\
             <a href=\"/orders/{number}/edit?tab=1&amp;page=2\">edit</a> <img src=/static/logo.png>"
        )
    };
    let mut values = with_order();
    let production = page("GET", "/orders/8123", &html(8123, 5));
    let (text, conflict) = compared_page(&mut values, &production, &html(977, 5));
    assert_eq!((text, conflict), (html(8123, 5), false));
    // The total is no identifier, although it looks like one.
    let production = page("GET", "/orders/8123", &html(8123, 8123));
    let (text, _) = compared_page(&mut values, &production, &html(977, 977));
    assert_eq!(text, html(8123, 977));
}

#[test]
fn a_page_about_another_object_differs() {
    let html = |number: u32| format!("<ul><li><a href=\"/orders/{number}\">one</a></li></ul>");
    let mut values = with_order();
    let production = page("GET", "/orders", &html(8123));
    let (text, _) = compared_page(&mut values, &production, &html(978));
    assert_eq!(text, html(978), "nothing is known of it");
    // The shadow system's 8123 is another object.
    let (text, conflict) = compared_page(&mut values, &production, &html(8123));
    assert_eq!((text, conflict), (html(977), true));
}

#[test]
fn rows_of_a_list_teach_nothing() {
    let html = |uuids: &[&str]| -> String {
        let row = |uuid: &&str| format!("<li id=\"{uuid}\">a</li>");
        uuids.iter().map(row).collect()
    };
    let ours = [
        "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "6f9619ff-8b86-4011-b42d-00cf4fc964fe",
    ];
    let theirs = [
        "00000000-8b86-4011-b42d-00cf4fc964f1",
        "00000000-8b86-4011-b42d-00cf4fc964f2",
    ];
    let mut values = values();
    let (text, _) = compared_page(&mut values, &page("GET", "/notes", &html(&ours)), &html(&theirs));
    assert_eq!(text, html(&theirs));
    let path = format!("/notes/{}", ours[0]);
    assert_eq!(target(&mut values, &path), Ok(path.clone()), "unknown");
    // One is the only one.
    compared_page(
        &mut values,
        &page("GET", "/notes", &html(&ours[..1])),
        &html(&theirs[..1]),
    );
    assert_eq!(target(&mut values, &path), Ok(format!("/notes/{}", theirs[0])));
}

#[test]
fn identifiers_of_xml_are_those_of_their_element() {
    let xml = |number: u32| {
        format!(
            "<o:Order xmlns:o='urn:o' id='{number}'><lines><line><orderId>{number}</orderId></line></lines><total>8123</total></o:Order>"
        )
    };
    let said = |text: String| {
        let mut made = page("POST", "/orders", &text);
        made.response.as_mut().unwrap().headers = Headers::from_pairs([("Content-Type", "application/xml")]);
        made
    };
    let created = said(xml(8123));
    let theirs = said(xml(977)).response.unwrap();
    let mut values = values();
    let introduced = values.introduced(&created, NOW);
    let mut answer = shadow(Said(200, &[], ""));
    (answer.headers, answer.body) = (theirs.headers, theirs.body);
    let mapped = values
        .answered(&created, &introduced, &answer, NOW)
        .answer
        .unwrap();
    assert_eq!(mapped.body.kept, xml(8123).as_bytes());
    let headers = [("Content-Type", "text/xml")];
    let request = sent(&mut values, "PUT", "/orders/8123", &headers, &xml(8123)).unwrap();
    assert_eq!(
        (content(&request), &*request.target),
        (&*xml(977), &b"/orders/977"[..])
    );
}

#[test]
fn invalid_markup_is_left_as_it_is() {
    let mut values = with_order();
    for html in [
        "<a href=\"/orders/8123",
        "<a href=/orders/8123/><a<b href='/orders/977' href=\"/orders/977\"",
        "<input name=id value=8123 value=977><input name=\"\" value>",
        "</a></b><p a=b<c=\"d\">&#38;&amp;&",
        "<![CDATA[<a href=/orders/8123>]]><!-- /orders/977 -->",
    ] {
        let ours = page("GET", "/orders/8123", html);
        compared_page(&mut values, &ours, html);
        compared_page(&mut values, &ours, &html.replace("8123", "977"));
    }
}
