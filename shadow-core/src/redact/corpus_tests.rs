//! Some hundred secrets in every possible place, searched for in all output of redaction.

use core::time::Duration;

use super::{everywhere_tests::everything, *};
use crate::compare::{Outcome, ShadowResponse};
use shadow_proto::{
    exchange::{Body, Exchange},
    testing::exchange,
};

/// Names whose values are secret everywhere.
const NAMES: [&str; 24] = [
    "password",
    "password_confirmation",
    "password1",
    "newPassword",
    "db_pass",
    "DB_PASSWORD",
    "cvv2",
    "pin",
    "otp",
    "x-csrf",
    "X-Otp",
    "csrfmiddlewaretoken",
    "access_token",
    "refreshToken",
    "idToken2",
    "client_secret",
    "AWS_SECRET_ACCESS_KEY",
    "apiKey",
    "api-key-v2",
    "private_key",
    "user_credentials",
    "PHPSESSID",
    "X-Auth",
    "a_name_that_goes_on_for_very_much_longer_than_sixty_four_bytes_and_is_a_secret",
];

/// Bodies in which `NAME` has the value `VALUE`.
const NAMED: [(&str, &str); 27] = [
    ("application/json", r#"{"NAME":"VALUE"}"#),
    ("application/json", r#"{"a":[{"b":{"NAME" : ["VALUE"]}}]}"#),
    ("application/json", r#"{"NAME":{"x":"VALUE"}}"#),
    ("application/json", r#"{"name":"NAME","value":"VALUE"}"#),
    ("application/json", r#"{"value" : "VALUE" , "key" : "NAME"}"#),
    ("application/json", r#"{"Value":{"x":["VALUE"]},"Key":"NAME"}"#),
    ("application/json", r#"[["NAME","VALUE"]]"#),
    ("application/json", r#"{"a":"{\"NAME\":\"VALUE\"}"}"#),
    ("application/json", r#"{"a":"export NAME=VALUE"}"#),
    ("application/json", r#"{"a":"/x?NAME=VALUE&b=1"}"#),
    ("application/x-ndjson", "{\"a\":1}\n{\"NAME\":\"VALUE\"}\n"),
    ("text/event-stream", "data: {\"NAME\":\"VALUE\"}\n\n"),
    ("application/x-www-form-urlencoded", "a=1&NAME=VALUE&b=2"),
    ("application/x-www-form-urlencoded", "user%5BNAME%5D=VALUE"),
    ("application/xml", "<a><NAME>VALUE</NAME></a>"),
    ("application/xml", "<a><b NAME=\"VALUE\"/></a>"),
    ("application/xml", "<a><name>NAME</name><value>VALUE</value></a>"),
    (
        "application/xml",
        "<dict><key>NAME</key>\n<string>VALUE</string></dict>",
    ),
    ("text/html", "<input type=hidden name=NAME value=VALUE>"),
    ("text/html", "<tr><th>NAME:</th><td>VALUE</td></tr>"),
    ("text/html", "<dl><dt>NAME<dd>VALUE</dl>"),
    ("text/csv", "a,NAME,b\n1,VALUE,2\n"),
    ("text/csv", "name,value\nNAME,\"VALUE\"\n"),
    ("text/plain", "NAME=VALUE\nexport NAME=VALUE\n"),
    ("text/plain", "a: 1\nNAME: VALUE\n"),
    ("text/plain", "| NAME | VALUE |\nNAME\tVALUE\n"),
    (
        "multipart/form-data; boundary=b",
        "--b\r\nContent-Disposition: form-data; name=\"NAME\"\r\n\r\nVALUE\r\n--b--\r\n",
    ),
];

/// Targets in which `NAME` has the value `VALUE`.
const NAMED_TARGETS: [&str; 6] = [
    "/a?NAME=VALUE&b=1",
    "/a?x%5BNAME%5D=VALUE",
    "/a;NAME=VALUE/b",
    "/a/NAME:VALUE/b",
    "/a#NAME=VALUE",
    "https://h.example/a?b=1&NAME=VALUE",
];

/// Bodies with a `VALUE` that is a secret by its form.
const FORMED: [(&str, &str); 12] = [
    ("application/json", r#"{"note":"VALUE"}"#),
    ("application/json", r#"{"note":"it is VALUE today"}"#),
    ("application/json", r#"["VALUE"]"#),
    ("application/x-ndjson", "{\"note\":\"VALUE\"}\n"),
    ("text/event-stream", "data: {\"note\":\"VALUE\"}\n\n"),
    ("application/xml", "<a>VALUE</a>"),
    ("application/xml", "<a note=\"VALUE\"/>"),
    ("text/html", "<p>it is VALUE"),
    ("text/csv", "note,b\n\"VALUE\",1\n"),
    ("text/plain", "it is VALUE today"),
    ("text/plain", "(VALUE)"),
    (
        "multipart/form-data; boundary=b",
        "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nVALUE\r\n--b--\r\n",
    ),
];

/// Paths in which `VALUE` is a segment that was given to one person.
const GIVEN_PATHS: [&str; 8] = [
    "/reset/VALUE",
    "/password-reset/VALUE/new",
    "/users/token/VALUE",
    "/verify/VALUE",
    "/invite/VALUE?lang=en",
    "/account/confirm/VALUE",
    "/bot4711:VALUE/send",
    "https://h.example/unsubscribe/VALUE",
];

/// A secret, and the part of it that must not be seen.
struct Planted {
    value: String,
    part: String,
}

/// Letters that no other secret has, and that are not a hash.
fn drawn(number: usize) -> String {
    let letter = |shift: usize| char::from(b"ghjkmnpqrstvwxyz"[(number >> (4 * shift)) % 16]);
    (0..4).map(letter).collect()
}

/// Passwords and codes of various kinds.
fn of_a_person(number: usize) -> Planted {
    let drawn = drawn(number);
    let value = match number % 4 {
        0 => format!("{drawn}fish"),
        1 => format!("7f3{drawn}9c1"),
        2 => format!("correct-{drawn}-battery"),
        _ => format!("{}", 48_213_977 + number),
    };
    let part = if number % 4 == 3 { value.clone() } else { drawn };
    Planted { value, part }
}

fn of_a_service(number: usize) -> Vec<Planted> {
    let drawn = drawn(number);
    let formed = |before: &str, after: &str| Planted {
        value: format!("{before}{drawn}{after}"),
        part: drawn.clone(),
    };
    let mut planted: Vec<Planted> = [
        "AKIA",
        "ghp_",
        "gho_",
        "xoxb-",
        "sk_live_",
        "glpat-",
        "AIza",
        "SG.",
        "npm_",
        "hvs.",
        "dop_v1_",
        "github_pat_",
    ]
    .iter()
    .map(|prefix| formed(prefix, "4eC39HqLyjWDarjtT1zd"))
    .collect();
    planted.extend([
        formed("eyJhbGciOiJIUzI1NiJ9.", ".dozjgNryP4J3jVmNHl0w5N"),
        formed("postgres://app:", "@db.internal/app"),
        formed("https://", ":x@h.example/a?b=1"),
        formed("redis://:", "/x@cache:6379"),
        formed("Bearer ", "4eC39HqL"),
        formed("ann.", "@corp.example"),
        formed(
            "-----BEGIN RSA PRIVATE KEY----- MIIEpAIBAAK",
            "CAQEA -----END RSA PRIVATE KEY-----",
        ),
        formed("-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNza", "C1rZXk"),
    ]);
    planted
}

fn redactor() -> Redactor {
    Redactor::new([3; 32], &RedactConfig::default())
}

/// Everything kept of an exchange whose answers have this body, with a different secret in the shadow answer.
fn kept(target: &str, fields: &[(&str, &str)], body: &str, other: &str) -> String {
    let mut exchange: Exchange = exchange("POST", target);
    let headers = Headers::from_pairs(fields.iter().copied());
    exchange.request.headers = headers.clone();
    exchange.request.body = Body::whole(body.as_bytes().to_vec());
    let Some(response) = &mut exchange.response else {
        panic!("it is answered");
    };
    response.headers = headers.clone();
    response.body = exchange.request.body.clone();
    let outcome = Outcome::Response(ShadowResponse {
        status: 201,
        headers,
        trailers: Headers::default(),
        body: Body::whole(other.as_bytes().to_vec()),
        first_byte: Duration::from_millis(1),
        total: Duration::from_millis(2),
    });
    everything(&exchange, &outcome, &redactor())
}

#[derive(Default)]
struct Search {
    planted: usize,
    seen: Vec<String>,
}

impl Search {
    fn in_body(&mut self, kind: &str, body: &str, secret: &Planted) {
        // The shadow system has a changed form of it.
        let other = body.replace(&secret.part, &secret.part.to_uppercase());
        let kept = kept("/a", &[("Content-Type", kind)], body, &other);
        self.judge(&kept, &format!("{kind} {body}"), secret);
    }

    fn in_head(&mut self, target: &str, fields: &[(&str, &str)], secret: &Planted) {
        let kept = kept(target, fields, "1", "2");
        self.judge(&kept, &format!("{target} {fields:?}"), secret);
    }

    fn judge(&mut self, kept: &str, planted: &str, secret: &Planted) {
        self.planted += 1;
        let kept = kept.to_lowercase();
        if kept.contains(&secret.part.to_lowercase()) {
            let at = kept.find(&secret.part.to_lowercase()).unwrap_or_default();
            let around = kept.get(at.saturating_sub(60)..(at + 60).min(kept.len()));
            self.seen
                .push(format!("{planted}\n    {}", around.unwrap_or_default()));
        }
    }

    fn end(self, least: usize) {
        assert!(
            self.seen.is_empty(),
            "{} seen:\n{}",
            self.seen.len(),
            self.seen.join("\n")
        );
        assert!(self.planted >= least, "{} were planted", self.planted);
    }
}

#[test]
fn a_secret_with_a_name_is_seen_in_no_place() {
    let mut search = Search::default();
    let mut number = 0;
    for name in NAMES {
        for (kind, template) in NAMED {
            number += 1;
            let secret = of_a_person(number);
            let body = template.replace("NAME", name).replace("VALUE", &secret.value);
            search.in_body(kind, &body, &secret);
        }
        for template in NAMED_TARGETS {
            number += 1;
            let secret = of_a_person(number);
            let target = template.replace("NAME", name).replace("VALUE", &secret.value);
            search.in_head(&target, &[("Content-Type", "text/plain")], &secret);
            let fields = [
                ("Content-Type", "text/plain"),
                ("Location", &target),
                ("X-Next", &target),
            ];
            search.in_head("/", &fields, &secret);
        }
        number += 1;
        let secret = of_a_person(number);
        search.in_head("/", &[(name, &secret.value)], &secret);
    }
    search.end(400);
}

#[test]
fn a_secret_with_a_form_is_seen_in_no_place() {
    let mut search = Search::default();
    for (number, (kind, template)) in FORMED.into_iter().enumerate() {
        for secret in of_a_service(number) {
            let value = match kind {
                "application/x-www-form-urlencoded" => secret.value.replace('+', "%2B"),
                _ => secret.value.clone(),
            };
            search.in_body(kind, &template.replace("VALUE", &value), &secret);
        }
    }
    for secret in of_a_service(77) {
        search.in_head("/", &[("X-Note", &format!("it is {}", secret.value))], &secret);
        let encoded = secret.value.replace(' ', "+").replace('/', "%2F");
        search.in_head(&format!("/a?note={encoded}"), &[], &secret);
        search.in_body(
            "application/x-www-form-urlencoded",
            &format!("note={encoded}"),
            &secret,
        );
    }
    search.end(300);
}

#[test]
fn a_segment_that_was_given_to_somebody_is_not_seen() {
    let mut search = Search::default();
    for (number, template) in GIVEN_PATHS.into_iter().enumerate() {
        let drawn = drawn(number);
        for value in [
            format!("{drawn}7f3a9c1d"),
            format!("{}-{drawn}-91b2", "4eC39HqL"),
            format!("{drawn}aAbBcCdDeEfFgG1hH2iI3"),
        ] {
            if template.contains("bot") && value.len() < 20 {
                continue;
            }
            let secret = Planted {
                value,
                part: drawn.clone(),
            };
            search.in_head(&template.replace("VALUE", &secret.value), &[], &secret);
        }
    }
    search.end(20);
}
