//! Known secrets in every field of an exchange: after comparison, their bytes are not in the report or the stored case.

use core::time::Duration;

use super::*;
use crate::{
    case::{Case, CaseLimits, Judged},
    compare::{Comparator, Outcome, Rules, ShadowResponse, Verdict},
    evidence::{GateConfig, Ledger, LedgerLimits, report::ReportInputs},
};
use shadow_proto::testing::exchange;
use shadow_proto::{
    exchange::{Body, Exchange},
    time::Timestamp,
};

/// The common beginning of all secrets.
const MARK: &str = "hunter2z7f3a";

/// Bodies in which `@` is a secret and `#` is not, by media type.
const NAMED: [(&str, &str); 17] = [
    ("application/json", r#"{"password":"@","n":#}"#),
    ("application/json", r#"{"api_key":"@","n":#}"#),
    ("application/json", r##"{"n":"#","auth":{"user":"@"}}"##),
    ("application/json", r#"{"sessions":{"@-1":{"n":#}}}"#),
    ("application/json", r#"[{"patient":{"ward":"@"}},#]"#),
    ("application/json", r#"{"lookup":{"@-1":#}}"#),
    ("application/problem+json", r#"{"token":["@"],"type":"about:#"}"#),
    ("application/x-ndjson", "{\"password\":\"@\"}\n{\"n\":#}\n"),
    (
        "text/event-stream",
        "data: {\"password\":\"@\",\"n\":#}\n\ndata: token=@ and #\n\n",
    ),
    ("application/x-www-form-urlencoded", "password=@&n=#"),
    ("text/xml", "<a><password>@</password><n>#</n></a>"),
    (
        "text/xml",
        "<a><password kind='x'>@</password><session id='@'/><n>#</n></a>",
    ),
    ("text/html", "<form><input name=csrf_token value=@><p>#</form>"),
    ("text/html", "<meta name=csrf-token content='@'><p>#"),
    ("text/plain", "password=@\nn=#\nAuthorization: Bearer @\n"),
    ("application/octet-stream", "@#"),
    (
        "multipart/form-data; boundary=b",
        "--b\r\nContent-Disposition: form-data; name=password\r\n\r\n@\r\n--b\r\nX-Api-Key: @\r\n\r\n#\r\n--b--",
    ),
];

/// Bodies in which `@` is a secret by its form.
const FORMS: [(&str, &str); 8] = [
    ("application/json", r#"{"note":"by @ today","n":#}"#),
    ("application/json", r#"{"@":{"n":#}}"#),
    ("application/x-ndjson", "{\"n\":#,\"x\":[\"@\"]}\n"),
    ("text/event-stream", "data: @ #\n\n"),
    ("application/x-www-form-urlencoded", "x=@&n=#"),
    ("text/xml", "<a x='@'>#<b>@</b></a>"),
    ("text/html", "<p>@<p>#"),
    ("text/plain", "line @ of #"),
];

fn redactor() -> Redactor {
    let paths = ["$..patient.ward", "$.lookup.*"];
    let config = RedactConfig {
        names: Vec::new(),
        paths: paths
            .iter()
            .map(|path| path.parse().unwrap_or_else(|error| panic!("{error}")))
            .collect(),
    };
    Redactor::new([3; 32], &config)
}

/// A body of production or the shadow system: different secrets, and an additional difference.
fn filled(kind: &str, template: &str, secret: &str, number: u32) -> (Headers, Body) {
    let body = template.replace('@', secret).replace('#', &number.to_string());
    let fields = [
        ("Content-Type", kind),
        ("Set-Cookie", &format!("sid={secret}; Path=/")),
        (
            "Location",
            &format!("https://u:{secret}@h.example/cb?code={secret}&page={number}#access_token={secret}"),
        ),
        ("X-Api-Key", secret),
        ("WWW-Authenticate", &format!("Bearer {secret}")),
        ("Cache-Control", &format!("private, token={secret}")),
    ];
    (Headers::from_pairs(fields), Body::whole(body.into_bytes()))
}

fn asked(kind: &str, template: &str, secret: &str) -> Exchange {
    let target = format!(
        "/cb;jsessionid={secret}?page=2&code={secret}&user%5Bpassword%5D={secret}&access_token={secret}"
    );
    let mut exchange = exchange("POST", &target);
    let request = &mut exchange.request;
    request.body = filled(kind, template, secret, 1).1;
    request.headers = Headers::from_pairs([
        ("Content-Type", kind),
        ("Authorization", &format!("Basic {secret}")),
        ("Proxy-Authorization", &format!("Digest nonce={secret}")),
        ("Cookie", &format!("a=1; sid={secret}")),
        ("X-Auth-Token", secret),
        ("Ocp-Apim-Subscription-Key", secret),
        ("Referer", &format!("/login?state={secret}")),
        ("X-Original-URL", &format!("/login?token={secret}")),
    ]);
    request.trailers = Headers::from_pairs([("X-Signature", secret)]);
    if let Some(response) = &mut exchange.response {
        (response.headers, response.body) = filled(kind, template, secret, 1);
        response.trailers = Headers::from_pairs([("X-Session-Token", secret)]);
    }
    exchange
}

/// Everything kept of one exchange, as text.
fn kept(kind: &str, template: &str, one: &str, two: &str) -> String {
    let exchange = asked(kind, template, one);
    let (headers, body) = filled(kind, template, two, 2);
    let outcome = Outcome::Response(ShadowResponse {
        status: 200,
        headers,
        trailers: Headers::default(),
        body,
        first_byte: Duration::from_millis(1),
        total: Duration::from_millis(2),
    });
    everything(&exchange, &outcome, &redactor())
}

/// The report and the case of two different answers.
pub(super) fn everything(exchange: &Exchange, outcome: &Outcome, redactor: &Redactor) -> String {
    let comparator = Comparator::new(Rules::default()).unwrap_or_else(|error| panic!("{error}"));
    let verdict = comparator.verdict(exchange, outcome);
    assert!(
        matches!(&verdict, Verdict::Mismatch(found) if !found.is_empty()),
        "{verdict:?}"
    );
    let mut ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor.clone());
    ledger.seen(exchange);
    let wanted = ledger.judged(exchange, outcome, &verdict, Timestamp::from_nanos(5));
    let report = ledger.report(ReportInputs {
        started_ms: 1,
        now_ms: 2,
        ..ReportInputs::default()
    });
    let judged = Judged {
        exchange,
        outcome,
        verdict: &verdict,
        target: "shadow",
        at_ms: 5,
    };
    let case = Case::of(judged, wanted, redactor, CaseLimits::default()).expect("it differs");
    let report = serde_json::to_string(&report).expect("serialises");
    let case = serde_json::to_string(&case).expect("serialises");
    format!("{report}\n{case}")
}

#[test]
fn secrets_behind_a_name_or_a_path_are_in_nothing_that_is_kept() {
    for (kind, template) in NAMED {
        let kept = kept(kind, template, &format!("{MARK}one"), &format!("{MARK}two"));
        assert!(!kept.contains(MARK), "{kind} {template}\n{kept}");
        assert!(kept.contains("[redacted:"), "{kept}");
    }
}

#[test]
fn secrets_by_their_form_are_in_nothing_that_is_kept() {
    let jwt =
        |middle: &str| format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{middle}.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P");
    for (one, two, mark) in [
        (
            "ann.hunter2@example.org".to_owned(),
            "bob.hunter2@example.org".to_owned(),
            "hunter2",
        ),
        (
            "4111111111111111".to_owned(),
            "5555555555554444".to_owned(),
            "1111111",
        ),
        (jwt("xMjM0In0"), jwt("xMjM1In0"), "eyJ"),
        (
            "ghp_abcdefghijklmnop1234567890".to_owned(),
            "ghp_abcdefghijklmnop0987654321".to_owned(),
            "abcdefghijklmnop",
        ),
    ] {
        for (kind, template) in FORMS {
            let kept = kept(kind, template, &one, &two);
            assert!(
                !kept.contains(mark) && !kept.contains("55555555"),
                "{kind} {template}\n{kept}"
            );
        }
    }
}
