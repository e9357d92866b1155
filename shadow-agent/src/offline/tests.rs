use std::{
    io::Cursor,
    sync::Arc,
    time::{Duration, Instant},
};

use shadow_proto::{engine::Settings, exchange::Incomplete, limits::Limits};

use super::{gor::Gor, har::Har, *};
use crate::pipeline::{Fed, Feed as _};

fn settings() -> Settings {
    Settings {
        limits: Limits::default(),
        digest: true,
        fields: true,
    }
}

fn all(reader: &mut dyn Reader) -> Result<Vec<Exchange>, SourceError> {
    let mut found = Vec::new();
    while reader.read(&mut |exchange| found.push(*exchange))?.is_some() {}
    Ok(found)
}

const SEPARATOR: &str = "\n\u{1f435}\u{1f648}\u{1f649}\n";

fn request(id: &str, at: u64, target: &str) -> String {
    format!("1 {id} {at} 0\nGET {target} HTTP/1.1\r\nHost: h\r\n\r\n{SEPARATOR}")
}

fn response(id: &str, at: u64, body: &str) -> String {
    let length = body.len();
    format!("2 {id} {at} 5\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}{SEPARATOR}")
}

fn gor(text: &str) -> Result<Vec<Exchange>, SourceError> {
    all(&mut gors(&[text], &Arc::default()))
}

fn gors(texts: &[&str], state: &Arc<FeedState>) -> Gor {
    let file = |(number, text): (usize, &&str)| -> (String, Box<dyn std::io::Read + Send>) {
        (
            format!("{number}.gor"),
            Box::new(Cursor::new(text.as_bytes().to_vec())),
        )
    };
    Gor::new(texts.iter().enumerate().map(file).collect(), settings(), state)
}

fn har(text: &str) -> Result<Har, String> {
    har_told(text, &Arc::default())
}

fn har_told(text: &str, state: &Arc<FeedState>) -> Result<Har, String> {
    let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
    Har::new(std::path::Path::new("a.har"), reader, 1 << 20, state)
}

/// The count of a reason, and its first place.
fn noted(state: &FeedState, reason: &str) -> (u64, String) {
    let note = state.notes.noted().notes.remove(reason).unwrap_or_default();
    (note.count, note.first.first().cloned().unwrap_or_default())
}

/// Target, status, response body, and the reason if it is incomplete.
fn state(exchange: &Exchange) -> (String, Option<u16>, String, Option<Incomplete>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let response = exchange.response.as_ref();
    (
        text(&exchange.request.target),
        response.map(|response| response.status),
        response.map_or_else(String::new, |response| text(&response.body.kept)),
        exchange.incomplete,
    )
}

#[test]
fn goreplay_requests_find_their_responses() {
    let text = [
        request("aa", 1_000, "/one"),
        request("bb", 2_000, "/two"),
        response("bb", 2_500, "second"),
        response("aa", 3_000, "first"),
        request("cc", 4_000, "/three"),
        "3 bb 9 9\nHTTP/1.1 500 No\r\n\r\n".to_owned() + SEPARATOR,
    ]
    .concat();
    let found: Vec<_> = gor(&text).unwrap().iter().map(state).collect();
    let whole = |target: &str, body: &str| (target.to_owned(), Some(200), body.to_owned(), None);
    let alone = (
        "/three".to_owned(),
        None,
        String::new(),
        Some(Incomplete::NoResponse),
    );
    assert_eq!(found, [whole("/two", "second"), whole("/one", "first"), alone]);
}

#[test]
fn a_payload_of_goreplay_with_two_readings_is_not_whole() {
    let text = "1 aa 1 0\nPOST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        .to_owned()
        + SEPARATOR + &response("aa", 2, "x");
    let found = gor(&text).unwrap();
    assert_eq!(found[0].incomplete, Some(Incomplete::AmbiguousFraming));
}

#[test]
fn what_an_editor_adds_to_a_file_of_goreplay_is_no_record() {
    let text = [
        "\u{feff}".to_owned(),
        request("aa", 1_000, "/one"),
        "\n\r\n".to_owned(),
        response("aa", 2_000, "first"),
        "\n".to_owned(),
    ]
    .concat();
    let state: Vec<_> = gor(&text).unwrap().iter().map(state).collect();
    assert_eq!(state, [("/one".to_owned(), Some(200), "first".to_owned(), None)]);
}

#[test]
fn the_separator_of_goreplay_may_be_in_a_message() {
    let body = format!("a{SEPARATOR}b{SEPARATOR}c");
    let text = [
        request("aa", 1_000, "/one"),
        response("aa", 2_000, &body),
        request("bb", 3_000, "/two"),
        response("bb", 4_000, "x"),
    ]
    .concat();
    let whole = |target: &str, body: &str| (target.to_owned(), Some(200), body.to_owned(), None);
    let found: Vec<_> = gor(&text).unwrap().iter().map(state).collect();
    assert_eq!(found, [whole("/one", &body), whole("/two", "x")]);
    // A message that is cut off ends before the next record.
    let cut =
        text.replacen("a\n\u{1f435}", "\n\u{1f435}", 1)
            .replacen("Content-Length: 3", "Content-Length: 9", 1);
    assert_eq!(
        gor(&cut).unwrap().iter().map(state).next_back(),
        Some(whole("/two", "x"))
    );
}

#[test]
fn messages_of_goreplay_find_each_other_in_any_order_and_file() {
    let (first, second) = (
        [
            response("aa", 5, "early"),
            request("aa", 1, "/a"),
            request("bb", 10, "/b"),
            response("zz", 11, "nobody asked"),
        ]
        .concat(),
        [
            response("bb", 12, "next file"),
            "222 GET /x HTTP/1.0\r\n\r\n".to_owned() + SEPARATOR,
            "1 cc 13 0\n\0\u{1}binary".to_owned() + SEPARATOR,
            request("dd", 14, "/d"),
            response("dd", 15, "whole"),
        ]
        .concat(),
    );
    let state = Arc::new(FeedState::default());
    let mut reader = gors(&[&first, &second], &state);
    let mut found: Vec<_> = all(&mut reader).unwrap().iter().map(self::state).collect();
    found.sort_by_key(|(target, ..)| target.clone());
    let whole = |target: &str, body: &str| (target.to_owned(), Some(200), body.to_owned(), None);
    let broken = ("/".to_owned(), None, String::new(), Some(Incomplete::BadRecord));
    let expected = [
        broken.clone(),
        broken,
        whole("/a", "early"),
        whole("/b", "next file"),
        whole("/d", "whole"),
    ];
    assert_eq!(found, expected);
    let place = format!(
        "1.gor: record 1 at byte {}",
        response("bb", 12, "next file").len()
    );
    assert_eq!(noted(&state, "bad_record"), (2, place));
    let before = first.len() - response("zz", 11, "nobody asked").len();
    let place = format!("0.gor: record 3 at byte {before}");
    assert_eq!(noted(&state, "unrequested"), (1, place));
    let mut counters = CaptureCounters::default();
    reader.count(&mut counters);
    assert_eq!((counters.exchanges, counters.orphans), (5, 1));
}

#[test]
fn of_two_requests_with_one_id_both_are_told() {
    let text = [
        request("aa", 1, "/one"),
        request("aa", 2, "/two"),
        response("aa", 3, "x"),
    ]
    .concat();
    let found: Vec<_> = gor(&text)
        .unwrap()
        .iter()
        .map(|exchange| (state(exchange).0, exchange.is_complete()))
        .collect();
    assert_eq!(found, [("/one".to_owned(), false), ("/two".to_owned(), true)]);
}

/// Requests of 4 MiB each without answers, generated while they are read.
struct Unanswered {
    left: u32,
    payload: Cursor<Vec<u8>>,
}

impl std::io::Read for Unanswered {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.payload.read(out)?;
        if read > 0 || self.left == 0 {
            return Ok(read);
        }
        self.left -= 1;
        let body = "x".repeat(4 << 20);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.payload = Cursor::new(format!("1 id{} 1 0\n{head}{body}{SEPARATOR}", self.left).into_bytes());
        self.payload.read(out)
    }
}

#[test]
fn long_requests_without_answers_are_not_all_held() {
    let reader = Unanswered {
        left: 40,
        payload: Cursor::default(),
    };
    let files: Vec<(String, Box<dyn std::io::Read + Send>)> = vec![("a.gor".to_owned(), Box::new(reader))];
    let mut gor = Gor::new(files, settings(), &Arc::default());
    let (mut given, mut before_the_end) = (0, 0);
    while gor.read(&mut |_| given += 1).unwrap().is_some() {
        before_the_end = before_the_end.max(if given < 40 { given } else { before_the_end });
    }
    // 160 MiB in total; 128 MiB of it may wait.
    assert_eq!(given, 40);
    assert!(
        before_the_end >= 8,
        "{before_the_end} were given before the file ended"
    );
}

const ARCHIVE: &str = r#"{"log":{"entries":[
  {"startedDateTime":"2026-01-01T11:00:01.5+01:00","time":12,
   "request":{"method":"POST","url":"https://user:pw@h:81/a?b=c#d","headers":[{"name":":authority","value":"x"},
     {"name":"Content-Length","value":"4"}],"postData":{"mimeType":"t","text":"body"}},
   "response":{"status":201,"statusText":"Created","headers":[{"name":"Content-Encoding","value":"gzip"},{"name":"ETag","value":"e"}],
     "content":{"size":2,"text":"aGk=","encoding":"base64"}},"timings":{"send":0,"wait":10,"receive":2}},
  {"startedDateTime":"2026-01-01T10:00:00Z","time":1,
   "request":{"method":"GET","url":"http://h","headers":[]},
   "response":{"status":200,"headers":[],"content":{"size":10}}},
  {"startedDateTime":"2026-01-01T10:00:02Z",
   "request":{"method":"GET","url":"http://h/gone","headers":[]},
   "response":{"status":0,"headers":[],"content":{"size":0}}}]}}"#;

#[test]
fn an_archive_is_read_in_order_of_time() {
    let found = all(&mut har(ARCHIVE).unwrap()).unwrap();
    let rows: Vec<_> = found.iter().map(state).collect();
    assert_eq!(
        rows,
        [
            (
                "/".to_owned(),
                Some(200),
                String::new(),
                Some(Incomplete::ResponseGap)
            ),
            ("/a?b=c".to_owned(), Some(201), "hi".to_owned(), None),
            (
                "/gone".to_owned(),
                None,
                String::new(),
                Some(Incomplete::NoResponse)
            ),
        ]
    );
    let Exchange {
        request,
        response,
        timing,
        ..
    } = &found[1];
    let fields: Vec<_> = request.headers.iter().collect();
    assert_eq!(fields, [(&b"Host"[..], &b"x"[..]), (b"Content-Length", b"4")]);
    let response = response.as_ref().unwrap();
    assert_eq!(response.headers.get("content-encoding"), None);
    assert_eq!(response.headers.get("etag"), Some(&b"e"[..]));
    // 2026-01-01T10:00:01.5Z
    let at = timing.request_first.unwrap();
    assert_eq!(at.as_nanos(), 1_767_261_601_500_000_000);
    assert_eq!(
        timing.response_first.unwrap().since(at),
        Duration::from_millis(10)
    );
    assert_eq!(timing.response_last.unwrap().since(at), Duration::from_millis(12));
}

/// As Chromium, Firefox and Safari write them, with their omissions.
#[test]
fn what_exporters_leave_out_is_unknown() {
    let archive = r#"{"log":{"version":"1.2","creator":{"name":"x"},"pages":[],"entries":[
      {"_initiator":{"type":"other"},"_priority":"High","cache":{},"connection":"443","pageref":"page_1","time":null,
       "startedDateTime":"2026-01-01T10:00:00.123Z","serverIPAddress":"[::1]",
       "request":{"method":"GET","url":"https://h/a","httpVersion":"h3","headers":[{"name":":path","value":"/a"},{"name":"x","value":null}],
         "queryString":[],"cookies":[],"headersSize":-1,"bodySize":0},
       "response":{"status":200,"statusText":"","httpVersion":"h3","headers":[{"name":"content-length","value":"5"}],"cookies":[],
         "content":{"size":5,"mimeType":"text/plain","text":"aGVsbG8=","encoding":"base64"},"redirectURL":"","bodySize":-1,
         "_transferSize":90,"_error":null},
       "timings":{"blocked":-1,"dns":-1,"ssl":-1,"connect":-1,"send":0.1,"wait":5.5,"receive":-1,"_workerReady":-1}},
      {"startedDateTime":"","request":{"method":"GET","url":"https://h/evicted","headers":null},
       "response":{"status":200,"headers":[{"name":"Content-Length","value":"162"}],"content":{"size":0}},"timings":null},
      {"request":{"method":"GET","url":"https://h/pending"},"response":{},"time":1},
      {"request":{"method":"GET","url":"https://h/blocked"},"response":{"status":-1,"content":null}},
      {"request":{"method":"GET","url":"https://h/unknown"},"response":{"status":200}},
      {"request":{"method":"HEAD","url":"https://h/head"},"response":{"status":200,"headers":[{"name":"content-length","value":"9"}]}},
      {"request":{"method":"GET","url":"https://h/none"},"response":{"status":200,"content":{"size":0},"bodySize":0}},
      {"request":{"method":"GET","url":"data:image/png;base64,AAAA"},"response":{"status":200,"content":{"size":3,"text":"abc"}}}]}}"#;
    let found = all(&mut har(archive).unwrap()).unwrap();
    let rows: Vec<_> = found
        .iter()
        .map(state)
        .map(|(path, status, _, why)| (path, status, why))
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(path, status, why)| (&**path, *status, *why))
        .collect();
    assert_eq!(
        rows,
        [
            ("/a", Some(200), None),
            ("/evicted", Some(200), Some(Incomplete::ResponseGap)),
            ("/pending", None, Some(Incomplete::NoResponse)),
            ("/blocked", None, Some(Incomplete::NoResponse)),
            ("/unknown", Some(200), Some(Incomplete::ResponseGap)),
            ("/head", Some(200), None),
            ("/none", Some(200), None),
        ]
    );
    let first = found.iter().map(|exchange| exchange.timing.request_first);
    assert!(first.clone().all(|at| at == found[0].timing.request_first));
}

/// Entries of one archive: the tested one, beside an ordinary one.
fn entries(request: &str, response: &str) -> (Vec<Exchange>, Arc<FeedState>) {
    let ordinary = r#"{"request":{"method":"GET","url":"http://h/ok"},"response":{"status":200,"content":{"size":0},"bodySize":0}}"#;
    let text =
        format!(r#"{{"log":{{"entries":[{{"request":{request},"response":{response}}},{ordinary}]}}}}"#);
    let state = Arc::new(FeedState::default());
    let found = all(&mut har_told(&text, &state).unwrap()).unwrap();
    assert_eq!(
        found.last().map(|last| self::state(last).0),
        Some("/ok".to_owned()),
        "{text}"
    );
    (found, state)
}

const ANSWER: &str = r#"{"status":200,"content":{"size":2,"text":"ok"}}"#;

#[test]
#[expect(clippy::too_many_lines, reason = "a row for each case")]
fn a_request_is_sent_as_production_received_it_or_not_at_all() {
    let form = r#""headers":[{"name":"Content-Type","value":"application/x-www-form-urlencoded"}]"#;
    let multipart = |length: usize| {
        format!(
            r#""headers":[{{"name":"Content-Type","value":"multipart/form-data; boundary=b"}},{{"name":"Content-Length","value":"{length}"}}]"#
        )
    };
    let altered = Err(Incomplete::BodyAltered);
    let unsaved = Err(Incomplete::BodyNotSaved);
    let parts = "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--b--\r\n";
    for (members, expected) in [
        (r#""bodySize":500"#.to_owned(), unsaved),
        (r#""bodySize":-1"#.to_owned(), unsaved),
        (r#""bodySize":0"#.to_owned(), Ok("")),
        (
            r#""bodySize":0,"postData":{"mimeType":"text/plain","params":[]}"#.to_owned(),
            unsaved,
        ),
        (
            r#""bodySize":0,"postData":{"mimeType":"text/plain","text":""}"#.to_owned(),
            Ok(""),
        ),
        (r#""bodySize":0,"postData":{"mimeType":""}"#.to_owned(), Ok("")),
        (
            r#""headers":[{"name":"content-length","value":"0"}]"#.to_owned(),
            Ok(""),
        ),
        (
            r#""headers":[{"name":"Transfer-Encoding","value":"chunked"}],"bodySize":0"#.to_owned(),
            unsaved,
        ),
        (
            r#""headers":{"Content-Length":5},"postData":{"text":""}"#.to_owned(),
            unsaved,
        ),
        (
            r#""headers":[{"name":"Content-Length","value":5}],"postData":{"text":"hello"}"#.to_owned(),
            Ok("hello"),
        ),
        (
            r#""headers":[{"name":"Content-Length","value":"9"}],"postData":{"text":"hello"}"#.to_owned(),
            altered,
        ),
        (
            r#""bodySize":900,"postData":{"text":"cut off"}"#.to_owned(),
            altered,
        ),
        (
            r#""postData":{"text":"aGVsbG8","encoding":"BASE64"}"#.to_owned(),
            Ok("hello"),
        ),
        (r#""postData":{"text":"a","encoding":"hex"}"#.to_owned(), altered),
        (r#""postData":{"text":{"a":1}}"#.to_owned(), altered),
        (r#""postData":{"_file":"../x"}"#.to_owned(), unsaved),
        (
            format!(r#"{form},"postData":{{"params":[{{"name":"a","value":"1 %"}},{{"name":"b"}}]}}"#),
            Ok("a=1+%25&b="),
        ),
        (
            format!(r#"{form},"bodySize":6,"postData":{{"params":[{{"name":"a","value":"1%20"}}]}}"#),
            Ok("a=1%20"),
        ),
        (
            format!(r#"{form},"postData":{{"params":[{{"name":"a","value":"1+2"}}]}}"#),
            altered,
        ),
        (
            format!(
                r#"{},"postData":{{"params":[{{"name":"n","value":"1"}}]}}"#,
                multipart(parts.len())
            ),
            Ok(parts),
        ),
        (
            format!(
                r#"{},"postData":{{"params":[{{"name":"n","value":"1"}}]}}"#,
                multipart(parts.len() + 1)
            ),
            unsaved,
        ),
        (
            format!(
                r#"{},"postData":{{"params":[{{"name":"f","fileName":"x.bin"}}]}}"#,
                multipart(284)
            ),
            unsaved,
        ),
    ] {
        let (found, state) = entries(
            &format!(r#"{{"method":"post","url":"http://h/up",{members}}}"#),
            ANSWER,
        );
        let exchange = &found[0];
        let body = || str::from_utf8(&exchange.request.body.kept).unwrap();
        let made = exchange.incomplete.map_or_else(|| Ok(body()), Err);
        assert_eq!(made, expected, "{members}");
        assert_eq!(&*exchange.request.method, b"POST");
        if let Err(reason) = expected {
            let (count, place) = noted(&state, reason.as_str());
            assert_eq!((count, &*place), (1, "a.har: entry 0 at byte 19"), "{members}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a row for each case")]
fn a_response_is_what_production_sent_or_not_compared() {
    let gap = Err(Incomplete::ResponseGap);
    let altered = Err(Incomplete::BodyAltered);
    for (method, members, expected) in [
        ("GET", r#""status":"200 OK","content":{"text":"a"}"#, Ok("a")),
        ("GET", r#""status":200.0,"content":{"text":7}"#, Ok("7")),
        ("GET", r#""status":200,"content":"plain""#, Ok("plain")),
        (
            "GET",
            r#""status":200,"content":{"text":"a","size":"x"},"headers":null"#,
            Ok("a"),
        ),
        (
            "GET",
            r#""status":0,"content":{"text":""}"#,
            Err(Incomplete::NoResponse),
        ),
        ("GET", r#""status":null"#, Err(Incomplete::NoResponse)),
        (
            "GET",
            r#""status":99999,"content":{"text":"a"}"#,
            Err(Incomplete::NoResponse),
        ),
        (
            "GET",
            r#""status":304,"content":{"size":9,"text":"cached"}"#,
            Ok(""),
        ),
        ("GET", r#""status":204,"content":{"size":-1}"#, Ok("")),
        ("HEAD", r#""status":200,"content":{"size":9,"text":"x"}"#, Ok("")),
        ("GET", r#""status":200,"content":{"size":0,"text":""}"#, Ok("")),
        ("GET", r#""status":200,"content":{"size":9,"text":""}"#, gap),
        (
            "GET",
            r#""status":200,"content":{"size":900,"text":"cut off"}"#,
            gap,
        ),
        ("GET", r#""status":200,"content":{"_file":"nowhere"}"#, gap),
        (
            "GET",
            r#""status":200,"content":{"text":"%%%","encoding":"base64"}"#,
            altered,
        ),
        (
            "GET",
            r#""status":200,"content":{"text":"aGk\n=","encoding":"base64"}"#,
            Ok("hi"),
        ),
        (
            "GET",
            r#""status":200,"content":{"text":"aGkh","size":3}"#,
            Ok("hi!"),
        ),
        (
            "GET",
            r#""status":200,"content":{"text":"aGkh","size":4}"#,
            Ok("aGkh"),
        ),
        (
            "GET",
            r#""status":200,"content":{"text":"data:text/plain;base64,aGkh","encoding":"base64"}"#,
            Ok("hi!"),
        ),
        ("GET", r#""status":200,"content":{"text":"\ud83d x"}"#, altered),
        (
            "GET",
            r#""status":200,"content":{"text":"\ud83d\ude00 \\ud83d"}"#,
            Ok("\u{1f600} \\ud83d"),
        ),
        ("GET", r#""status":200,"content":{"text":[1]}"#, altered),
        (
            "GET",
            r#""status":200,"headers":[{"name":"Content-Length","value":"6"}],"content":{"text":"hi"}"#,
            altered,
        ),
        (
            "GET",
            r#""status":200,"headers":{"Content-Encoding":"br","Content-Length":"5"},"content":{"text":"hi"}"#,
            Ok("hi"),
        ),
    ] {
        let request = format!(r#"{{"method":"{method}","url":"http://h/a"}}"#);
        let (found, _) = entries(&request, &format!("{{{members}}}"));
        let exchange = &found[0];
        let body = || str::from_utf8(&exchange.response.as_ref().unwrap().body.kept).unwrap();
        assert_eq!(
            exchange.incomplete.map_or_else(|| Ok(body()), Err),
            expected,
            "{members}"
        );
    }
}

#[test]
fn content_that_is_still_coded_keeps_its_coding() {
    let response = r#"{"status":200,"headers":[{"name":"Content-Encoding","value":"gzip"}],
        "content":{"text":"H4sIAAAAAAAAA8vIBACsKpPYAgAAAA==","encoding":"base64"}}"#;
    let (found, _) = entries(r#"{"method":"GET","url":"http://h/a"}"#, response);
    let response = found[0].response.as_ref().unwrap();
    assert_eq!(response.headers.get("content-encoding"), Some(&b"gzip"[..]));
}

#[test]
fn what_asked_no_server_is_counted_aside() {
    for (request, more, reason) in [
        (
            r#"{"method":"GET","url":"data:image/png;base64,AAAA"}"#,
            "",
            "not_http",
        ),
        (r#"{"method":"GET","url":"blob:http://h/1"}"#, "", "not_http"),
        (
            r#"{"method":"GET","url":"http://h/a"}"#,
            r#","_fromCache":"disk""#,
            "from_cache",
        ),
        (
            r#"{"method":"GET","url":"http://h/a"}"#,
            r#","_wasFulfilled":true"#,
            "from_cache",
        ),
        (
            r#"{"method":"GET","url":"http://h/a"}"#,
            r#","response":{"status":307,"headers":[{"name":"Non-Authoritative-Reason","value":"HSTS"}]}"#,
            "from_cache",
        ),
    ] {
        let (found, state) = entries(request, &format!("{ANSWER}{more}"));
        assert_eq!(found.len(), 1, "{request}");
        assert_eq!(
            noted(&state, reason),
            (1, "a.har: entry 0 at byte 19".to_owned()),
            "{request}"
        );
    }
}

#[test]
fn an_answer_that_playwright_took_from_the_cache_asked_no_server() {
    let request = r#"{"method":"GET","url":"http://h/a"}"#;
    for (size, aside) in [("-116", 1), ("-1", 0), ("0", 0), ("12", 0)] {
        let response = ANSWER.replacen("\"status\"", &format!("\"bodySize\":{size},\"status\""), 1);
        assert_ne!(response, ANSWER);
        let (_, state) = entries(request, &response);
        assert_eq!(noted(&state, "from_cache").0, aside, "{size}");
    }
}

#[test]
fn an_answer_that_a_cache_completed_is_the_304_that_was_sent() {
    let conditional =
        r#"{"method":"GET","url":"http://h/a","headers":[{"name":"If-None-Match","value":"\"1\""}]}"#;
    let plain = r#"{"method":"GET","url":"http://h/a"}"#;
    let answer = |fields: &str, sent: u64| {
        format!(
            r#"{{"status":200,"statusText":"OK","headers":[{fields}{{"name":"ETag","value":"\"1\""}}],"bodySize":{sent},"content":{{"size":2,"mimeType":"application/json","text":"{{}}"}}}}"#
        )
    };
    let with_type = answer(r#"{"name":"Content-Type","value":"application/json"},"#, 0);
    for (request, response, expected) in [
        (conditional, &answer("", 0), (304, 0)),
        (plain, &answer("", 0), (200, 2)),
        (conditional, &answer("", 2), (200, 2)),
        (conditional, &with_type, (200, 2)),
    ] {
        let (found, _) = entries(request, response);
        let made = found[0].response.as_ref().unwrap();
        assert_eq!((made.status, made.body.len), expected, "{request} {response}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_a_record_without_a_verdict() {
    for request in [
        "null",
        "7",
        "{}",
        r#"{"method":"GET"}"#,
        r#"{"method":"A B","url":"http://h/"}"#,
        r#"{"method":"\q"}"#,
    ] {
        let (found, state) = entries(request, ANSWER);
        assert_eq!(found[0].incomplete, Some(Incomplete::BadRecord), "{request}");
        assert_eq!(noted(&state, "bad_record").0, 1, "{request}");
    }
}

#[test]
fn fields_that_http2_or_a_recorder_splits_and_joins() {
    let request = r#"{"method":"GET","url":"http://h/a","httpVersion":"h2","cookies":[{"name":"z","value":"9"}],"headers":[
        {"name":":authority","value":"real"},{"name":":path","value":"/a"},{"name":"cookie","value":"a=1"},{"name":"x","value":true},
        {"name":"cookie","value":"b=2"},{"name":"list","value":"p\nq"},{"name":"","value":"no"},null]}"#;
    let (found, _) = entries(request, ANSWER);
    let fields: Vec<_> = found[0].request.headers.iter().collect();
    let expected: [(&[u8], &[u8]); 5] = [
        (b"Host", b"real"),
        (b"cookie", b"a=1; b=2"),
        (b"x", b"true"),
        (b"list", b"p"),
        (b"list", b"q"),
    ];
    assert_eq!(fields, expected);
    let listed = r#"{"method":"GET","url":"http://h/a","cookies":[{"name":"y","value":"8"},{"name":"z","value":"9"}]}"#;
    let (found, _) = entries(listed, ANSWER);
    assert_eq!(found[0].request.headers.get("cookie"), Some(&b"y=8; z=9"[..]));
}

#[test]
fn json_of_a_writer_that_is_not_strict_is_read() {
    let answer = "{\"status\":200,\"content\":{\"text\":\"a\tb NaN\"}},\"time\":NaN,\"x\":-Infinity";
    let (found, state) = entries(r#"{"method":"GET","url":"http://h/a"}"#, answer);
    assert_eq!(noted(&state, "bad_record").0, 0);
    assert_eq!(*found[0].response.as_ref().unwrap().body.kept, *b"a\tb NaN");
}

#[test]
fn a_recorder_that_saved_no_fields_still_knows_the_media_type() {
    for (headers, expected) in [("[]", Some(&b"text/csv"[..])), (r#"{"X":"y"}"#, None)] {
        let answer =
            format!(r#"{{"status":200,"headers":{headers},"content":{{"mimeType":"text/csv","text":"a"}}}}"#);
        let (found, _) = entries(r#"{"method":"GET","url":"http://h/a"}"#, &answer);
        let response = found[0].response.as_ref().unwrap();
        assert_eq!(response.headers.get("content-type"), expected, "{headers}");
    }
}

#[test]
fn archives_that_were_joined_are_read_one_after_the_other() {
    let one = |target: &str| {
        format!(r#"{{"log":{{"entries":[{{"request":{{"method":"GET","url":"http://h{target}"}}}}]}}}}"#)
    };
    let found = all(&mut har(&format!("{}\n{}\n", one("/a"), one("/b"))).unwrap()).unwrap();
    let targets: Vec<_> = found.iter().map(|exchange| state(exchange).0).collect();
    assert_eq!(targets, ["/a", "/b"]);
}

#[test]
fn an_archive_that_is_cut_off_is_used_up_to_there() {
    let state = Arc::new(FeedState::default());
    let text = ARCHIVE.split_at(ARCHIVE.find("http://h/gone").unwrap()).0;
    let found = all(&mut har_told(text, &state).unwrap()).unwrap();
    assert_eq!(found.len(), 2);
    let place = format!("a.har: the file ends at byte {}, within the archive", text.len());
    assert_eq!(noted(&state, "damaged"), (1, place));
}

#[test]
fn speeds() {
    assert_eq!("max".parse(), Ok(Speed::Max));
    assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
    for bad in ["", "x", "1", "0x", "-1x", "infx", "nanx", "fast"] {
        let error = bad.parse::<Speed>().unwrap_err();
        assert!(error.contains("0.5x"), "{error}");
    }
}

#[test]
fn gaps_are_kept_and_scaled() {
    let now = Instant::now();
    let at = |millis: u64| Timestamp::from_nanos((5_000 + millis) * 1_000_000);
    let mut pace = Pace::new(Speed::Times(2.0), None);
    assert_eq!(pace.due(at(0), now), Some(now));
    assert_eq!(pace.due(at(100), now), Some(now + Duration::from_millis(50)));
    // A request that began earlier is late, not early.
    assert_eq!(pace.due(Timestamp::from_nanos(1), now), Some(now));
    let mut pace = Pace::new(Speed::Max, None);
    assert_eq!(pace.due(at(100), now), None);
    let mut pace = Pace::new(Speed::Times(1.0), Some(100.0));
    assert_eq!(pace.due(at(0), now), Some(now));
    pace.replayed(1);
    assert_eq!(pace.due(at(9_999), now), Some(now + Duration::from_millis(10)));
}

fn feed(texts: &'static [&'static str], loops: u64, skip: u64) -> (Files, Arc<FeedState>) {
    let state = Arc::new(FeedState::default());
    let open = move || {
        let reader = |text: &&'static str| -> Box<dyn Reader> { Box::new(gors(&[text], &Arc::default())) };
        Ok(texts.iter().map(reader).collect())
    };
    let pace = Pace::new(Speed::Max, None);
    (
        Files::new(Box::new(open), loops, pace, skip, Arc::clone(&state)),
        state,
    )
}

fn targets(feed: &mut Files) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        match feed.next(Duration::ZERO).unwrap() {
            Fed::Exchange(exchange) => {
                found.push(String::from_utf8_lossy(&exchange.request.target).into_owned());
            }
            Fed::Idle => {}
            Fed::End => return found,
        }
    }
}

#[test]
fn files_are_merged_by_the_time_of_the_request_and_looped() {
    let texts: &'static [&'static str] = Box::leak(Box::new([
        &*Box::leak(
            (request("a", 10, "/1") + &request("b", 30, "/3") + &response("a", 90, "x")).into_boxed_str(),
        ),
        &*Box::leak((request("c", 20, "/2") + &response("c", 25, "x")).into_boxed_str()),
    ]));
    let (mut one, state) = feed(texts, 1, 0);
    assert_eq!(targets(&mut one), ["/1", "/2", "/3"]);
    assert_eq!(state.done(), 3);
    let (mut twice, _) = feed(texts, 2, 0);
    assert_eq!(targets(&mut twice), ["/1", "/2", "/3", "/1", "/2", "/3"]);
    let (mut resumed, state) = feed(texts, 2, 4);
    assert_eq!(state.done(), 4);
    assert_eq!(targets(&mut resumed), ["/2", "/3"]);
    assert_eq!(state.done(), 6);
}

#[test]
fn what_somebody_still_holds_is_not_done() {
    let texts: &'static [&'static str] = Box::leak(Box::new([&*Box::leak(
        (request("a", 10, "/1") + &request("b", 30, "/2")).into_boxed_str(),
    )]));
    let (mut feed, state) = feed(texts, 1, 0);
    let Fed::Exchange(first) = feed.next(Duration::ZERO).unwrap() else {
        panic!("no first exchange");
    };
    let Fed::Exchange(second) = feed.next(Duration::ZERO).unwrap() else {
        panic!("no second exchange");
    };
    drop(second);
    assert_eq!(state.done(), 0);
    drop(first);
    assert_eq!(state.done(), 2);
}

#[test]
fn a_position_belongs_to_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("position");
    let files = vec![("a".into(), 5_u64)];
    let start = Position::read(&path, files.clone()).unwrap();
    assert_eq!(start, Position::start(files.clone()));
    let later = Position { done: 7, ..start };
    later.write(&path).unwrap();
    assert_eq!(Position::read(&path, files).unwrap(), later);
    let error = Position::read(&path, vec![("a".into(), 6)])
        .unwrap_err()
        .to_string();
    assert!(error.contains("belongs to other files"), "{error}");
    std::fs::write(&path, "x").unwrap();
    let error = Position::read(&path, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("is no position"), "{error}");
}
