use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use shadow_common::stat::Stat;
use shadow_core::{compare::Failure, evidence::Proportion, gate::SkipPolicy, values::Counters as Learned};
use shadow_proto::{engine::Counters, exchange::Incomplete};

use super::{
    metrics::{Figures, Format, LATENCY_BOUNDS, Latency, encode},
    server::{Scraped, serve},
};
use crate::control::status::{Lane, LearnedValues, RouteChecked, Status};

fn routes() -> Vec<RouteChecked> {
    vec![
        RouteChecked {
            route: "GET /a\"b".to_owned(),
            exchanges: 90,
            verified: Some(0.75),
            caught: Some(Proportion::new(3, 4)),
        },
        RouteChecked {
            route: "PUT /c".to_owned(),
            exchanges: 10,
            ..RouteChecked::default()
        },
    ]
}

fn learned_values() -> LearnedValues {
    LearnedValues {
        counters: Learned {
            learned: 6000,
            mapped: 6001,
            ..Learned::default()
        },
        entries: 6002,
        bytes: 6003,
    }
}

/// Every counter with a different number.
fn figures() -> Figures {
    let mut status = Status {
        version: "1.2.3".to_owned(),
        armed: true,
        sample: 0.05,
        uptime_ms: 1500,
        ..Status::default()
    };
    let mut lane = Lane {
        name: "shadow".to_owned(),
        match_rate: Proportion::new(99, 100),
        routes: routes(),
        power: Proportion::new(3, 4),
        values: Some(learned_values()),
        ..Lane::default()
    };
    let funnel = &mut status.funnel;
    for (number, stat) in (1000..).zip(Stat::ALL) {
        funnel.kernel.set(stat, number);
    }
    let names = Counters::default();
    let engine = (2000..)
        .zip(names.iter())
        .map(|(number, (name, ..))| (name.to_owned(), number));
    let incomplete = (3000..).zip(Incomplete::ALL);
    let incomplete = incomplete.map(|(number, reason)| (format!("incomplete_{reason}"), number));
    let counts: BTreeMap<String, u64> = engine.chain(incomplete).collect();
    funnel.engine = serde_json::from_value(serde_json::json!(counts)).expect("names of counters");
    for (number, reason) in (3000..).zip(Incomplete::ALL) {
        lane.funnel.skipped.insert(reason.as_str().to_owned(), number);
    }
    for (number, reason) in (4000..).zip(SkipPolicy::ALL) {
        lane.funnel.skipped.insert(reason.as_str().to_owned(), number);
    }
    for (number, failure) in (5000..).zip(Failure::ALL) {
        lane.funnel.failures.insert(failure.as_str().to_owned(), number);
    }
    status.lanes = vec![lane];
    let latencies = ["production", "shadow"].map(|system| Latency {
        target: "shadow".to_owned(),
        system,
        span: "first_byte",
        sum: 1.5,
        counts: vec![1; LATENCY_BOUNDS.len() + 1],
    });
    Figures {
        status,
        latencies: latencies.to_vec(),
        report_failures: 7,
    }
}

fn text(format: Format) -> String {
    encode(figures(), format).expect("writes")
}

#[test]
fn every_counter_and_reason_is_exported_with_its_number() {
    let text = text(Format::Prometheus);
    let has = |line: String| assert!(text.contains(&format!("\n{line}\n")), "no line {line} in\n{text}");
    has("shadow_kernel_seen_packets_total 1000".to_owned());
    for (number, stat) in (1000..)
        .zip(Stat::ALL)
        .filter(|(_, stat)| Stat::fates().any(|fate| fate == *stat))
    {
        has(format!(
            "shadow_kernel_packets_total{{fate=\"{}\"}} {number}",
            stat.as_str()
        ));
    }
    for (number, (name, ..)) in (2000..).zip(Counters::default().iter()) {
        has(format!("shadow_engine_{name}_total {number}"));
    }
    for (number, reason) in (3000..).zip(Incomplete::ALL) {
        has(format!(
            "shadow_incomplete_exchanges_total{{reason=\"{reason}\"}} {number}"
        ));
        has(format!(
            "shadow_skipped_exchanges_total{{target=\"shadow\",reason=\"{reason}\"}} {number}"
        ));
    }
    for (number, reason) in (4000..).zip(SkipPolicy::ALL) {
        has(format!(
            "shadow_skipped_exchanges_total{{target=\"shadow\",reason=\"{reason}\"}} {number}"
        ));
    }
    for (number, failure) in (5000..).zip(Failure::ALL) {
        has(format!(
            "shadow_replay_failures_total{{target=\"shadow\",failure=\"{failure}\"}} {number}"
        ));
    }
    has("shadow_build_info{version=\"1.2.3\"} 1".to_owned());
    has("shadow_sample_ratio 0.05".to_owned());
    has("shadow_uptime_seconds 1.5".to_owned());
    has("shadow_match_ratio{target=\"shadow\"} 0.99".to_owned());
    let of_route = "target=\"shadow\",route=\"GET /a\\\"b\"";
    has(format!("shadow_verified_ratio{{{of_route}}} 0.75"));
    has(format!("shadow_route_detection_power_ratio{{{of_route}}} 0.75"));
    assert!(!text.contains("PUT /c"), "nothing is known of it: {text}");
    has("shadow_detection_power_ratio{target=\"shadow\"} 0.75".to_owned());
    has("shadow_planted_faults{target=\"shadow\"} 4.0".to_owned());
    assert!(text.contains("\nshadow_detection_power_low_ratio{target=\"shadow\"} 0."));
    has("shadow_report_failures_total 7".to_owned());
    has("shadow_values_total{target=\"shadow\",event=\"learned\"} 6000".to_owned());
    has("shadow_values_total{target=\"shadow\",event=\"mapped\"} 6001".to_owned());
    has("shadow_value_pairs{target=\"shadow\"} 6002".to_owned());
    has("shadow_value_pairs_bytes{target=\"shadow\"} 6003".to_owned());
    has("shadow_latency_seconds_bucket{le=\"+Inf\",target=\"shadow\",system=\"shadow\",span=\"first_byte\"} 15".to_owned());
}

#[test]
fn reasons_that_never_happened_are_zero_and_an_unknown_rate_is_absent() {
    let mut figures = Figures::default();
    figures.status.lanes = vec![Lane::default()];
    let text = encode(figures, Format::Prometheus).expect("writes");
    assert!(
        text.contains("shadow_skipped_exchanges_total{target=\"\",reason=\"queue_full\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("shadow_kernel_packets_total{fate=\"ring_full\"} 0\n"),
        "{text}"
    );
    for absent in [
        "shadow_match_ratio{",
        "shadow_verified_ratio{",
        "shadow_detection_power_ratio{",
    ] {
        assert!(!text.contains(absent), "{text}");
    }
}

/// The names in the `# TYPE` lines.
fn families() -> BTreeSet<String> {
    let text = text(Format::Prometheus);
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_operations_manual_lists_every_metric_and_every_reason() {
    let manual = include_str!("../../../docs/src/reference.md");
    let families = families();
    assert!(families.len() > 40, "{families:?}");
    let stats = Stat::ALL.map(Stat::as_str);
    let reasons = Incomplete::ALL.iter().map(|reason| reason.as_str());
    let reasons = reasons.chain(SkipPolicy::ALL.iter().map(|reason| reason.as_str()));
    let reasons = reasons.chain(Failure::ALL.iter().map(|failure| failure.as_str()));
    let wanted = families.iter().map(String::as_str).chain(stats).chain(reasons);
    let missing: Vec<&str> = wanted
        .filter(|name| !manual.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/src/reference.md does not explain {missing:?}"
    );
}

#[test]
fn the_operations_manual_has_the_help_text_of_every_counter_of_the_engine() {
    let manual = include_str!("../../../docs/src/reference.md");
    for (name, help, _) in Counters::default().iter() {
        let row = format!("| `shadow_engine_{name}_total` | {help} |");
        assert!(
            manual.contains(&row),
            "docs/src/reference.md lacks the row\n{row}"
        );
    }
}

#[test]
fn promtool_finds_nothing_to_say() {
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        println!("SKIPPED: promtool is not installed");
        return;
    };
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin
        .write_all(text(Format::Prometheus).as_bytes())
        .expect("write");
    drop(stdin);
    let output = promtool.wait_with_output().expect("ends");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(
        output.status.success() && said.iter().all(String::is_empty),
        "{said:?}"
    );
}

#[test]
fn openmetrics_is_there_for_who_asks() {
    let asked = Format::accepted("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
    assert_eq!(asked, Format::OpenMetrics);
    let text = text(asked);
    assert!(text.ends_with("# EOF\n"));
    assert!(text.contains("# TYPE shadow_exchanges counter\n"), "{text}");
    assert_eq!(Format::accepted("*/*"), Format::Prometheus);
}

struct Fixed;

impl Scraped for Fixed {
    fn figures(&self) -> Figures {
        figures()
    }
}

/// A server, and the runtime that it runs in.
fn served() -> (SocketAddr, tokio::runtime::Runtime) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("runtime");
    runtime.spawn(serve(listener, Arc::new(Fixed)));
    (address, runtime)
}

/// A connection from 127.0.0.`host`.
fn connect(host: u8, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
    let from = SocketAddr::from(([127, 0, 0, host], 0));
    socket.bind(&from.into()).expect("an address of this host");
    socket.connect(&to.into()).expect("connect");
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(8)))
        .expect("a time-out");
    stream
}

fn ask(stream: &mut TcpStream, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn the_server_answers_scrapes_and_refuses_the_rest() {
    let (address, runtime) = served();
    let ask = |request: &str| ask(&mut connect(1, address), request).expect("an answer");
    // One that never sends a request must not block others.
    let _idle = TcpStream::connect(address).expect("connect");
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(answer.ends_with(&text(Format::Prometheus)), "the whole text");
    for (request, status) in [
        ("GET /healthz HTTP/1.0\r\n\r\n", "200"),
        ("GET / HTTP/1.0\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "405"),
        ("garbage\r\n\r\n", "400"),
    ] {
        let answer = ask(request);
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}: {answer}");
    }
    runtime.shutdown_background();
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn slow_connections_keep_nobody_out_from_one_address_or_from_many() {
    for hosts in [[9; 20].to_vec(), (10..60).collect()] {
        let (address, runtime) = served();
        let slow: Vec<TcpStream> = hosts
            .iter()
            .map(|&host| {
                let mut stream = connect(host, address);
                stream.write_all(b"GET /metrics HT").expect("a part of a head");
                stream
            })
            .collect();
        for host in [9, 200] {
            let asked = Instant::now();
            let answer = ask(&mut connect(host, address), HEALTH).expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "from {host}: {answer}");
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(1), "from {host}: {took:?}");
        }
        drop(slow);
        runtime.shutdown_background();
    }
}

#[test]
fn an_address_with_many_connections_loses_its_own_and_nobody_elses() {
    let (address, runtime) = served();
    let mut patient = connect(2, address);
    let mut flood: Vec<TcpStream> = (0..20).map(|_| connect(3, address)).collect();
    let answer = ask(&mut patient, HEALTH).expect("its place is kept");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // The newest of the other address is served, its oldest one is gone.
    let newest = flood.pop().map(|mut newest| ask(&mut newest, HEALTH));
    assert!(
        newest
            .expect("connected")
            .expect("an answer")
            .starts_with("HTTP/1.1 200 OK"),
        "the newest"
    );
    let oldest = ask(&mut flood[0], HEALTH).unwrap_or_default();
    assert_eq!(oldest, "", "the oldest of 20");
    runtime.shutdown_background();
}

#[test]
fn a_request_has_two_seconds_for_its_head_however_it_trickles() {
    let (address, runtime) = served();
    let mut slow = connect(2, address);
    let begun = Instant::now();
    let mut head = HEALTH.bytes().cycle();
    while begun.elapsed() < Duration::from_secs(8) {
        let byte = head.next().filter(u8::is_ascii_alphanumeric).unwrap_or(b'a');
        if slow.write_all(&[byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let took = begun.elapsed();
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(4)).contains(&took),
        "{took:?}"
    );
    runtime.shutdown_background();
}
