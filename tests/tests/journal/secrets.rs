//! Known secrets in every field of real requests and answers, searched for in every byte that leaves the agent.

use shadow_agent::export::Bundle;
use shadow_tests::{agent::Agent, client::Connection, need, scene::Scene};

use crate::stage::{Stage, files, response, said};

/// Where each secret was sent, and its value.
const SECRETS: [(&str, &str); 30] = [
    ("authorization", "qz7rBearer0Token1Value"),
    ("cookie", "qz7rCookie2Value"),
    ("api key field", "qz7rApiKey3Value"),
    ("query", "qz7rQuery4Value"),
    ("path", "qz7r.ann@corp.example"),
    ("json password", "qz7rPassword5Value"),
    ("json card", "4111111111111111"),
    ("form", "qz7rForm6Value"),
    ("multipart", "qz7rMultipart7Value"),
    ("set-cookie", "qz7rSetCookie8Value"),
    ("answer of production", "qz7rAnswer9Production"),
    ("answer of the shadow system", "qz7rAnswer9Shadow"),
    ("mail in text", "qz7r.bob@corp.example"),
    ("location", "qz7rLocation10Value"),
    ("field with a prefix", "qz7rotpeleven"),
    ("session field", "qz7rsessiontwelve"),
    ("password again", "qz7rconfirmthirteen"),
    ("database password", "qz7rdbpassfourteen"),
    ("card code", "qz7rcvvfifteen"),
    ("name of 80 bytes", "qz7rlongsixteen"),
    ("value beside its name", "qz7rpairseventeen"),
    ("name beside its value", "qz7rpaireighteen"),
    ("userinfo in text", "qz7ruserinfonineteen"),
    ("private key", "qz7rPemTwenty"),
    ("environment assignment", "qz7renvtwentyone"),
    ("exported variable", "qz7rexporttwentytwo"),
    ("issued key", "QZ7RISSUED23"),
    ("cell of a table", "qz7rcelltwentyfour"),
    ("path segment", "qz7r25a9c1d4"),
    ("path segment with a colon", "qz7rcolontwentysix"),
];

/// Not secret: its absence means that nothing was searched.
const PLAIN: &str = "plainly-visible";

fn answer(token: &str, price: u32) -> String {
    response(
        "Content-Type: application/json\r\nSet-Cookie: sid=qz7rSetCookie8Value; Path=/\r\n\
         Location: /next?token=qz7rLocation10Value\r\n",
        &format!(
            "{{\"note\":\"{PLAIN}\",\"access_token\":\"{token}\",\"mail\":\"qz7r.bob@corp.example\",\"price\":{price}}}"
        ),
    )
}

fn send() {
    let mut connection = Connection::open(Scene::production()).expect("production listens");
    let fields = "Authorization: Bearer qz7rBearer0Token1Value\r\nCookie: sid=qz7rCookie2Value; theme=dark\r\n\
                  X-Api-Key: qz7rApiKey3Value\r\nX-Otp: qz7rotpeleven\r\nX-Session: qz7rsessiontwelve\r\n";
    let target = "/users/qz7r.ann@corp.example/cart?token=qz7rQuery4Value&page=2";
    connection.get(target, fields).expect("an answer");
    let target = "/password-reset/qz7r25a9c1d4/api_key:qz7rcolontwentysix";
    connection.get(target, fields).expect("an answer");
    let long = "and_more_of_it_".repeat(5);
    let users = format!(
        "{{\"password_confirmation\":\"qz7rconfirmthirteen\",\"db_pass\":\"qz7rdbpassfourteen\",\"cvv2\":\"qz7rcvvfifteen\",\
         \"{long}secret\":\"qz7rlongsixteen\",\"settings\":[{{\"name\":\"smtp_password\",\"value\":\"qz7rpairseventeen\"}},\
         {{\"value\":\"qz7rpaireighteen\",\"key\":\"client_secret\"}}],\
         \"note\":\"see postgres://app:qz7ruserinfonineteen@db/app\",\
         \"pem\":\"-----BEGIN PRIVATE KEY-----\\nqz7rPemTwenty\\n-----END PRIVATE KEY-----\"}}"
    );
    let lines =
        "DB_PASSWORD=qz7renvtwentyone\nexport X_TOKEN=qz7rexporttwentytwo\nuse AKIAQZ7RISSUED2345AB\n";
    for (kind, body) in [
        (
            "application/json",
            "{\"user\":{\"password\":\"qz7rPassword5Value\",\"card\":\"4111111111111111\"}}".to_owned(),
        ),
        (
            "application/x-www-form-urlencoded",
            "a=1&password=qz7rForm6Value".to_owned(),
        ),
        (
            "multipart/form-data; boundary=XX",
            "--XX\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nqz7rMultipart7Value\r\n--XX--\r\n"
                .to_owned(),
        ),
        ("application/json", users),
        ("text/plain", lines.to_owned()),
        ("text/csv", "user,password\nann,qz7rcelltwentyfour\n".to_owned()),
    ] {
        let fields = format!("{fields}Content-Type: {kind}\r\n");
        connection
            .post("/orders", &fields, body.as_bytes())
            .expect("an answer");
    }
}

/// Every query that an agent answers.
fn shown(agent: &Agent, stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let mut shown = Vec::new();
    for words in [
        &["status"][..],
        &["status", "--json"],
        &["diffs", "--all"],
        &["diffs", "--json"],
    ] {
        shown.push((words.join(" "), said(&agent.ask(words))));
    }
    for words in [&["report"][..], &["report", "--json"]] {
        // The exit code is the verdict.
        shown.push((words.join(" "), agent.ask(words).stdout));
    }
    let html = stage.file("report.html");
    agent.ask(&["report", "--html", html.to_str().expect("text")]);
    shown.push((
        "html".to_owned(),
        std::fs::read(&html).expect("the page was written"),
    ));
    let report = agent.report();
    assert!(report.groups.len() >= 2, "{:#?}", report.groups);
    for group in &report.groups {
        let id = group.id.as_str();
        shown.push((format!("show {id}"), said(&agent.ask(&["diffs", "show", id]))));
        for format in ["curl", "har", "json"] {
            let output = agent.ask(&["diffs", "export", id, "--format", format]);
            shown.push((format!("{format} of {id}"), said(&output)));
        }
        let bundle = said(&agent.ask(&["diffs", "export", id, "--bundle"]));
        let text = String::from_utf8(bundle.clone()).expect("JSON");
        let read = Bundle::read(&text).expect("a bundle");
        assert!(
            read.rules.is_object(),
            "the rules in force are known: {}",
            read.rules
        );
        shown.push((format!("packets of {id}"), read.capture().expect("packets")));
        shown.push((format!("bundle of {id}"), bundle));
    }
    shown
}

fn assert_clean(shown: &[(String, Vec<u8>)]) {
    for (what, bytes) in shown {
        for (field, secret) in SECRETS {
            for form in [secret.to_owned(), secret.replace('@', "%40")] {
                let found = bytes
                    .windows(form.len())
                    .any(|window| window.eq_ignore_ascii_case(form.as_bytes()));
                assert!(!found, "the secret of the {field} is in {what}");
            }
        }
    }
}

fn shows(shown: &[(String, Vec<u8>)], what: &str) {
    let bytes = shown
        .iter()
        .filter(|(name, _)| name.contains(what))
        .flat_map(|(_, bytes)| bytes);
    let bytes: Vec<u8> = bytes.copied().collect();
    assert!(
        bytes
            .windows(PLAIN.len())
            .any(|window| window == PLAIN.as_bytes()),
        "{what} does not show what is no secret, so this test sees nothing: {:?}",
        shown
            .iter()
            .map(|(name, bytes)| (name, bytes.len()))
            .collect::<Vec<_>>()
    );
}

#[test]
fn no_secret_leaves_the_agent_by_any_way() {
    need!(Root);
    let stage = Stage::new(
        &answer("qz7rAnswer9Production", 1),
        &answer("qz7rAnswer9Shadow", 2),
    );
    let plan = stage.plan().args(&["--writes", "replay", "--log-level", "trace"]);
    let mut agent = stage.start(plan);
    for _round in 0..3 {
        stage.lab.client.run(send);
    }
    // Three rounds of eight requests.
    let report = agent.settled(24);
    assert!(report.funnel.mismatched >= 24, "{:#?}", report.funnel);
    // The writer collects entries for a moment.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let shown = shown(&agent, &stage);
    for what in ["html", "har of", "json of", "bundle of", "packets of", "show "] {
        shows(&shown, what);
    }
    assert_clean(&shown);
    let kept = files(agent.state());
    shows(&kept, "journal.sqlite-wal");
    assert_clean(&kept);

    agent.stop();
    let kept = files(agent.state());
    shows(&kept, "journal.sqlite");
    assert_clean(&kept);
    let log = agent.process.output();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the log is at its most talkative: {log}"
    );
    assert_clean(&[("log".to_owned(), log.into_bytes())]);
}
