//! Content that is designed to be expensive: each is large enough that quadratic work would not end.

use shadow_core::{
    compare::{Comparator, Rules, Side},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::exchange::{Body, Headers, Request, Version};

const MIB: usize = 1 << 20;

/// Length of each document: quadratic work already takes minutes.
const LONG: usize = 256 << 10;

/// A media type and two contents that differ.
type Case = (&'static str, String, String);

fn both(kind: &'static str, made: impl Fn(&str) -> String) -> Case {
    (kind, made("1"), made("2"))
}

fn filled(piece: &str) -> String {
    piece.repeat(LONG / piece.len())
}

fn numbered(count: usize, made: impl Fn(usize) -> String) -> String {
    (0..count).map(made).collect()
}

fn documents() -> Vec<Case> {
    [data(), markup(), forms_and_text()].concat()
}

fn data() -> Vec<Case> {
    let json = "application/json";
    vec![
        both(json, |n| filled("[") + n),
        both(json, |n| filled("{\"a\":") + n),
        both(json, |n| {
            "[".repeat(200) + &format!("\"{}\",{n}", filled("x")) + &"]".repeat(200)
        }),
        both(json, |n| format!("{{{}\"a\":{n}}}", filled("\"a\":0,"))),
        both(json, |n| format!("{{\"{}{n}\":0}}", filled("k"))),
        both(json, |n| {
            format!(
                "{{{}\"z\":{n}}}",
                numbered(12_000, |key| format!("\"{key}\":{n},"))
            )
        }),
        both(json, |n| format!("[{}{n}]", filled("9"))),
        both(json, |n| {
            format!("[1e99999999999999999999{n},-0.{}{n}]", filled("0"))
        }),
        both(json, |n| {
            format!("[{}{n}]", numbered(15_000, |at| format!("[{},{n}],", at % 7)))
        }),
        both(json, |n| format!("\"{}{n}\"", filled("\\u00e9"))),
        both("application/x-ndjson", |n| filled("[\n") + n),
        both("application/x-ndjson", |n| {
            numbered(15_000, |at| format!("{{\"a\":{at}{n}}}\n"))
        }),
        both("text/event-stream", |n| filled("data\n") + "data: " + n),
        both("text/event-stream", |n| filled("data: x\n\n") + "data: " + n),
        both("text/event-stream", |n| filled("\r") + "data:" + n),
    ]
}

fn markup() -> Vec<Case> {
    let (xml, html) = ("application/xml", "text/html");
    vec![
        both(xml, |n| filled("<a>") + n),
        both(xml, |n| {
            format!("<a {}>{n}</a>", numbered(15_000, |at| format!("a{at}='{n}' ")))
        }),
        both(xml, |n| format!("<a {}>{n}</a>", filled("a='' "))),
        both(xml, |n| {
            format!("<a>{}</a>", numbered(15_000, |at| format!("<b i='{at}{n}'/>")))
        }),
        both(xml, |n| {
            format!(
                "<a {}>{n}</a>",
                numbered(15_000, |at| format!("xmlns:n{at}='u' "))
            )
        }),
        both(xml, |n| {
            format!("<!DOCTYPE a [<!ENTITY x \"{}\">]><a>&x;{n}</a>", filled("&y;"))
        }),
        both(xml, |n| format!("<a>{}{n}</a>", filled("&amp;"))),
        both(html, |n| filled("<b>") + n),
        both(html, |n| filled("<p><li>") + n),
        both(html, |n| filled("<") + n),
        both(html, |n| filled("</x>") + "<p>" + n),
        both(html, |n| {
            format!("<p {}>{n}", numbered(15_000, |at| format!("a{at} ")))
        }),
        both(html, |n| filled("<p>x</p>") + "<p>" + n),
        both(html, |n| "<!--".to_owned() + &filled("-") + n),
    ]
}

fn forms_and_text() -> Vec<Case> {
    vec![
        both("application/x-www-form-urlencoded", |n| filled("&") + "a=" + n),
        both("application/x-www-form-urlencoded", |n| filled("a=1&") + "a=" + n),
        both("application/x-www-form-urlencoded", |n| {
            format!("{}={n}", filled("%41"))
        }),
        both("multipart/form-data; boundary=b", |n| filled("--b\r\n") + n),
        both("multipart/form-data; boundary=b", |n| filled("--b") + n),
        both("multipart/form-data; boundary=b", |n| {
            let head = "Content-Disposition: form-data; name=a";
            filled(&format!("--b\r\n{head}\r\n\r\n{n}\r\n")) + "--b--"
        }),
        both("multipart/mixed; boundary=b", |n| {
            format!("--b\r\n{}\r\n\r\n{n}\r\n--b--", filled("x: y\r\n"))
        }),
        both("text/plain", |n| filled("a\n") + n),
        both("text/plain", |n| filled("a") + n),
        both("text/plain", |n| numbered(15_000, |at| format!("{at}{n}\n"))),
    ]
}

/// Texts that the search for secrets could scan repeatedly.
fn texts() -> Vec<String> {
    [
        "eyJ",
        "eyJ.",
        "a@",
        "a.b.c.d.e@",
        "a.@",
        "password",
        "password\"",
        "\"password\":",
        "password=\\",
        "token ",
        "token\n",
        "<token ",
        "<pin:",
        "<token a=b>",
        "Bearer ",
        "4",
        "4 ",
        "4-",
        "4111111111111111 ",
        "/",
        "://",
        "?",
        "%40",
        "&token=",
        "[",
        "é",
        "\u{301}",
        "AKIA",
        "cookie: ",
    ]
    .map(filled)
    .into()
}

#[test]
fn no_content_is_dear_to_compare() {
    let comparator = Comparator::new(Rules::default()).expect("the defaults are rules");
    let request = Request {
        method: "GET".into(),
        target: "/".into(),
        version: Version::Http11,
        headers: Headers::default(),
        body: Body::default(),
        trailers: Headers::default(),
    };
    for (kind, a, b) in documents() {
        let headers = Headers::from_pairs([("Content-Type", kind)]);
        let (a, b) = (Body::whole(a.into_bytes()), Body::whole(b.into_bytes()));
        let side = |body| Side {
            status: 200,
            headers: &headers,
            trailers: Headers::none(),
            body,
        };
        let found = comparator.compare(&request, side(&a), side(&b));
        let start = a.kept.slice(..30);
        assert!(
            (1..=Rules::default().discrepancies + 1).contains(&found.len()),
            "{kind} {start:?}: {} found",
            found.len()
        );
        let shown: usize = found
            .iter()
            .map(|found| found.place.len() + found.production.len())
            .sum();
        assert!(shown < MIB, "{kind} {start:?}: {shown} bytes are shown");
    }
}

#[test]
fn no_content_is_dear_to_redact() {
    let config = RedactConfig {
        paths: vec![
            "$..a..b".parse().expect("a path"),
            "$.*.c[*]".parse().expect("a path"),
        ],
        ..RedactConfig::default()
    };
    let redactor = Redactor::new([1; 32], &config);
    let cases = documents().into_iter().map(|(kind, a, _)| (kind, a));
    let plain = texts().into_iter().flat_map(|text| {
        [
            "text/plain",
            "text/html",
            "application/json",
            "application/x-www-form-urlencoded",
        ]
        .map(|kind| (kind, text.clone()))
    });
    for (kind, text) in cases.chain(plain) {
        let headers = Headers::from_pairs([("Content-Type", kind)]);
        let body = Body::whole(text.clone().into_bytes());
        for cap in [MIB * 2, 16 << 10] {
            let kept = redactor.body(&headers, &body, cap).text.unwrap_or_default();
            assert!(kept.len() <= 16 * MIB, "{kind}: {} bytes of {cap}", kept.len());
        }
    }
    for text in texts() {
        let (_, value) = redactor.header(b"x-any", text.as_bytes());
        assert!(value.len() < 64 << 10, "{} bytes", value.len());
        assert!(redactor.whole_target(&format!("/{text}")).len() < 64 << 10);
    }
}

#[test]
fn cookies_of_many_parts() {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    let many = numbered(25_000, |at| format!("c{at}=v{at}; "));
    for name in ["cookie", "set-cookie", "x-other"] {
        let (_, value) = redactor.header(name.as_bytes(), many.as_bytes());
        assert!(value.len() < 64 << 10, "{name}: {} bytes", value.len());
    }
}
