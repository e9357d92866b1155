use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use shadow_common::{flow::Endpoint, stat::Stat};
use shadow_core::redact::{RedactConfig, Redactor};
use shadow_proto::{
    engine::{Abandon, Event},
    exchange::{self, Body, Exchange, Headers, Incomplete, Place, Request, Response, Timing, Version},
    time::Timestamp,
};

use super::*;
use crate::{capture::packet_log::Packet, config::Config, runtime::Judge};

const CLIENT: Endpoint = Endpoint::v4([10, 0, 0, 1], 40_000);
const SERVER: Endpoint = Endpoint::v4([10, 0, 0, 2], 80);

/// The monotonic clock began at this time.
const EPOCH: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

const REPLAYS: &str = "\
capture: {interfaces: [eth0], targets: ['80', '10.0.0.9:443']}
shadow: {url: 'http://10.0.0.3:80'}
also: [{name: control, role: control, url: 'http://10.0.0.4:80', select: {exclude: [{path: '/private/**'}]}}]
";
const OBSERVES: &str = "\
capture: {interfaces: [eth0], targets: ['80']}
shadow: {observe: true}
";

fn story(config: &str) -> Story {
    let config = Config::parse(Path::new("test.yaml"), config).expect("a configuration");
    let wanted = config.wanted().expect("targets");
    Story::new(
        (Timestamp::default(), EPOCH),
        BTreeMap::from([(3, "eth0".to_owned())]),
        config.capture.targets,
        Redactor::new([1; 32], &RedactConfig::default()),
        Judge::all(wanted).expect("rules"),
    )
}

fn packet(fate: Stat) -> Packet {
    Packet {
        at: 1_500_000,
        src: CLIENT,
        dst: SERVER,
        seq: 1_000,
        ack: 0,
        len: 78,
        ifindex: 3,
        flags: 0x18,
        protocol: 6,
        fate,
        egress: false,
    }
}

fn exchange(method: &str, target: &str, incomplete: Option<Incomplete>) -> Event {
    Event::Exchange(Box::new(Exchange {
        flow: exchange::Flow {
            client: CLIENT,
            server: SERVER,
        },
        index: 0,
        place: Place::default(),
        request: Request {
            method: Bytes::copy_from_slice(method.as_bytes()),
            target: Bytes::copy_from_slice(target.as_bytes()),
            version: Version::Http11,
            headers: Headers::from_pairs([("Host", "shop")]),
            body: Body::default(),
            trailers: Headers::default(),
        },
        response: Some(Response {
            status: 200,
            version: Version::Http11,
            reason: Bytes::from_static(b"OK"),
            headers: Headers::default(),
            body: Body::default(),
            trailers: Headers::default(),
        }),
        timing: Timing {
            request_first: Some(Timestamp::from_nanos(1_000_000)),
            request_last: Some(Timestamp::from_nanos(1_000_000)),
            response_first: Some(Timestamp::from_nanos(2_000_000)),
            response_last: Some(Timestamp::from_nanos(2_000_000)),
        },
        incomplete,
    }))
}

#[test]
fn a_flow_is_an_address_with_or_without_a_port() {
    for (text, shown) in [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[::1]:80", "[::1]:80"),
    ] {
        let flow: Flow = text.parse().expect(text);
        assert_eq!(flow.to_string(), shown);
        assert_eq!(flow.asked().port.is_some(), text.contains(":80"));
    }
    let flow: Flow = "10.0.0.1".parse().expect("an address");
    assert_eq!(flow.asked().addr, CLIENT.addr);
    for wrong in ["", "80", ":80", "localhost", "10.0.0.1:x", "10.0.0.0/8"] {
        let error = wrong.parse::<Flow>().expect_err(wrong);
        assert!(error.contains("10.0.0.1:8080"), "{error}");
    }
}

#[test]
fn a_packet_is_shown_with_its_fate() {
    let mut story = story(REPLAYS);
    let syn = Packet {
        seq: 999,
        len: 0,
        flags: 0x02,
        ..packet(Stat::Emitted)
    };
    assert_eq!(
        story.packet(&syn).to_string(),
        "22:13:20.001500  eth0 in   10.0.0.1:40000 -> 10.0.0.2:80  SYN      seq 0             copied, no payload"
    );
    assert_eq!(
        story.packet(&packet(Stat::Emitted)).to_string(),
        "22:13:20.001500  eth0 in   10.0.0.1:40000 -> 10.0.0.2:80  ACK      seq 1..79         copied 78 bytes"
    );
    let json = serde_json::to_value(story.packet(&packet(Stat::Unsampled))).expect("JSON");
    assert_eq!(json["kind"], "packet");
    assert_eq!(json["fate"], "unsampled");
    assert_eq!(json["seq"], 1_000);
    assert_eq!(json["time"], "2023-11-14T22:13:20.001500Z");
}

#[test]
fn every_fate_has_words() {
    let mut story = story(REPLAYS);
    let mut printed = |packet: Packet| story.packet(&packet).to_string();
    for fate in Stat::fates() {
        let text = printed(packet(fate));
        let says = ["copied", "LOST"].iter().any(|word| text.contains(word));
        assert!(says, "{}: {text}", fate.as_str());
    }
    let targets = printed(packet(Stat::NotTargeted));
    assert!(
        targets.ends_with("neither end is a target (80, 10.0.0.9:443)"),
        "{targets}"
    );
    let udp = printed(Packet {
        protocol: 17,
        ..packet(Stat::NotTargeted)
    });
    assert!(udp.contains("UDP and not TCP"), "{udp}");
    let large = printed(Packet {
        len: 100_000,
        ..packet(Stat::Emitted)
    });
    assert!(
        large.ends_with("copied the first 65536 of 100000 bytes"),
        "{large}"
    );
    let line = story.end(7).to_string();
    assert!(
        line.contains("7 more not logged") && line.contains("no_payload 1"),
        "{line}"
    );
}

#[test]
fn an_exchange_is_shown_with_the_decision_of_each_target() {
    let mut story = story(REPLAYS);
    let text = story
        .event(&exchange("GET", "/private/7?token=hunter2secret", None))
        .to_string();
    assert!(!text.contains("hunter2secret"), "secrets are redacted: {text}");
    for part in [
        "22:13:20.002000  exchange  10.0.0.1:40000 -> 10.0.0.2:80  GET /private/7?token=",
        " -> 200: complete\n",
        "shadow: would be sent to http://10.0.0.3:80",
        "control: skipped: excluded: An `exclude` rule is about it.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = story.event(&exchange("POST", "/orders", None)).to_string();
    assert!(text.contains("shadow: skipped: write: "), "{text}");
    let json = story.event(&exchange("GET", "/", Some(Incomplete::ResponseGap)));
    let json = serde_json::to_value(json).expect("JSON");
    assert_eq!(json["complete"], false);
    assert_eq!(json["incomplete_reason"], "response_gap");
    assert_eq!(json["decisions"][0]["replay"], false);
    assert_eq!(json["decisions"][0]["reason"], "response_gap");

    let end = serde_json::to_value(story.end(0)).expect("JSON");
    assert_eq!(
        (&end["complete"], &end["incomplete"]["response_gap"]),
        (&2.into(), &1.into())
    );
    assert_eq!(end["would_be_sent"]["shadow"], 1);
    assert_eq!(end["would_be_skipped"]["control"]["excluded"], 1);
}

#[test]
fn without_a_shadow_system_nothing_would_be_sent() {
    let mut story = story(OBSERVES);
    let text = story.event(&exchange("GET", "/", None)).to_string();
    assert!(text.contains("shadow: skipped: observe_only: "), "{text}");
}

#[test]
fn what_is_not_read_is_explained() {
    let mut story = story(OBSERVES);
    let key = shadow_common::flow::FlowKey::new(CLIENT, SERVER);
    let text = story.event(&Event::Abandoned(key, Abandon::Tls)).to_string();
    assert!(
        text.contains("10.0.0.1:40000 - 10.0.0.2:80  not read any further: tls: TLS records."),
        "{text}"
    );
    let Line::Summary(summary) = story.end(0) else {
        panic!("the end is a summary");
    };
    assert_eq!(summary.connections_left["tls"], 1);
    assert!(
        summary.hint.is_some_and(|hint| hint.contains("eth0")),
        "no packet was seen"
    );
}

#[test]
fn memory_does_not_grow_with_connections() {
    let mut story = story(OBSERVES);
    for number in 0..20_000_u16 {
        story.packet(&Packet {
            src: Endpoint {
                port: number,
                ..CLIENT
            },
            ..packet(Stat::Emitted)
        });
    }
    assert!(story.origins.len() <= 4_096);
}
