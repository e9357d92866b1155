//! Shadow systems over TLS: real nginx, with certificates of an authority that the test makes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use shadow_core::evidence::report::Report;
use shadow_tests::{agent::binary, laws::assert_laws, need, need::find};

/// Settings of `openssl ca`, which alone can sign for a time in the past.
const SIGNING: &str = "\
[ca]
default_ca = x
[x]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = supplied
";

/// Ends the server with the test.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// An authority, and a folder for everything that it signs.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let authority = Self(folder);
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-authority \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
             -keyout ca.key -out ca.pem",
        );
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, words: &str) {
        let output = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .expect("openssl runs");
        assert!(
            output.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Signs a certificate for these names, from `start` to `end`.
    fn sign_for(&self, name: &str, names: &str, (start, end): (&str, &str)) {
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        fs::write(self.path("ext"), format!("subjectAltName={names}\n")).expect("a file");
        fs::write(self.path("ca.cnf"), SIGNING).expect("a file");
        fs::write(self.path("index.txt"), "").expect("a file");
        self.openssl(&format!(
            "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in {name}.csr -out {name}.pem -startdate \
             {start} -enddate {end} -extfile ext"
        ));
    }

    /// Signs one that is valid.
    fn sign(&self, name: &str, names: &str) {
        self.sign_for(name, names, ("20200101000000Z", "20490101000000Z"));
    }

    /// nginx with a certificate of this name.
    fn serve(&self, name: &str, more: &str) -> Server {
        self.serve_over(name, "ssl", more)
    }

    /// The same with these parameters of its socket.
    fn serve_over(&self, name: &str, socket: &str, more: &str) -> Server {
        let address = free_address();
        let folder = self.0.path().display();
        let file = self.path(&format!("{}.conf", address.port()));
        let text = format!(
            "daemon off; master_process off; pid {folder}/{0}.pid; error_log {folder}/{0}.err; worker_processes 1; events {{}}
http {{
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder}; access_log off;
  server {{
    listen {address} {socket};
    ssl_certificate {folder}/{name}.pem; ssl_certificate_key {folder}/{name}.key;
    {more}
    location / {{ return 200 ok; }}
  }}
}}",
            address.port()
        );
        fs::write(&file, text).expect("a configuration");
        let child = Command::new(find("nginx").expect("nginx"))
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let server = Server { child, address };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "nginx does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// The server of openssl with a certificate of this name.
    fn openssl_server(&self, name: &str, more: &[&str]) -> Server {
        let address = free_address();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &address.to_string()])
            .args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")])
            .args(more)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts");
        let server = Server { child, address };
        thread::sleep(Duration::from_millis(500));
        server
    }

    /// Replays twenty requests to a URL, under a section `tls`; the exit code, standard error, and the report.
    fn replay(&self, url: &str, tls: &str) -> (Option<i32>, String, Option<Report>) {
        self.replay_over(url, "same", tls)
    }

    /// The same over a version of HTTP.
    fn replay_over(&self, url: &str, protocol: &str, tls: &str) -> (Option<i32>, String, Option<Report>) {
        let recording = self.path("requests.gor");
        fs::write(&recording, recorded()).expect("a file");
        let config = self.path("shadow.yaml");
        let text = format!(
            "noise: {{twice: 0%}}\nshadow:\n  breaker: {{errors: 0%}}\n  protocol: {protocol}\n  tls: {{{tls}}}\n"
        );
        fs::write(&config, text).expect("a file");
        let output = Command::new(binary())
            .args(["replay", "--json", "--speed", "max", "--shadow", url, "--config"])
            .arg(&config)
            .arg(&recording)
            .output()
            .expect("shadow runs");
        let report: Option<Report> = serde_json::from_slice(&output.stdout).ok();
        if let Some(report) = &report {
            assert_laws(report);
        }
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            report,
        )
    }

    fn trusted(&self) -> String {
        format!("ca_file: {}", self.path("ca.pem").display())
    }
}

const REQUESTS: u64 = 20;

fn recorded() -> String {
    let records: Vec<String> = (0..REQUESTS)
        .map(|number| {
            let at = 1_767_225_600_000_000_000 + number * 1_000_000;
            let later = at + 1_000_000;
            format!(
                "1 {number:024x} {at} 0\nGET /{number} HTTP/1.1\r\nHost: shop\r\n\r\n\n🐵🙈🙉\n\
                 2 {number:024x} {later} 5\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                 Content-Length: 2\r\n\r\nok\n🐵🙈🙉\n"
            )
        })
        .collect();
    records.concat()
}

fn matched(run: (Option<i32>, String, Option<Report>)) {
    let (_, printed, report) = run;
    let report = report.unwrap_or_else(|| panic!("{printed}"));
    assert_eq!(report.funnel.matched, REQUESTS, "{printed} {:#?}", report.funnel);
}

fn refused(run: (Option<i32>, String, Option<Report>), why: &[&str]) {
    let (_, printed, report) = run;
    let report = report.unwrap_or_else(|| panic!("{printed}"));
    assert_eq!(
        report.funnel.failures.get("tls"),
        Some(&REQUESTS),
        "{printed} {:#?}",
        report.funnel
    );
    for why in why {
        assert!(printed.contains(why), "{printed}");
    }
    // The reason is logged once, not with each request.
    assert_eq!(
        printed.matches("TLS to the shadow system").count(),
        1,
        "{printed}"
    );
}

fn url(host: &str, server: &Server) -> String {
    format!("https://{host}:{}", server.address.port())
}

#[test]
fn a_certificate_that_is_trusted_and_for_the_name_is_accepted() {
    need!(Program("nginx"), Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost,DNS:shop.example,IP:127.0.0.1");
    for versions in ["TLSv1.3", "TLSv1.2"] {
        // One connection is used for several requests, and closed by nginx after a few.
        let server = authority.serve(
            "good",
            &format!("ssl_protocols {versions}; keepalive_requests 7;"),
        );
        for host in ["localhost", "127.0.0.1"] {
            matched(authority.replay(&url(host, &server), &authority.trusted()));
        }
        let named = format!("{}, server_name: shop.example", authority.trusted());
        matched(authority.replay(&url("127.0.0.1", &server), &named));
    }
}

#[test]
fn a_certificate_that_is_wrong_is_refused_in_words() {
    need!(Program("nginx"), Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost");
    authority.sign("other", "DNS:a.example,DNS:b.example");
    authority.sign_for("expired", "DNS:localhost", ("20200101000000Z", "20200102000000Z"));
    let server = authority.serve("good", "");
    let unknown = authority.replay(&url("localhost", &server), "");
    refused(
        unknown,
        &["by an authority that is not trusted here", "tls.ca_file"],
    );
    let server = authority.serve("other", "");
    let printed = [
        "not for localhost but for ",
        "a.example",
        "b.example",
        "tls.server_name",
    ];
    refused(
        authority.replay(&url("localhost", &server), &authority.trusted()),
        &printed,
    );
    let server = authority.serve("expired", "");
    let printed = ["has expired", "renew it"];
    refused(
        authority.replay(&url("localhost", &server), &authority.trusted()),
        &printed,
    );
    // A certificate that signs itself.
    let server = authority.serve("ca", "");
    let (_, printed, report) = authority.replay(&url("localhost", &server), &authority.trusted());
    assert_eq!(
        report.expect("a report").funnel.failures.get("tls"),
        Some(&REQUESTS),
        "{printed}"
    );
}

#[test]
fn a_client_certificate_is_shown_where_it_is_asked_for() {
    need!(Program("nginx"), Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost");
    authority.sign("client", "DNS:agent");
    let ca = authority.path("ca.pem");
    let asks = format!("ssl_verify_client on; ssl_client_certificate {};", ca.display());
    let server = authority.serve("good", &asks);
    let (certificate, key) = (authority.path("client.pem"), authority.path("client.key"));
    let shown = format!(
        "{}, certificate: {}, key: {}",
        authority.trusted(),
        certificate.display(),
        key.display()
    );
    matched(authority.replay(&url("localhost", &server), &shown));
    // nginx answers with 400 where a certificate is missing, in place of an alert.
    let (_, printed, report) = authority.replay(&url("localhost", &server), &authority.trusted());
    assert_eq!(report.expect("a report").funnel.mismatched, REQUESTS, "{printed}");
}

/// nginx answers as production did only where it is asked over this version.
fn only_over(version: &str) -> String {
    format!("if ($server_protocol != {version}) {{ return 421 $server_protocol; }}")
}

#[test]
fn the_version_of_http_is_agreed_in_the_handshake() {
    need!(Program("nginx"), Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost");
    for versions in ["TLSv1.3", "TLSv1.2"] {
        for (protocol, version) in [("h2", "HTTP/2.0"), ("same", "HTTP/1.1"), ("h1", "HTTP/1.1")] {
            // One connection is used for several requests at once, and ended by GOAWAY after a few.
            let more = format!(
                "ssl_protocols {versions}; keepalive_requests 7; {}",
                only_over(version)
            );
            let server = authority.serve_over("good", "ssl http2", &more);
            matched(authority.replay_over(&url("localhost", &server), protocol, &authority.trusted()));
        }
    }
}

#[test]
fn a_system_that_refuses_or_ignores_http2_is_told() {
    need!(Program("nginx"), Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost");
    let printed = ["the version of HTTP", "(ALPN)", "shadow.protocol"];
    // nginx ends the handshake with an alert, openssl agrees on nothing.
    let servers = [
        authority.serve("good", ""),
        authority.openssl_server("good", &["-HTTP"]),
    ];
    for server in &servers {
        refused(
            authority.replay_over(&url("localhost", server), "h2", &authority.trusted()),
            &printed,
        );
    }
}

#[test]
fn an_alert_that_asks_for_a_client_certificate_is_told() {
    need!(Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost");
    for version in ["-tls1_3", "-tls1_2"] {
        let asking = [
            "-Verify",
            "2",
            "-verify_return_error",
            "-CAfile",
            "ca.pem",
            "-www",
            version,
        ];
        let server = authority.openssl_server("good", &asking);
        let (_, printed, report) = authority.replay(&url("localhost", &server), &authority.trusted());
        let report = report.unwrap_or_else(|| panic!("{printed}"));
        let failures = &report.funnel.failures;
        assert!(
            failures.get("tls").is_some_and(|count| *count > 0),
            "{version} {printed} {failures:?}"
        );
        assert!(
            printed.contains("client certificate") && printed.contains("tls.certificate"),
            "{printed}"
        );
    }
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    need!(Program("openssl"));
    let authority = Authority::new();
    authority.sign("good", "DNS:localhost");
    let at = |name: &str| authority.path(name).display().to_string();
    fs::write(authority.path("empty"), "").expect("a file");
    for (tls, printed) in [
        (format!("ca_file: {}", at("none")), "tls.ca_file: "),
        (format!("ca_file: {}", at("empty")), "holds no certificate in PEM"),
        (format!("certificate: {}", at("good.pem")), "without tls.key"),
        (format!("key: {}", at("good.key")), "without tls.certificate"),
        (
            format!("certificate: {}, key: {}", at("good.pem"), at("good.pem")),
            "holds no private key in PEM",
        ),
        (
            format!("certificate: {}, key: {}", at("good.pem"), at("ca.key")),
            "tls.certificate and tls.key cannot be used",
        ),
        ("server_name: 'a b'".to_owned(), "neither a name nor an address"),
    ] {
        let (code, text, report) = authority.replay("https://localhost:1", &tls);
        assert_eq!((code, report.is_none()), (Some(78), true), "{tls}: {text}");
        assert!(text.contains(printed), "{tls}: {text}");
    }
}

#[test]
fn what_does_not_speak_tls_is_told() {
    need!(Program("nginx"), Program("openssl"));
    let authority = Authority::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    // Ends with the test's process.
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut greeting = [0; 4096];
            drop((&connection).read(&mut greeting));
            drop((&connection).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
            drop(connection.shutdown(Shutdown::Write));
            drop((&connection).read(&mut greeting));
        }
    });
    let run = authority.replay(&format!("https://{address}"), &authority.trusted());
    refused(run, &["does not answer with TLS", "http://"]);
}
