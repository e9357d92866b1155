//! Access logs that real servers wrote: a replay to the same server finds no difference, and asks it what production
//! was asked, byte for byte.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use shadow_core::evidence::report::Report;
use shadow_tests::{agent::binary, laws::assert_laws, need, need::find};

/// Requests with quotes, backslashes, bytes above 127, other methods, and one that is no HTTP.
const REQUESTS: [&[u8]; 10] = [
    b"GET /a HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl \"q\" \\ \xc3\xa9\r\nReferer: http://x/y?a=1",
    b"GET /q?x=\"a\"&y=<b>&z=\\n&w=\\x41&v=%22 HTTP/1.1\r\nHost: shop.example",
    b"GET /caf\xc3\xa9?n=\xe9 HTTP/1.1\r\nHost: shop.example",
    b"GET /moved HTTP/1.1\r\nHost: shop.example",
    b"GET /h#frag|{}^` HTTP/1.1\r\nHost: shop.example",
    b"HEAD /a HTTP/1.1\r\nHost: shop.example",
    b"POST /a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0",
    b"\x16\x03\x01\x02",
    b"GET /missing HTTP/1.1\r\nHost: shop.example",
    b"GET /old HTTP/1.0",
];

/// Ends the server with the test.
struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Starts a server whose configuration is written to a file, and waits for it. `log` is where it writes; standard
/// output otherwise.
fn start(directory: &Path, program: &str, args: &[&str], config: impl Fn(u16, &Path) -> String) -> Server {
    let port = free_port();
    let log = directory.join(format!("{program}-{port}.log"));
    let file = directory.join(format!("{program}-{port}.conf"));
    fs::write(&file, config(port, &log)).expect("a configuration");
    let args = args
        .iter()
        .map(|arg| arg.replace("FILE", &file.to_string_lossy()));
    let output = fs::File::create(directory.join(format!("{program}-{port}.out"))).expect("a file");
    let child = Command::new(find(program).expect("the program"))
        .args(args)
        .env("HOME", directory)
        .env("XDG_DATA_HOME", directory)
        .env("XDG_CONFIG_HOME", directory)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let server = Server {
        child,
        address: ([127, 0, 0, 1], port).into(),
        log: if program == "haproxy" {
            directory.join(format!("{program}-{port}.out"))
        } else {
            log
        },
    };
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(server.address).is_err() {
        assert!(Instant::now() < until, "{program} does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    server
}

fn nginx(directory: &Path, format: &str, answer: &str) -> Server {
    let folder = directory.display();
    start(directory, "nginx", &["-c", "FILE"], |port, log| {
        format!(
            r#"daemon off; pid {folder}/{port}.pid; error_log {folder}/{port}.err; worker_processes 1; events {{}}
http {{
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
                   '"$http_user_agent" rt=$request_time';
  log_format object escape=json '{{"time":"$time_iso8601","request":"$request","status":$status,'
    '"body_bytes_sent":$body_bytes_sent,"request_time":$request_time,"http_host":"$http_host",'
    '"http_referer":"$http_referer","http_user_agent":"$http_user_agent"}}';
  server {{
    listen 127.0.0.1:{port}; access_log {} {format};
    location / {{ return 200 "{answer} $request_uri"; }}
    location /moved {{ return 302 /new; }}
    location /missing {{ return 404; }}
  }}
}}"#,
            log.display()
        )
    })
}

fn apache(directory: &Path) -> Server {
    let folder = directory.display();
    start(
        directory,
        "apache2",
        &["-f", "FILE", "-DFOREGROUND"],
        |port, log| {
            format!(
                r#"ServerRoot {folder}
PidFile {folder}/{port}.pid
Listen 127.0.0.1:{port}
ServerName shop.example
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
ErrorLog {folder}/{port}.err
DocumentRoot {folder}/www
LogFormat "%v:%p %h %l %u %t \"%r\" %>s %b \"%{{Referer}}i\" \"%{{User-Agent}}i\"" vhost_combined
CustomLog {} vhost_combined
Redirect /moved http://shop.example/new
HttpProtocolOptions Unsafe
<Directory {folder}/www>
  Require all granted
</Directory>
"#,
                log.display()
            )
        },
    )
}

fn haproxy(directory: &Path, behind: SocketAddr) -> Server {
    start(directory, "haproxy", &["-f", "FILE"], |port, _log| {
        format!(
            "global
  log stdout format raw local0
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
  log global
  option httplog
frontend f
  bind 127.0.0.1:{port}
  capture request header Host len 64
  default_backend b
backend b
  server s {behind}
"
        )
    })
}

fn caddy(directory: &Path) -> Server {
    let args = ["run", "--config", "FILE", "--adapter", "caddyfile"];
    start(directory, "caddy", &args, |port, log| {
        format!(
            "{{
  admin off
  auto_https off
}}
http://:{port} {{
  log {{
    output file {}
  }}
  redir /moved /new 302
  respond /missing 404
  respond \"hello {{uri}}\"
}}
",
            log.display()
        )
    })
}

/// Sends every request on a connection of its own.
fn ask(server: SocketAddr) {
    for request in REQUESTS {
        let mut connection = TcpStream::connect(server).expect("it listens");
        connection
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a timeout");
        let text = [request, b"\r\nConnection: close\r\n\r\n"].concat();
        connection.write_all(&text).expect("it reads");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("it answers");
        assert!(answer.starts_with(b"HTTP/1."), "{}", answer.escape_ascii());
    }
}

/// The lines of a log that has at least so many.
fn lines(log: &Path, least: usize) -> Vec<Vec<u8>> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut text = fs::read(log).unwrap_or_default();
        // The last line may be half written.
        text.truncate(text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
        let lines: Vec<Vec<u8>> = text
            .split(|byte| *byte == b'\n')
            .filter(|line| line.contains(&b'/') || line.contains(&b'"'))
            .map(<[u8]>::to_vec)
            .collect();
        if lines.len() >= least {
            return lines;
        }
        assert!(
            Instant::now() < until,
            "{} has {} lines",
            log.display(),
            lines.len()
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn replay(directory: &Path, files: &[&Path], shadow: SocketAddr, more: &[&str]) -> (Output, Report) {
    let config = directory.join("shadow.yaml");
    // One request for each line, so that the two logs are equal.
    fs::write(&config, "noise: {twice: 0%}\n").expect("a configuration");
    let output = Command::new(binary())
        .args([
            "replay",
            "--json",
            "--speed",
            "max",
            "--concurrency",
            "1",
            "--config",
        ])
        .arg(config)
        .args(["--shadow", &format!("http://{shadow}")])
        .args(more)
        .args(files)
        .output()
        .expect("shadow runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_laws(&report);
    (output, report)
}

/// The parts of lines that the same requests have in common: the first quoted text that begins with a method, or the
/// members of an object, and what follows.
fn requests(lines: &[Vec<u8>]) -> Vec<String> {
    let mut found: Vec<String> = lines
        .iter()
        .map(|line| line.escape_ascii().to_string())
        .filter_map(|line| {
            let start = ["GET ", "HEAD "].iter().find_map(|method| line.find(method));
            let start = start
                .or_else(|| line.find(r#"method\":\"GET"#))
                .or_else(|| line.find(r#"method\":\"HEAD"#))?;
            let rest = &line[start..];
            let end = [
                r#"\",\"headers"#,
                r#"\",\"status"#,
                r#"HTTP/1.1\""#,
                r#"HTTP/1.0\""#,
            ];
            let end = end.iter().filter_map(|end| rest.find(end)).min()?;
            Some(rest[..end].to_owned())
        })
        .collect();
    found.sort();
    found
}

/// Replays the log of `production` to `shadow`: the same requests, the same answers.
fn same(
    directory: &Path,
    production: &Server,
    shadow: &Server,
    format: &str,
    (compared, not_http): (u64, u64),
) {
    ask(production.address);
    // One more is the write.
    let logged = usize::try_from(compared + not_http + 1).expect("a few");
    let asked = lines(&production.log, logged);
    let (output, report) = replay(
        directory,
        &[&production.log],
        shadow.address,
        &["--host", "shop.example"],
    );
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        report.input.files[0].format,
        format!("access log, {format}"),
        "{shown}"
    );
    assert_eq!(report.funnel.mismatched, 0, "{:#?}", report.groups);
    assert_eq!(report.funnel.shadow_errors, 0, "{:#?} {shown}", report.funnel);
    assert_eq!(report.funnel.matched, compared, "{format}: {:#?}", report.funnel);
    assert_eq!(
        report.funnel.skipped.get("write"),
        Some(&1),
        "{:#?}",
        report.funnel
    );
    let found = report.input.notes.get("not_http").map_or(0, |note| note.count);
    assert_eq!(found, not_http, "{format}: {:#?}", report.input);
    let replayed = lines(&shadow.log, usize::try_from(compared).expect("a few"));
    let (asked, replayed) = (requests(&asked), requests(&replayed));
    // HTTP/1.0 without a host is sent as it was, but with one.
    assert_eq!(
        asked.len(),
        usize::try_from(compared).expect("a few"),
        "{format}: {asked:#?}"
    );
    assert_eq!(asked, replayed, "{format}");
}

#[test]
fn nginx_writes_what_nginx_is_asked_again() {
    need!(Program("nginx"));
    let directory = tempfile::tempdir().expect("a directory");
    for (format, name) in [
        ("combined", "combined"),
        ("timed", "combined"),
        ("object", "json"),
    ] {
        let production = nginx(directory.path(), format, "hello");
        let shadow = nginx(directory.path(), format, "hello");
        same(directory.path(), &production, &shadow, name, (8, 1));
    }
}

#[test]
fn apache_writes_what_apache_is_asked_again() {
    need!(Program("nginx"), Program("apache2"));
    let directory = tempfile::tempdir().expect("a directory");
    let www = directory.path().join("www");
    fs::create_dir(&www).expect("a folder");
    fs::write(www.join("a"), "hello\n").expect("a file");
    // Apache's workers are another user.
    for folder in [directory.path(), &www] {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder, all).expect("its mode");
    }
    let production = apache(directory.path());
    let shadow = apache(directory.path());
    same(directory.path(), &production, &shadow, "combined", (8, 1));
}

#[test]
fn haproxy_writes_what_haproxy_is_asked_again() {
    need!(Program("nginx"), Program("haproxy"));
    let directory = tempfile::tempdir().expect("a directory");
    let behind = nginx(directory.path(), "combined", "hello");
    let production = haproxy(directory.path(), behind.address);
    let shadow = haproxy(directory.path(), behind.address);
    // HAProxy itself refuses bytes above 127 and `#` in a target. The fourth is the connection that found it listening.
    same(directory.path(), &production, &shadow, "haproxy", (6, 4));
}

#[test]
fn caddy_writes_what_caddy_is_asked_again() {
    need!(Program("caddy"));
    let directory = tempfile::tempdir().expect("a directory");
    let production = caddy(directory.path());
    let shadow = caddy(directory.path());
    ask(production.address);
    // Caddy does not log what is no HTTP, and its JSON replaces bytes that are not UTF-8.
    lines(&production.log, REQUESTS.len() - 1);
    let (_, report) = replay(directory.path(), &[&production.log], shadow.address, &[]);
    assert_eq!(report.input.files[0].format, "access log, caddy");
    assert_eq!(report.funnel.mismatched, 0, "{:#?}", report.groups);
    assert_eq!(report.funnel.matched, 7, "{:#?}", report.funnel);
    assert_eq!(
        report.funnel.skipped.get("malformed"),
        Some(&1),
        "{:#?}",
        report.funnel
    );
    assert_eq!(
        report.funnel.skipped.get("write"),
        Some(&1),
        "{:#?}",
        report.funnel
    );
}

#[test]
fn a_shadow_that_differs_is_found_by_status_length_and_redirect() {
    need!(Program("nginx"));
    let directory = tempfile::tempdir().expect("a directory");
    let production = nginx(directory.path(), "combined", "hello");
    let longer = nginx(directory.path(), "combined", "hello, hello");
    ask(production.address);
    let text = lines(&production.log, REQUESTS.len()).join(&b'\n');
    // The newest file of a rotated set is plain, older ones are packed.
    let packed = directory.path().join("access.log.1.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&text).expect("memory");
    fs::write(&packed, encoder.finish().expect("memory")).expect("a file");
    let files = [&*production.log, &*packed];
    let (output, report) = replay(directory.path(), &files, longer.address, &[]);
    assert_ne!(output.status.code(), Some(0), "{:#?}", report.judgement);
    assert_eq!(report.input.files.len(), 2);
    // Five GETs of a content in each file; not the redirect, the error, and the answer to HEAD.
    assert_eq!(report.funnel.mismatched, 10, "{:#?}", report.groups);
    let (_, report) = replay(directory.path(), &files, longer.address, &["--tolerance", "7"]);
    assert_eq!(report.funnel.mismatched, 0, "{:#?}", report.groups);
    assert_eq!(report.funnel.matched, 16, "{:#?}", report.funnel);
    // Content is never made up.
    let more = ["--writes", "replay", "--tolerance", "100%"];
    let (_, report) = replay(directory.path(), &files, longer.address, &more);
    assert_eq!(
        report.funnel.skipped.get("body_not_saved"),
        Some(&2),
        "{:#?}",
        report.funnel
    );
    assert!(
        !lines(&longer.log, 1)
            .iter()
            .any(|line| line.windows(5).any(|word| word == b"POST "))
    );
}

#[test]
fn logs_and_captures_are_not_mixed_and_formats_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    let line = "10.0.0.1 - - [30/Nov/2026:00:18:31 +0000] \"GET /a HTTP/1.1\" 200 8\n";
    fs::write(&log, line).expect("a file");
    let gor = directory.path().join("a.gor");
    fs::write(
        &gor,
        "1 a 1767225600000000000 0\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    .expect("a file");
    let run = |words: &[&str], files: &[&Path]| {
        let output = Command::new(binary())
            .args(["replay", "--shadow", "http://127.0.0.1:9"])
            .args(words)
            .args(files)
            .output()
            .expect("shadow runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, text) = run(&[], &[&log, &gor]);
    assert_eq!(code, Some(65), "{text}");
    assert!(
        text.contains("access.log") && text.contains("in a run of its own"),
        "{text}"
    );
    for (format, shown) in [("nginx", "caddy, traefik, envoy"), ("regex:(", "unclosed group")] {
        let (code, text) = run(&["--format", format], &[&log]);
        assert_eq!(code, Some(64), "{text}");
        assert!(text.contains(shown), "{text}");
    }
    // A format that does not fit: every line is counted, with the number of the first one.
    let output = Command::new(binary())
        .args([
            "replay",
            "--json",
            "--speed",
            "max",
            "--shadow",
            "http://127.0.0.1:9",
            "--format",
            "alb",
        ])
        .arg(&log)
        .output()
        .expect("shadow runs");
    let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
    let note = &report.input.notes["bad_record"];
    assert_eq!((note.count, note.first.len()), (1, 1));
    assert!(note.first[0].ends_with("access.log: line 1"), "{note:?}");
    assert_eq!(output.status.code(), Some(2));
}
