//! Secrets named in the configuration, in documents of every kind: wherever one occurs, however the document is cut
//! and whatever surrounds it, its bytes are not in what would be kept.

use shadow_core::{
    compare::{Comparator, JsonPath, Rules, Side},
    redact::{RedactConfig, Redactor},
};
use shadow_proto::exchange::{Body, Headers};

use super::decode::request;

/// The secret that no output may contain.
const SECRET: &str = "hunTer2z7F3a";

/// Spellings of the configured name.
const NAMES: [&str; 4] = ["patient_no", "patientNo", "PATIENT-NO", "Patient-No"];

/// Input: a byte for the kind, one for how much is kept, one for how much is shown; the rest builds the document.
pub fn run(input: &[u8]) {
    let Some(([kind, kept, shown], rest)) = input.split_first_chunk::<3>() else {
        return;
    };
    let mut from = Bytes(rest);
    let (media, text) = document(*kind, &mut from);
    let redactor = redactor();
    let headers = Headers::from_pairs([("Content-Type", media)]);
    let whole = Body::whole(text.clone().into_bytes());
    // Cut anywhere, as by a capture.
    let len = text.len() * usize::from(*kept) / 255;
    let cut = Body {
        kept: whole.kept.slice(..len),
        len: whole.len,
        digest: None,
        missing: 0,
    };
    for body in [&whole, &cut] {
        let cap = if *shown == 0 {
            1 << 20
        } else {
            usize::from(*shown) * 4
        };
        let seen = redactor.body(&headers, body, cap).text.unwrap_or_default();
        assert!(!seen.contains(SECRET), "{media}: {seen}\nof\n{text}");
    }
    head(&redactor, &mut from);
    compared(&redactor, &headers, &whole, &text);
}

fn redactor() -> Redactor {
    let paths = ["$..ward[*]", "$.lookup.*", "$.deep..bed"];
    let path = |path: &&str| path.parse::<JsonPath>().expect("a path");
    let config = RedactConfig {
        names: vec!["patient-no".to_owned()],
        paths: paths.iter().map(path).collect(),
    };
    Redactor::new([7; 32], &config)
}

/// Differences from a document without the secret.
fn compared(redactor: &Redactor, headers: &Headers, body: &Body, text: &str) {
    let other = Body::whole(text.replace(SECRET, "somethingElse9").into_bytes());
    let comparator = Comparator::new(Rules::default()).expect("the defaults are rules");
    let side = |body| Side {
        status: 200,
        headers,
        trailers: Headers::none(),
        body,
    };
    for found in comparator.compare(&request(), side(body), side(&other)) {
        let kept = redactor.discrepancy(&found);
        let said = format!("{} {} {}", kept.place, kept.production, kept.shadow);
        assert!(!said.contains(SECRET), "{said}\nof {found:?}\nin\n{text}");
    }
}

/// Fields and a target.
fn head(redactor: &Redactor, from: &mut Bytes<'_>) {
    let name = NAMES[from.below(4)];
    let (before, behind) = (from.word(), from.word());
    let (_, value) = redactor.header(name.as_bytes(), format!("{before}{SECRET}{behind}").as_bytes());
    assert!(!value.contains(SECRET), "{value}");
    for target in [
        format!("/{before}?a=1&{name}={SECRET}{behind}&b"),
        format!("/{before};{name}={SECRET}/{behind}"),
        format!("https://{SECRET}@h/{before}#{name}={SECRET}"),
    ] {
        // A syntax character in a word changes the target.
        if [before, behind]
            .iter()
            .all(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        {
            let (short, long) = (redactor.target(&target), redactor.whole_target(&target));
            assert!(
                !short.contains(SECRET) && !long.contains(SECRET),
                "{target}: {long}"
            );
        }
    }
}

/// Source of the choices made for the document.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    /// Some of the bytes themselves, if they are text. Words with a letter of the secret are dropped: libFuzzer
    /// learns it from the comparisons, and would put it where it is not a secret.
    fn word(&mut self) -> &'b str {
        let len = self.below(12).min(self.0.len());
        let (word, rest) = self.0.split_at(len);
        self.0 = rest;
        let word = str::from_utf8(word).unwrap_or_default();
        if word.contains('z') { "" } else { word }
    }
}

fn document(kind: u8, from: &mut Bytes<'_>) -> (&'static str, String) {
    match kind % 6 {
        0 => ("application/json", json(from, 0, true)),
        1 => {
            let lines: Vec<String> = (0..=from.below(4)).map(|_| json(from, 0, true)).collect();
            ("application/x-ndjson", lines.join("\n"))
        }
        2 => {
            let events = (0..=from.below(4)).map(|_| format!("data: {}\n\n", json(from, 0, true)));
            ("text/event-stream", events.collect())
        }
        3 => {
            let plain = |word: &str| word.replace(|c: char| !c.is_alphanumeric(), "+");
            let field = |from: &mut Bytes<'_>| match from.below(3) {
                0 => format!("{}={SECRET}{}", NAMES[from.below(4)], plain(from.word())),
                1 => format!("user[{}]={SECRET}", NAMES[from.below(4)]),
                _ => format!("{}={}", plain(from.word()), plain(from.word())),
            };
            let fields: Vec<String> = (0..=from.below(6)).map(|_| field(from)).collect();
            ("application/x-www-form-urlencoded", fields.join("&"))
        }
        4 => ("application/xml", format!("<a>{}</a>", element(from, 0))),
        _ => {
            let parts = (0..=from.below(3)).map(|_| {
                let head = format!(
                    "Content-Disposition: form-data; name=\"{}\"",
                    NAMES[from.below(4)]
                );
                format!(
                    "--b\r\n{head}\r\n\r\n{SECRET}{}\r\n",
                    from.word().replace('-', "_")
                )
            });
            let parts: String = parts.collect();
            ("multipart/form-data; boundary=b", parts + "--b--\r\n")
        }
    }
}

/// JSON text with secrets after the name or where a path leads. `root`: the paths from the root apply.
fn json(from: &mut Bytes<'_>, depth: usize, root: bool) -> String {
    let quoted = |word: &str| serde_json::to_string(word).expect("text");
    let secret = |from: &mut Bytes<'_>| match from.below(4) {
        0 => format!("\"{SECRET}\""),
        1 => quoted(&format!("{}{SECRET}{}", from.word(), from.word())),
        2 => format!("[1,{{\"x\":\"{SECRET}\"}}]"),
        _ => format!("{{{}:\"{SECRET}\"}}", quoted(from.word())),
    };
    if depth > 6 {
        return "1".to_owned();
    }
    match from.below(8) {
        0 => quoted(from.word()),
        1 => "null".to_owned(),
        2 => {
            let items: Vec<String> = (0..from.below(4)).map(|_| json(from, depth + 1, false)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let member = |from: &mut Bytes<'_>| match from.below(6) {
                0 => format!("\"{}\":{}", NAMES[from.below(4)], secret(from)),
                1 => format!("\"ward\":[{}]", secret(from)),
                2 if root => format!("\"lookup\":{{\"a\":{}}}", secret(from)),
                3 if root => format!("\"deep\":{{\"b\":[{{\"bed\":{}}}]}}", secret(from)),
                _ => format!("{}:{}", quoted(from.word()), json(from, depth + 1, false)),
            };
            let members: Vec<String> = (0..from.below(5)).map(|_| member(from)).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn element(from: &mut Bytes<'_>, depth: usize) -> String {
    let text = |word: &str| word.replace(['<', '&', '"', '>', '\''], " ");
    let name = ["patient_no", "patientNo", "PATIENT-NO"][from.below(3)];
    match from.below(6) {
        0 => format!("<{name}>{}{SECRET}</{name}>", text(from.word())),
        1 => format!("<b {name}=\"{SECRET}{}\"/>", text(from.word())),
        2 => format!("<{name}><v i=\"1\">{SECRET}</v></{name}>"),
        3 => format!("<field name=\"{name}\">{SECRET}</field>"),
        4 if depth < 6 => format!("<c>{}{}</c>", element(from, depth + 1), element(from, depth + 1)),
        _ => text(from.word()),
    }
}
