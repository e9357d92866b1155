use super::*;
use crate::redact::RedactConfig;

fn redactor() -> Redactor {
    let paths = ["$.patient.ward", "$..notes", "$.lookup.*"];
    Redactor::new(
        [7; 32],
        &RedactConfig {
            names: vec!["X-Tenant".into()],
            paths: paths
                .iter()
                .map(|path| path.parse().unwrap_or_else(|error| panic!("{error}")))
                .collect(),
        },
    )
}

fn body(content_type: &str, content: &str) -> RedactedBody {
    let headers = Headers::from_pairs([("Content-Type", content_type)]);
    redactor().body(&headers, &Body::whole(content.as_bytes().to_vec()), 1 << 16)
}

#[track_caller]
fn text(content_type: &str, content: &str) -> String {
    let RedactedBody { text, cut, .. } = body(content_type, content);
    assert!(!cut, "{content}");
    text.unwrap_or_else(|| panic!("no text of {content}"))
}

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

#[test]
fn json_stays_json_without_its_secrets() {
    for (content, secret) in [
        (r#"{"password":"hunter2","x":1}"#, "hunter2"),
        (r#"{"password": {"old":"hunter2"}}"#, "hunter2"),
        (r#"{"tokens":["hunter2", 7]}"#, "hunter2"),
        (r#"{"pass\u0077ord":"hunter2"}"#, "hunter2"),
        (r#"{"pin":12345}"#, "12345"),
        (r#"{"x_tenant":"hunter2"}"#, "hunter2"),
        (r#"{"a":"ann.example@example.org"}"#, "ann"),
        (r#"{"a":"\u0061nn@example.org"}"#, "nn@"),
        (r#"{"ann@example.org":{"x":1}}"#, "ann@"),
        (r#"{"n":4111111111111111}"#, "4111"),
        (r#"{"a":"{\"password\":\"hunter2\"}"}"#, "hunter2"),
        (r#"{"next":"/reset?code=hunter2"}"#, "hunter2"),
        (r#"{"next":"https://ann:hunter2@example.org/"}"#, "hunter2"),
        (r#"{"patient":{"name":"x","ward":"hunter2"}}"#, "hunter2"),
        (r#"{"patient":{"ward":true}}"#, "true"),
        (r#"{"patient":{"ward":{"a":["hunter2"]}}}"#, "hunter2"),
        (r#"[{"a":{"notes":"hunter2"}}]"#, "hunter2"),
        (r#"{"lookup":{"k-hunter2":1}}"#, "hunter2"),
        (r#"{"sessions":{"hunter2":{"a":1}}}"#, "hunter2"),
        (r#"{"9f86d081884c7d659a2feaa0c55ad015":1}"#, "9f86"),
        (r#"{"key":"sk_live_4eC39HqLyjWDarjtT1zdp7dc"}"#, "4eC39"),
        (&format!(r#"{{"a":"{JWT}"}}"#), "eyJ"),
        (
            "{\"a\":[1,{\"b\":[{\"notes\":\"hunter2\"},2]}],\"notes\":3}",
            "3}",
        ),
    ] {
        let redacted = text("application/json", content);
        assert!(!redacted.contains(secret), "{content} became {redacted}");
        assert!(redacted.contains("[redacted:"), "{content} became {redacted}");
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&redacted);
        assert!(parsed.is_ok(), "{content} became {redacted}");
    }
}

#[test]
fn json_without_secrets_is_left_as_it_was_written() {
    for content in [
        r#" { "a" : [ 1.0, -2e+5, "x\n\u00e9", true, null ], "b":{} } "#,
        r#"{"password":null,"token":"","secret":false}"#,
        r#"{"shipping_address_line_22":"Main Street 5","total_tokens":99}"#,
        r#"{"patient":{"name":"x"},"primary_key":"abc","code":7}"#,
        "[]",
        "3",
        "\"text\"",
        "",
    ] {
        assert_eq!(text("application/json", content), content);
    }
}

#[test]
fn what_is_no_json_is_not_trusted() {
    let redacted = text("application/json", r#"{"patient":{]"ward":"hunter2"}"#);
    assert!(!redacted.contains("hunter2"), "{redacted}");
    let deep = format!("{}\"hunter2\"", "[".repeat(5000));
    assert!(!text("application/json", &deep).contains("hunter2"));
    let plain = Redactor::new([1; 32], &RedactConfig::default());
    let headers = Headers::from_pairs([("Content-Type", "application/json")]);
    let redacted = plain.body(
        &headers,
        &Body::whole(&b"no json: password=hunter2, done"[..]),
        1000,
    );
    let text = redacted.text.unwrap_or_default();
    assert!(
        text.starts_with("no json: password=[redacted:") && text.ends_with(", done"),
        "{text}"
    );
}

#[test]
fn a_body_that_is_cut_anywhere_leaks_nothing() {
    let content = format!(
        r#"{{"a":"x","password":"hunter2hunter2","patient":{{"ward":"hunter2"}},"j":"{JWT}","notes":["hunter2"]}}"#
    );
    let headers = Headers::from_pairs([("Content-Type", "application/json")]);
    for end in 0..=content.len() {
        let kept = content.as_bytes()[..end].to_vec();
        let body = Body {
            len: 5000,
            ..Body::whole(kept)
        };
        for cap in [10, 40, 1000] {
            let redacted = redactor().body(&headers, &body, cap);
            let text = redacted.text.clone().unwrap_or_default();
            assert!(redacted.cut && redacted.len == 5000, "{redacted:?}");
            assert!(
                !text.contains("hunter") && !text.contains("eyJhbGci"),
                "{end}: {text}"
            );
        }
    }
}

#[test]
fn forms_are_read_by_field() {
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    for (content, secret) in [
        ("user=me&password=hunter2&x=1", "hunter2"),
        ("user%5Bp%61ssword%5D=hunter2", "hunter2"),
        ("code=hunter2", "hunter2"),
        ("mail=ann%40example.org", "ann"),
        ("card=4111+1111+1111+1111", "1111"),
        ("p=%7B%22password%22%3A%22hunter2%22%7D", "hunter2"),
        ("ann@example.org=1", "ann@"),
        ("9f86d081884c7d659a2feaa0c55ad015", "9f86"),
    ] {
        let redacted = text(form, content);
        assert!(!redacted.contains(secret), "{content} became {redacted}");
        assert!(redacted.contains("[redacted:"), "{content} became {redacted}");
    }
    for content in ["a=1&b=%C3%A9+x&c", "", "&&=", "%zz=%"] {
        assert_eq!(text(form, content), content);
    }
}

#[test]
fn markup_is_read_by_element() {
    for (content, secret) in [
        ("<a><password>hunter2</password></a>", "hunter2"),
        ("<a><n:Password type='x'>hunter2</n:Password></a>", "hunter2"),
        ("<password><![CDATA[hunter2]]></password>", "hunter2"),
        ("<password><!-- hunter2 --></password>", "hunter2"),
        ("<session><user id='hunter2'>x</user></session><a>y</a>", "<user>"),
        ("<token>hunter&#50;</token>", "hunter"),
        ("<input type=hidden name=csrf_token value=\"hunter2\">", "hunter2"),
        ("<input value='hunter2' name='user[password]'/>", "hunter2"),
        ("<meta name=csrf-token content=hunter2>", "hunter2"),
        ("<field name='api_key'>hunter2</field>", "hunter2"),
        ("<a password=\"hunter2\">x</a>", "hunter2"),
        ("<a href='/reset?code=hunter2&x=1'>x</a>", "hunter2"),
        ("<p>write to ann.example@example.org", "ann."),
        ("<p>card 4111&#32;1111 1111 1111</p>", "1111"),
        ("<script>var token = \"hunter2\";</script>", "hunter2"),
        ("<!-- password: hunter2 -->", "hunter2"),
        ("<?x password=\"hunter2\"?><a/>", "hunter2"),
    ] {
        for kind in ["text/html", "application/xml"] {
            let redacted = text(kind, content);
            assert!(!redacted.contains(secret), "{content} became {redacted}");
            assert!(redacted.contains("[redacted:"), "{content} became {redacted}");
        }
    }
    for content in [
        "<!DOCTYPE html>\n<html lang=en><body class='a b'>x &amp; y<br/><p id=\"p1\">z</p></body></html>",
        "<?xml version=\"1.0\"?><a b='1' c=\"&lt;\"><![CDATA[x<y]]><!-- z --><d/>\u{e9}</a>",
        "<input name=password value=\"\">",
    ] {
        assert_eq!(text("text/html", content), content);
    }
    let whole = "<a><password x='hunter2'>hunter2</password><i value='hunter2' name=token></a>";
    for end in 0..whole.len() {
        let cut = body("text/xml", &whole[..end]).text.unwrap_or_default();
        assert!(!cut.contains("hunt"), "{end}: {cut}");
    }
    let deep = format!("{}hunter2", "<a>".repeat(5000));
    assert!(
        !body("text/xml", &deep)
            .text
            .unwrap_or_default()
            .contains("hunter2")
    );
}

#[test]
fn events_and_parts_are_read_one_by_one() {
    for (kind, content) in [
        (
            "application/x-ndjson",
            "{\"a\":1}\n{\"password\":\"hunter2\"}\r\n{\"patient\":{\"ward\":\"hunter2\"}}\n",
        ),
        (
            "text/event-stream",
            "event: x\ndata: {\"patient\":\ndata: {\"ward\":\"hunter2\"}}\n\nid: 1\ndata:password=hunter2\n\n",
        ),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n\
             --b\r\nContent-Type: application/json\r\nX-Api-Key: hunter2\r\n\r\n{\"token\":\"hunter2\"}\r\n\
             --b\r\nContent-Type: image/png\r\n\r\nhunter2\r\n--b--",
        ),
    ] {
        let redacted = text(kind, content);
        assert!(!redacted.contains("hunter2"), "{redacted}");
        assert!(redacted.matches("[redacted:").count() >= 2, "{redacted}");
    }
    let lines = "{\"a\":1}\n[2]\n";
    assert_eq!(text("application/jsonl", lines), lines);
    let events = "event: x\ndata: {\"a\":1}\n\n";
    assert!(text("text/event-stream", events).starts_with(events));
    assert_eq!(
        body("multipart/mixed; boundary=b", "--b\r\n\r\nhunter2").text,
        None,
        "it does not end"
    );
}

#[test]
fn a_value_may_stand_beside_its_name() {
    for (content, secret) in [
        (r#"[{"name":"Authorization","value":"hunter2"}]"#, "hunter2"),
        (r#"{"key":"api_key","x":1,"value":{"v":"hunter2"}}"#, "hunter2"),
    ] {
        let redacted = text("application/json", content);
        assert!(!redacted.contains(secret), "{content} became {redacted}");
    }
}

#[test]
fn what_cannot_be_read_is_only_a_hash() {
    for (content_type, content) in [
        ("application/octet-stream", &b"password=hunter2"[..]),
        ("text/plain", b"password=hunter2\xff"),
        ("text/plain", b"a\0b"),
    ] {
        let headers = Headers::from_pairs([("Content-Type", content_type)]);
        let redacted = redactor().body(&headers, &Body::whole(content), 1000);
        assert_eq!(
            (&redacted.text, redacted.cut, redacted.len),
            (&None, true, content.len() as u64)
        );
        assert!(redacted.hash.starts_with("[redacted:"));
    }
    for coding in ["gzip", "unknown"] {
        let headers = Headers::from_pairs([("Content-Type", "text/plain"), ("Content-Encoding", coding)]);
        assert_eq!(
            redactor()
                .body(&headers, &Body::whole(&b"hunter2"[..]), 1000)
                .text,
            None
        );
    }
}

#[test]
fn coded_content_is_decoded_first() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(br#"{"password":"hunter2","x":1}"#)
        .expect("memory");
    let headers = Headers::from_pairs([("Content-Type", "application/json"), ("Content-Encoding", "gzip")]);
    let redacted = redactor().body(&headers, &Body::whole(encoder.finish().expect("memory")), 1000);
    let text = redacted.text.unwrap_or_default();
    assert!(
        text.ends_with(r#","x":1}"#) && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_large_hostile_text_costs_one_pass() {
    for unit in [
        "a.", "a@", "eyJ.", "token ", "\\\"", "4 ", "[", "{\"a\":", "a+", "bearer ",
    ] {
        let content = unit.repeat(30_000);
        for content_type in [
            "text/plain",
            "application/json",
            "application/x-www-form-urlencoded",
        ] {
            let headers = Headers::from_pairs([("Content-Type", content_type)]);
            // With quadratic cost, any of these would take minutes.
            let _ = redactor().body(&headers, &Body::whole(content.clone().into_bytes()), usize::MAX);
        }
    }
}
