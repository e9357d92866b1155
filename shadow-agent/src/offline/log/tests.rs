use std::io::Cursor;

use shadow_proto::exchange::Incomplete;

use super::{super::open, *};

/// Reads a log in the detected format.
fn read(text: &[u8], settings: LogSettings) -> (Vec<Exchange>, Arc<FeedState>) {
    let state = Arc::new(FeedState::asked(super::super::Selection::default(), settings));
    let engine = shadow_proto::engine::Settings {
        limits: shadow_proto::limits::Limits::default(),
        digest: true,
        fields: true,
    };
    let reader = Box::new(Cursor::new(text.to_vec()));
    let opened = open::open_reader(std::path::Path::new("a.log"), reader, &engine, &state)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(opened.logs_only);
    let mut found = Vec::new();
    opened
        .read_all(&mut |exchange| {
            found.push(*exchange);
            true
        })
        .unwrap();
    (found, state)
}

/// Format, and of each exchange: method and target, host, status, length, first and last byte in microseconds,
/// redirect.
fn shown(text: &[u8]) -> (String, Vec<String>) {
    let (found, state) = read(text, LogSettings::default());
    let format = state.notes.noted().files.first().unwrap().format.clone();
    let lines = found.iter().map(line).collect();
    (format.replace("access log, ", ""), lines)
}

fn line(exchange: &Exchange) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let request = &exchange.request;
    let field = |name| request.headers.get(name).map_or_else(|| "-".to_owned(), text);
    let response = exchange.response.as_ref();
    let since = |at: Option<Timestamp>| {
        let began = exchange.timing.request_last.unwrap();
        at.map_or_else(|| "-".to_owned(), |at| at.since(began).as_micros().to_string())
    };
    let length = response.map(|response| (response.body.missing == 0).then_some(response.body.len));
    format!(
        "{} {} {} {:?} {:?} {}/{} {}{}",
        text(&request.method),
        text(&request.target),
        field("host"),
        response.map(|response| response.status).unwrap_or_default(),
        length.flatten(),
        since(exchange.timing.response_first),
        since(exchange.timing.response_last),
        response
            .and_then(|response| response.headers.get("location"))
            .map_or_else(|| "-".to_owned(), text),
        exchange
            .incomplete
            .map_or_else(String::new, |reason| format!(" {}", reason.as_str())),
    )
}

fn lines(text: &str) -> Vec<u8> {
    text.replace("        ", "").trim_start().as_bytes().to_vec()
}

#[test]
fn nginx_and_apache_escape_differently() {
    let nginx = lines(
        r#"
        127.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8 "http://x/y?a=1" "curl \x22q\x22 \x5C \xC3\xA9"
        127.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /q?x=\x22a\x22&y=<b>&z=\x5Cn HTTP/1.1" 200 25 "-" "-"
        127.0.0.1 - Jo Doe [30/Nov/2026:00:18:31 +0000] "GET /caf\xC3\xA9?n=\xE9 HTTP/1.1" 404 16 "-" "-"
        127.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /sp ace HTTP/1.1" 400 157 "-" "-"
        127.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "\x16\x03\x01\x02\x00\x01\x00" 400 157 "-" "-"
        127.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "POST /a HTTP/1.1" 499 0 "-" "-"
        "#,
    );
    let (format, found) = shown(&nginx);
    assert_eq!(format, "combined");
    assert_eq!(
        found,
        [
            r"GET /a - 200 Some(8) -/0 -",
            r#"GET /q?x=\"a\"&y=<b>&z=\\n - 200 Some(25) -/0 -"#,
            r"GET /caf\xc3\xa9?n=\xe9 - 404 Some(16) -/0 -",
            r"GET /sp ace - 400 Some(157) -/0 -",
            r"POST /a - 499 Some(0) -/0 - response_cut",
        ]
    );
    let (exchanges, state) = read(&nginx, LogSettings::default());
    let fields: Vec<_> = exchanges[0].request.headers.iter().collect();
    assert_eq!(
        fields,
        [
            (&b"Referer"[..], &b"http://x/y?a=1"[..]),
            (b"User-Agent", "curl \"q\" \\ é".as_bytes())
        ]
    );
    let notes = state.notes.noted();
    assert_eq!(notes.notes["not_http"].first, ["a.log: line 5"]);
    assert_eq!(notes.files[0].records, 6);

    let apache = lines(
        r#"
        shop.example:80 127.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 6 "http://x/y?a=1" "curl \"q\" \\ \xc3\xa9"
        shop.example:8080 ::1 - - [30/Nov/2026:00:18:31 +0000] "GET /q?x=\"a\"&z=\\n&w=\\\" HTTP/1.1" 404 236 "-" "-"
        [::1]:80 ::1 - - [30/Nov/2026:00:18:31 +0000] "GET /moved HTTP/1.0" 302 -
        "#,
    );
    let (format, found) = shown(&apache);
    assert_eq!(format, "combined");
    assert_eq!(
        found,
        [
            r"GET /a shop.example 200 Some(6) -/0 -",
            r#"GET /q?x=\"a\"&z=\\n&w=\\\" shop.example:8080 404 Some(236) -/0 -"#,
            r"GET /moved [::1] 302 Some(0) -/0 -",
        ]
    );
}

#[test]
fn times_after_the_user_agent_are_read() {
    let timed = lines(
        r#"
        2001:db8::1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/2.0" 200 8 "-" "-" rt=0.120 uht="0.050" urt="0.110"
        2001:db8::1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8 "-" "-" "10.0.0.1" 0.250
        2001:db8::1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8 "-" "-" 1234
        "#,
    );
    let (_, found) = shown(&timed);
    assert_eq!(
        found,
        [
            "GET /a - 200 Some(8) 50000/120000 -",
            "GET /a - 200 Some(8) 250000/250000 -",
            // Seconds, milliseconds and microseconds are written as a bare number: it says nothing.
            "GET /a - 200 Some(8) -/0 -",
        ]
    );
    let traefik = lines(
        r#"
        10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8 "-" "curl/8" 1 "web@docker" "http://10.0.0.2:80" 12ms
        10.0.0.1 - - [30/Nov/2026:00:18:32 +0000] "GET /b HTTP/1.1" 404 19 "-" "-" 2 "-" "-" 0ms
        "#,
    );
    let (format, found) = shown(&traefik);
    assert_eq!(format, "traefik");
    assert_eq!(
        found,
        [
            "GET /a - 200 Some(8) 12000/12000 -",
            "GET /b - 404 Some(19) 0/0 -"
        ]
    );
}

#[test]
fn the_objects_of_caddy() {
    let caddy = lines(
        r#"
        {"level":"info","ts":1795997911.1040187,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"54690","proto":"HTTP/1.1","method":"GET","host":"shop.example","uri":"/q?x=\"a\"&z=\\n","headers":{"Connection":["close"],"Accept-Encoding":["gzip"],"Cookie":["REDACTED"]}},"user_id":"","duration":0.000314074,"size":25,"status":302,"resp_headers":{"Location":["/new"]}}
        {"level":"info","ts":1795997911.1051846,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","proto":"HTTP/1.0","method":"GET","host":"","uri":"/old","headers":{}},"duration":0.0000022,"size":0,"status":0,"resp_headers":{"Server":["Caddy"]}}
        {"level":"info","ts":1795997911.102421,"msg":"handled request","request":{"proto":"HTTP/1.1","method":"GET","host":"shop.example","uri":"/café?n=\ufffd","headers":{}},"duration":0.000226124,"size":20,"status":200}
        "#,
    );
    let (format, found) = shown(&caddy);
    assert_eq!(format, "caddy");
    assert_eq!(
        found,
        [
            r#"GET /q?x=\"a\"&z=\\n shop.example 302 Some(25) 314/314 /new"#,
            "GET /old - 200 Some(0) 2/2 -",
            // A byte of the target was replaced in the log.
            "- / - 0 None 226/226 - malformed",
        ]
    );
    let fields = |exchange: &Exchange| {
        exchange
            .request
            .headers
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect::<Vec<_>>()
    };
    let exchanges = read(&caddy, LogSettings::default()).0;
    assert_eq!(fields(&exchanges[0]), ["Host", "Accept-Encoding", "Connection"]);
}

#[test]
fn the_objects_of_envoy_traefik_and_nginx() {
    let envoy = lines(
        r#"
        {"authority":"shop.example","bytes_received":0,"bytes_sent":8,"duration":4,"method":"GET","path":"/a","protocol":"HTTP/1.1","response_code":200,"response_flags":"-","start_time":"2026-11-30T00:19:05.656Z","upstream_service_time":"3","user_agent":"curl \"q\" \\ é"}
        {"authority":null,"bytes_received":0,"bytes_sent":11,"duration":0,"method":null,"path":null,"protocol":"HTTP/1.1","response_code":400,"response_flags":"DPE","start_time":"2026-11-30T00:19:05.662Z","upstream_service_time":null,"user_agent":null}
        {"authority":"shop.example","bytes_received":0,"bytes_sent":8,"duration":4,"method":"GET","path":"/a","protocol":"HTTP/2","response_code":200,"response_flags":"DC","start_time":"2026-11-30T00:19:05.656Z"}
        "#,
    );
    let (format, found) = shown(&envoy);
    assert_eq!(format, "envoy");
    assert_eq!(found[0], "GET /a shop.example 200 Some(8) 3000/4000 -");
    assert!(found.last().unwrap().ends_with("response_cut"), "{found:?}");

    let traefik = lines(
        r#"
        {"ClientHost":"10.0.0.1","DownstreamContentSize":8,"DownstreamStatus":302,"Duration":1234567,"RequestAddr":"shop.example","RequestHost":"shop.example","RequestMethod":"GET","RequestPath":"/a?b=1","RequestProtocol":"HTTP/1.1","StartUTC":"2026-11-30T00:19:05.656789Z","downstream_Location":"/new","request_User-Agent":"curl/8","level":"info","msg":"","time":"2026-11-30T00:19:05Z"}
        "#,
    );
    let (format, found) = shown(&traefik);
    assert_eq!(format, "traefik");
    assert_eq!(found, ["GET /a?b=1 shop.example 302 Some(8) 1234/1234 /new"]);

    let mut nginx = lines(
        r#"
        {"time":"2026-11-30T00:18:31+00:00","remote_addr":"127.0.0.1","request":"GET /q?x=\"a\"&z=\\n HTTP/1.1","status":200,"body_bytes_sent":25,"request_time":0.002,"http_host":"shop.example","http_user_agent":""}
        {"time":"2026-11-30T00:18:31+00:00","remote_addr":"127.0.0.1","request_method":"GET","uri":"/a","args":"b=1","status":"404","body_bytes_sent":"5"}
        "#,
    );
    nginx.extend_from_slice(b"{\"request\":\"GET /caf\xe9 HTTP/1.1\",\"status\":200}\n");
    let (format, found) = shown(&nginx);
    assert_eq!(format, "json");
    assert_eq!(
        found,
        [
            r#"GET /q?x=\"a\"&z=\\n shop.example 200 Some(25) 2000/2000 -"#,
            "GET /a?b=1 - 404 Some(5) -/0 -",
            r"GET /caf\xe9 - 200 None -/0 -",
        ]
    );
}

#[test]
fn the_texts_of_proxies() {
    let envoy = lines(
        r#"
        [2026-11-30T00:19:05.656Z] "GET /a HTTP/1.1" 200 - 0 8 4 3 "-" "curl/8" "28fbd97e" "shop.example" "127.0.0.1:18081"
        [2026-11-30T00:19:05.656Z] "GET /b HTTP/1.1" 200 - 0 8 4 3 "-" "curl "q" \ é" "28fbd97e" "shop.example" "127.0.0.1:18081"
        [2026-11-30T00:19:05.661Z] "GET /q?x="a"&y=<b>&z=\n HTTP/1.1" 503 UF 0 25 0 - "-" "-" "55bde277" "shop.example" "127.0.0.1:18081"
        [2026-11-30T00:19:05.662Z] "- - HTTP/1.1" 400 DPE 0 11 0 - "-" "-" "-" "-" "-"
        [2026-11-30T00:19:05.662Z] "GET /c HTTP/2" 0 DC 0 0 9 - "-" "-" "-" "shop.example" "-"
        [2026-11-30T00:19:05.662Z] "GET /d HTTP/1.1" 200 - via_upstream - "-" 0 1234 5 4 "-" "curl/8" "id" "shop.example" "10.0.0.1:80" outbound|80 10.0.0.2:1 10.0.0.3:80 10.0.0.4:2 - default
        "#,
    );
    let (format, found) = shown(&envoy);
    assert_eq!(format, "envoy");
    assert_eq!(
        found,
        [
            "GET /a shop.example 200 Some(8) 3000/4000 -",
            "GET /b shop.example 200 Some(8) 3000/4000 -",
            r#"GET /q?x=\"a\"&y=<b>&z=\\n shop.example 503 Some(25) 0/0 -"#,
            "GET /c shop.example 0 None 9000/9000 - no_response",
            "GET /d shop.example 200 Some(1234) 4000/5000 -",
        ]
    );
    let haproxy = lines(
        r#"
        127.0.0.1:35180 [30/Nov/2026:00:18:31.097] f b/s 0/0/0/3/5 200 130 - - ---- 1/1/0/0/0 0/0 {shop.example} "GET /a HTTP/1.1"
        Nov 30 00:18:31 lb haproxy[143]: 127.0.0.1:35192 [30/Nov/2026:00:18:31.097] f~ b/s 0/0/0/0/0 200 148 - - ---- 1/1/0/0/0 0/0 "GET /q?x=#22a#22&h=#23&z=\n HTTP/1.1"
        127.0.0.1:35192 [30/Nov/2026:00:18:31.097] f~ b/s 0/0/0/0/0 200 148 - - ---- 1/1/0/0/0 0/0 "GET http://shop.example/h2?x=1 HTTP/2.0"
        127.0.0.1:35192 [30/Nov/2026:00:18:31.097] f~ b/s 0/0/0/0/0 200 148 - - ---- 1/1/0/0/0 0/0 "GET /cut?x=word+wo
        127.0.0.1:35208 [30/Nov/2026:00:18:31.097] f f/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"
        127.0.0.1:35208 [30/Nov/2026:00:18:31.097] f b/s 0/0/0/-1/+9 -1 0 - - CH-- 1/1/0/0/0 0/0 "GET /gone HTTP/1.1"
        127.0.0.1:35208 [30/Nov/2026:00:18:31.097] f b/s 0/0/0/4/9 200 10 - - CD-- 1/1/0/0/0 0/0 "GET /cut HTTP/1.1"
        "#,
    );
    let (format, found) = shown(&haproxy);
    assert_eq!(format, "haproxy");
    assert_eq!(
        found,
        [
            "GET /a - 200 None 3000/5000 -",
            r#"GET /q?x=\"a\"&h=#&z=\\n - 200 None 0/0 -"#,
            "GET /h2?x=1 shop.example 200 None 0/0 -",
            "- / - 0 None -/- - bad_record",
            "GET /gone - 0 None -/0 - no_response",
            "GET /cut - 200 None 4000/9000 - response_cut",
        ]
    );
}

#[test]
fn the_text_of_a_load_balancer() {
    let alb = lines(
        r#"
        http 2026-11-30T00:18:31.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://shop.example:80/a?b=1 HTTP/1.1" "curl/7.46.0" - - arn:aws:x "Root=1" "-" "-" 0 2026-11-30T00:18:31.186000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"
        https 2026-11-30T00:18:31.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 - -1 -1 -1 301 - 34 366 "GET https://shop.example:443 HTTP/2.0" "a \x22b\x22" ECDHE TLSv1.2 arn:aws:x "Root=1" "shop.example" "-" 0 2026-11-30T00:18:31.186000Z "redirect" "https://shop.example:443/new" "-" "-" "-" "-" "-"
        http 2026-11-30T00:18:31.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 - -1 -1 -1 400 - 34 366 "- http://lb:80- -" "-" - - - "-" "-" "-" - 2026-11-30T00:18:31.186000Z "-" "-" "-" "-" "-" "-" "-"
        "#,
    );
    let (format, found) = shown(&alb);
    assert_eq!(format, "alb");
    assert_eq!(
        found,
        [
            "GET /a?b=1 shop.example 200 None 1000/1000 -",
            "GET / shop.example 301 None -/0 https://shop.example:443/new",
        ]
    );
}

#[test]
fn an_expression_describes_any_other_format() {
    let format: LogFormat =
        r"regex:^(?P<time>\S+) (?P<status>\d+) (?P<duration_us>\d+) (?P<host>\S+) (?P<request>.*)$"
            .parse()
            .unwrap();
    assert!(format.to_string().starts_with("regex:^"));
    let settings = LogSettings {
        format: Some(format),
        host: Some("other".to_owned()),
    };
    let text = b"2026-11-30T00:00:00Z 200 1500 shop GET /a HTTP/1.1\n2026-11-30T00:00:00Z 404 - - GET /b HTTP/1.1\nno line\n";
    let (found, state) = read(text, settings);
    assert_eq!(line(&found[0]), "GET /a shop 200 None 1500/1500 -");
    assert_eq!(line(&found[2]), "- / - 0 None -/- - bad_record");
    assert_eq!(
        state.notes.noted().notes["bad_record"].first,
        ["a.log: line 2", "a.log: line 3"]
    );
    for (wrong, why) in [
        ("regex:(", "unclosed"),
        ("regex:(?P<status>.)", "(?P<request>"),
        ("regex:(?P<status>.)(?P<request>.)(?P<verb>.)", "\"verb\""),
        ("nginx", "caddy, traefik"),
    ] {
        let error = wrong.parse::<LogFormat>().unwrap_err();
        assert!(error.contains(why), "{wrong}: {error}");
    }
}

#[test]
fn a_host_is_given_to_requests_without_one() {
    let settings = LogSettings {
        format: None,
        host: Some("shop.example".to_owned()),
    };
    let text = br#"10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8
other:8080 10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8
"#;
    let (found, _) = read(text, settings);
    assert_eq!(line(&found[0]), "GET /a shop.example 200 Some(8) -/0 -");
    assert_eq!(line(&found[1]), "GET /a other:8080 200 Some(8) -/0 -");
}

#[test]
fn requests_of_one_second_are_spread_over_it() {
    let mut text = String::new();
    for (second, count) in [(31, 4), (32, 1), (33, 2)] {
        for _ in 0..count {
            let line = format!("10.0.0.1 - - [30/Nov/2026:00:18:{second} +0000] \"GET /a HTTP/1.1\" 200 8\n");
            text.push_str(&line);
        }
    }
    let (found, _) = read(text.as_bytes(), LogSettings::default());
    let first = found[0].timing.request_first.unwrap();
    let after: Vec<u128> = found
        .iter()
        .map(|exchange| exchange.timing.request_first.unwrap().since(first).as_millis())
        .collect();
    assert_eq!(after, [0, 250, 500, 750, 1000, 2000, 2500]);
}

#[test]
fn hostile_lines_are_counted_and_bounded() {
    let good = "10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] \"GET /a HTTP/1.1\" 200 8\r\n";
    let mut text = good.repeat(3).into_bytes();
    text.extend(std::iter::repeat_n(b'x', 1 << 20));
    text.extend_from_slice(b"\n\n   \n\0\xff\n");
    text.extend_from_slice(b"10.0.0.1 - - [yesterday] \"GET /a HTTP/1.1\" 200 8\n");
    text.extend_from_slice(
        b"10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] \"GET /a\" 200 99999999999999999999\n",
    );
    text.extend_from_slice(b"10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] \"GET /last HTTP/1.1\" 200 8");
    let (found, state) = read(&text, LogSettings::default());
    assert_eq!(found.len(), 8);
    let notes = state.notes.noted();
    assert_eq!(notes.notes["bad_record"].count, 4);
    assert_eq!(
        notes.notes["bad_record"].first,
        ["a.log: line 4", "a.log: line 7", "a.log: line 8", "a.log: line 9"]
    );
    assert_eq!(found.last().unwrap().request.target.as_ref(), b"/last");
    assert_eq!(notes.files[0].records, 8);
}

#[test]
fn what_has_content_in_production_is_never_whole_here() {
    let text = br#"10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "PUT /a HTTP/1.1" 200 8
10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a?_method=DELETE HTTP/1.1" 200 8
10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] "GET /a HTTP/1.1" 200 8
"#;
    let (found, _) = read(text, LogSettings::default());
    let whole: Vec<bool> = found
        .iter()
        .map(|exchange| exchange.request.body.is_whole())
        .collect();
    assert_eq!(whole, [false, false, true]);
    assert!(
        found
            .iter()
            .all(|exchange| exchange.incomplete != Some(Incomplete::BodyNotSaved))
    );
}
