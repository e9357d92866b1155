//! The kernel program, frame by frame: what is copied, what is counted, and that every packet has exactly one fate.

mod frames;
mod inside;
mod live;
mod rig;

use std::time::Duration;

use frames::{ACK, FIN_ACK, Frame, PSH_ACK, RST, SYN};
use rig::{MARK, Rig, Seen, is_root};
use shadow_agent::capture::{
    attach::Hook,
    heartbeat,
    load::{LoadOptions, Requests},
    targets::{Target, endpoint},
};
use shadow_common::{flow::FlowKey, stat::Stat};
use shadow_proto::{time::Timestamp, wire::multipath::Multipath};

/// Instructions that the verifier processed on 6.18. A higher number needs a review (the limit is a million).
const VERIFIED_BOUND: u32 = 20_000;

fn expected(frame: &Frame, to_server: bool) -> Seen {
    let end = |(addr, port)| {
        let end = endpoint((addr, port).into());
        (end.addr, end.port)
    };
    Seen {
        seq: frame.seq,
        ack: frame.ack,
        flags: frame.flags,
        to_server,
        src: end(frame.src),
        dst: end(frame.dst),
        payload: frame.payload.clone(),
        missing: 0,
        multipath: None,
    }
}

fn targets(texts: &[&str]) -> Vec<Target> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn segments_to_and_from_a_target_are_copied_whole() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    let none = [0; 7];
    let atomic = (44, [0, 0, 0, 1, 2, 3, 4]);
    let frames = [
        Frame::v4(1),
        Frame::v4(1448),
        Frame::v4(3000),
        Frame::v4(300).flags(SYN),
        Frame::v4(0).flags(SYN),
        Frame::v4(0).flags(SYN | ACK),
        Frame::v4(0).flags(FIN_ACK),
        Frame::v4(0).flags(RST),
        Frame::v4(10).flags(FIN_ACK),
        Frame::v4(17).options(40, 12),
        Frame::v4(100).options(0, 12),
        Frame::v4(100).fragment(0),
        Frame::v6(1),
        Frame::v6(2900),
        Frame::v6(0).flags(SYN),
        Frame::v6(50).extended(&[(0, none)]),
        Frame::v6(50).extended(&[(0, none), (43, none), (60, none)]),
        Frame::v6(50).extended(&[atomic]),
    ];
    for frame in frames {
        for (frame, to_server) in [(frame.clone(), true), (frame.reversed(), false)] {
            let (fate, seen) = rig.run(&frame.bytes());
            assert_eq!(
                (fate, &*seen),
                (Stat::Emitted, &[expected(&frame, to_server)][..]),
                "{frame:?}"
            );
            rig.run_at(Hook::Egress, &frame.bytes(), 0);
            assert_eq!(rig.fate(), (Stat::Emitted, seen), "the egress hook sees the same");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a frame for each kind of option")]
fn options_that_may_be_of_multipath_tcp_come_before_the_payload() {
    const TIMES: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    const MAPPING: [u8; 16] = [1, 1, 30, 14, 0x20, 0x04, 0, 0, 1, 0, 0, 0, 0, 1, 0, 10];
    const JOIN: [u8; 12] = [30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8];
    const SELECTIVE: [u8; 20] = [1, 1, 5, 18, 30, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
    if !is_root() {
        return;
    }
    let keys = [&[30, 20, 0x01, 0x01][..], &[7; 16]].concat();
    let mut rig = Rig::new();
    for frame in [Frame::v4(3000), Frame::v6(3000), Frame::v4(3000).options(40, 0)] {
        let mut one = |frame: &Frame, multipath, payload: bool| {
            let (fate, seen) = rig.run(&frame.bytes());
            let whole = expected(frame, true);
            let first = Seen {
                payload: Vec::new(),
                multipath,
                ..whole
            };
            let rest = payload.then_some(whole);
            assert_eq!(fate, Stat::Emitted, "{frame:?}");
            assert_eq!(
                seen,
                [first].into_iter().chain(rest).collect::<Vec<_>>(),
                "{frame:?}"
            );
        };
        for options in [MAPPING.to_vec(), [&TIMES[..], &MAPPING].concat()] {
            one(
                &frame.clone().tcp_options(&options),
                Some(Multipath::Mapped(255)),
                true,
            );
        }
        one(&frame.clone().options(0, 40), None, true);
        let mut bare = frame.clone();
        bare.payload.clear();
        one(
            &bare.clone().tcp_options(&JOIN).flags(SYN),
            Some(Multipath::Join),
            false,
        );
        for options in [keys.clone(), [&TIMES[..], &keys].concat()] {
            let frame = bare.clone().tcp_options(&options).flags(ACK);
            let (fate, seen) = rig.run(&frame.bytes());
            assert_eq!(fate, Stat::Emitted);
            assert!(
                matches!(seen[0].multipath, Some(Multipath::First { peer: Some(_), .. })),
                "{seen:?}"
            );
        }
        for options in [
            TIMES.to_vec(),
            SELECTIVE.to_vec(),
            [&TIMES[..], &SELECTIVE].concat(),
        ] {
            let frame = bare.clone().tcp_options(&options).flags(ACK);
            assert_eq!(
                rig.run(&frame.bytes()),
                (Stat::NoPayload, Vec::new()),
                "{options:?}"
            );
        }
    }
}

#[test]
fn what_is_not_copied_has_a_name() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    let mut arp = vec![0xff; 12];
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.resize(60, 0);
    assert_eq!(rig.run(&arp), (Stat::NotTargeted, Vec::new()), "ARP");
    let fragment = (44, [0, 0, 1, 1, 2, 3, 4]);
    let many = [(60, [0; 7]); 7];
    let cases = [
        ("another port", Frame::v4(10).ports(40_000, 81), Stat::NotTargeted),
        ("UDP", Frame::v4(10).protocol(17), Stat::NotTargeted),
        ("UDP over IPv6", Frame::v6(10).protocol(17), Stat::NotTargeted),
        ("first fragment", Frame::v4(10).fragment(0x2000), Stat::Fragment),
        ("later fragment", Frame::v4(10).fragment(100), Stat::Fragment),
        (
            "IPv6 fragment",
            Frame::v6(50).extended(&[fragment]),
            Stat::Fragment,
        ),
        (
            "seven extension headers",
            Frame::v6(9).extended(&many),
            Stat::Malformed,
        ),
        ("a bare ACK", Frame::v4(0).flags(ACK), Stat::NoPayload),
        (
            "fewer bytes than IP says",
            Frame::v4(100).overstated(500),
            Stat::LoadFailed,
        ),
    ];
    for (what, frame, fate) in cases {
        assert_eq!(rig.run(&frame.bytes()), (fate, Vec::new()), "{what}");
    }
    rig.run_at(Hook::Egress, &Frame::v4(10).bytes(), MARK);
    assert_eq!(rig.fate(), (Stat::Own, Vec::new()), "the agent's own mark");
    rig.run_at(Hook::Egress, &Frame::v4(10).bytes(), MARK + 1);
    assert_eq!(rig.fate().0, Stat::Emitted, "somebody else's mark");
}

#[test]
fn own_packets_are_known_by_some_bits_of_their_mark_and_answers_by_their_connection() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::with(&LoadOptions {
        ring_bytes: 1 << 20,
        mark: 0x53,
        mark_mask: 0x7f,
        ..LoadOptions::default()
    });
    let mut at_egress = |frame: &Frame, mark: u32| {
        rig.run_at(Hook::Egress, &frame.bytes(), mark);
        rig.fate().0
    };
    let request = Frame::v4(10);
    for mark in [0x53, 0x1_0053, 0x40d3] {
        assert_eq!(at_egress(&request, mark), Stat::Own, "{mark:#x}");
    }
    for mark in [0, 0x52, 0x54, 0x5f] {
        assert_eq!(at_egress(&request, mark), Stat::Emitted, "{mark:#x}");
    }
    // A connection of the agent's own whose address was translated: its answers have no mark.
    let answer = Frame::v4(10).reversed();
    assert_eq!(at_egress(&answer, 0), Stat::Emitted, "nothing is known of it yet");
    assert_eq!(at_egress(&Frame::v4(0).flags(SYN), 0x53), Stat::Own);
    assert_eq!(at_egress(&Frame::v4(0).flags(SYN | ACK).reversed(), 0), Stat::Own);
    assert_eq!(at_egress(&answer, 0), Stat::Own);
    // Another connection on the same ports.
    assert_eq!(at_egress(&Frame::v4(0).flags(SYN), 0), Stat::Emitted);
    assert_eq!(at_egress(&answer, 0), Stat::Emitted);
}

#[test]
fn requests_are_copied_at_one_hook_and_answers_at_the_other() {
    if !is_root() {
        return;
    }
    let (request, answer) = (Frame::v4(10).bytes(), Frame::v4(10).reversed().bytes());
    for (requests, taken, other) in [
        (Requests::Egress, Hook::Egress, Hook::Ingress),
        (Requests::Ingress, Hook::Ingress, Hook::Egress),
    ] {
        let mut rig = Rig::with(&LoadOptions {
            ring_bytes: 1 << 20,
            requests,
            ..LoadOptions::default()
        });
        let mut at = |hook, frame| {
            rig.run_at(hook, frame, 0);
            rig.fate().0
        };
        assert_eq!(at(taken, &request), Stat::Emitted, "{requests:?}");
        assert_eq!(at(other, &request), Stat::OtherHook, "{requests:?}");
        assert_eq!(at(other, &answer), Stat::Emitted, "{requests:?}");
        assert_eq!(at(taken, &answer), Stat::OtherHook, "{requests:?}");
    }
}

#[test]
fn targets_are_ports_or_exact_endpoints_and_shadow_systems_are_none() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    let request = Frame::v4(5).bytes();
    let v6 = Frame::v6(5).bytes();
    let set = |rig: &Rig, texts: &[&str], excluded: &[&str]| {
        let excluded: Vec<_> = excluded.iter().map(|text| text.parse().unwrap()).collect();
        rig.program.targets.set(&targets(texts), &excluded).unwrap();
    };

    set(&rig, &["10.0.0.2:80"], &[]);
    assert_eq!(rig.run(&request).0, Stat::Emitted);
    assert_eq!(
        rig.run(&v6).0,
        Stat::NotTargeted,
        "another address on the same port"
    );
    set(&rig, &["[fd00::2]:80", "81"], &[]);
    assert_eq!(rig.run(&request).0, Stat::NotTargeted);
    assert_eq!(rig.run(&v6).0, Stat::Emitted);
    assert_eq!(rig.run(&Frame::v4(5).ports(1, 81).bytes()).0, Stat::Emitted);
    set(&rig, &["80"], &["10.0.0.2:80"]);
    assert_eq!(rig.run(&request).0, Stat::Own, "the shadow system");
    assert_eq!(
        rig.run(&Frame::v4(5).reversed().bytes()).0,
        Stat::Own,
        "and its answer"
    );
    assert_eq!(
        rig.run(&v6).0,
        Stat::Emitted,
        "the production system on the same port"
    );
    assert_eq!(
        rig.run(&Frame::v4(5).ports(1, 81).bytes()).0,
        Stat::NotTargeted,
        "removed"
    );
    set(&rig, &[], &[]);
    assert_eq!(rig.run(&request).0, Stat::NotTargeted);
    assert_eq!(rig.run(&v6).0, Stat::NotTargeted);
}

#[test]
fn switches_are_effective_for_the_next_packet() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    let frame = Frame::v4(100).bytes();
    let control = rig.program.control.clone();

    let shown = format!("{control:?}");
    assert!(
        shown.contains("mapped: true"),
        "every replay takes a system call: {shown}"
    );
    control.disarm().unwrap();
    assert!(!control.is_armed().unwrap());
    assert_eq!(rig.run(&frame), (Stat::Disarmed, Vec::new()));
    control.arm().unwrap();
    assert_eq!(rig.run(&frame).0, Stat::Emitted);

    control.set_sample(0.0).unwrap();
    assert_eq!(rig.run(&frame), (Stat::Unsampled, Vec::new()));
    control.set_sample(1.0).unwrap();
    assert_eq!(rig.run(&frame).0, Stat::Emitted);

    control.renew_heartbeat(Timestamp::from_nanos(1)).unwrap();
    assert_eq!(rig.run(&frame), (Stat::Expired, Vec::new()));
    control
        .renew_heartbeat(heartbeat::now() + Duration::from_mins(1))
        .unwrap();
    assert_eq!(rig.run(&frame).0, Stat::Emitted);
}

#[test]
fn a_sample_holds_whole_connections() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    rig.program.control.set_sample(0.25).unwrap();
    let mut sampled = 0;
    for port in 10_000..12_000 {
        let request = Frame::v4(5).ports(port, 80);
        let there = rig.run(&request.bytes()).0;
        let back = rig.run(&request.reversed().bytes()).0;
        assert_eq!(there, back, "port {port}");
        sampled += u32::from(there == Stat::Emitted);
    }
    assert!((420..580).contains(&sampled), "{sampled} of 2000 at 25 %");
}

#[test]
fn a_muted_connection_is_silent_until_its_next_syn() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    let frame = Frame::v6(100);
    let key = FlowKey::new(endpoint(frame.dst.into()), endpoint(frame.src.into()));
    rig.program.mute.mute(&key).unwrap();
    for frame in [
        frame.clone(),
        frame.clone().reversed(),
        frame.clone().flags(FIN_ACK),
    ] {
        assert_eq!(rig.run(&frame.bytes()), (Stat::Muted, Vec::new()), "{frame:?}");
    }
    assert_eq!(rig.run(&frame.clone().ports(40_001, 80).bytes()).0, Stat::Emitted);
    let syn = Frame::v6(0).flags(SYN);
    assert_eq!(rig.run(&syn.bytes()).0, Stat::Emitted);
    assert_eq!(rig.run(&frame.flags(PSH_ACK).bytes()).0, Stat::Emitted);
}

#[test]
fn a_full_ring_is_counted_and_recovers() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::with(&LoadOptions {
        ring_bytes: 64 << 10,
        ..LoadOptions::default()
    });
    let frame = Frame::v4(1448).bytes();
    for _ in 0..100 {
        rig.run_at(Hook::Ingress, &frame, 0);
    }
    let stats = rig.program.stats.read().unwrap();
    assert_eq!(stats.law(), Ok(()));
    // A record is 8 bytes of the ring's own, the header and the payload.
    let fits = (64 << 10) / (8 + 72 + 1448);
    assert_eq!(
        (stats.get(Stat::Emitted), stats.get(Stat::RingFull)),
        (fits, 100 - fits)
    );
    assert_eq!(rig.read().len() as u64, fits);
    rig.stats = stats;
    assert_eq!(rig.run(&frame).0, Stat::Emitted);
}

#[test]
fn the_verifier_has_little_to_do() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        let info = rig.program.attacher.program(hook).unwrap().info().unwrap();
        // Linux 5.16 is the first version that reports it.
        let Some(verified) = info.verified_instruction_count().filter(|&count| count > 0) else {
            println!("{hook:?}: this kernel does not tell how much it verified");
            continue;
        };
        println!(
            "{hook:?}: {verified} instructions verified, {} bytes of machine code",
            info.size_jitted()
        );
        assert!(
            verified < VERIFIED_BOUND,
            "{verified} instructions verified at {hook:?}"
        );
    }
}

/// Prints the timings; on a shared or emulated machine they prove nothing, so only a bound that every packet must meet
/// is asserted.
#[test]
fn a_packet_costs_little() {
    if !is_root() {
        return;
    }
    let mut rig = Rig::with(&LoadOptions {
        ring_bytes: 64 << 20,
        ..LoadOptions::default()
    });
    let control = rig.program.control.clone();
    control
        .renew_heartbeat(heartbeat::now() + Duration::from_mins(10))
        .unwrap();
    let repeat = 20_000;
    let mut figures = Vec::new();
    figures.push((
        "not targeted",
        rig.time(&Frame::v4(100).ports(1, 2).bytes(), repeat),
    ));
    control.disarm().unwrap();
    figures.push(("disarmed", rig.time(&Frame::v4(100).bytes(), repeat)));
    control.arm().unwrap();
    control.set_sample(0.0).unwrap();
    figures.push(("unsampled", rig.time(&Frame::v4(100).bytes(), repeat)));
    control.set_sample(1.0).unwrap();
    figures.push(("bare ACK", rig.time(&Frame::v4(0).flags(ACK).bytes(), repeat)));
    figures.push(("emitted, 100 bytes", rig.time(&Frame::v4(100).bytes(), repeat)));
    figures.push(("emitted, 1448 bytes", rig.time(&Frame::v4(1448).bytes(), repeat)));
    assert_eq!(rig.stats.get(Stat::RingFull), 0, "{:?}", rig.stats);
    for (what, nanos) in &figures {
        println!("{what}: {nanos} ns");
    }
    assert!(figures.iter().all(|&(_, nanos)| nanos < 1_000_000), "{figures:?}");
}
