//! Every exchange once: a connection whose addresses are translated passes several interfaces with other addresses on
//! each, and is read as if it had passed one.

use std::collections::HashSet;

use proptest::prelude::*;

use shadow_common::flow::{Endpoint, FlowKey};
use shadow_proto::{
    engine::{Engine, Event},
    exchange::Flow,
    time::Timestamp,
};

use crate::support::{
    capture::Losses,
    cases, check,
    drive::{feed, settings},
    encode::CLIENT,
    rng::Rng,
    scene::{self, Line, Scene},
    strategy,
    wire::{Captured, Plan},
};

/// The addresses of a connection at one interface.
#[derive(Clone, Copy, Debug)]
enum Nat {
    None,
    /// Another server address, the same port: a service whose port is that of its servers.
    Dnat,
    /// Another server address and port.
    DnatPort,
    /// Another client address and port as well.
    Masquerade,
}

/// The directions of a connection that an interface shows.
#[derive(Clone, Copy, Debug)]
enum Shows {
    Both,
    ToServer,
    ToClient,
}

#[derive(Clone, Debug)]
struct View {
    nat: Nat,
    shows: Shows,
}

impl View {
    fn ends(&self, [client, server]: [Endpoint; 2]) -> [Endpoint; 2] {
        let behind = |port| Endpoint::v4([172, 16, 0, u8::try_from(client.port % 250).unwrap()], port);
        match self.nat {
            Nat::None => [client, server],
            Nat::Dnat => [client, behind(server.port)],
            Nat::DnatPort => [client, behind(server.port + 1)],
            Nat::Masquerade => [
                Endpoint::v4([172, 17, 0, 1], client.port + 5_000),
                behind(server.port + 2),
            ],
        }
    }

    fn shows(&self, segment: &Captured) -> bool {
        match self.shows {
            Shows::Both => true,
            Shows::ToServer => segment.from == CLIENT,
            Shows::ToClient => segment.from != CLIENT,
        }
    }
}

fn view() -> impl Strategy<Value = View> {
    let nat = prop_oneof![
        Just(Nat::None),
        Just(Nat::Dnat),
        Just(Nat::DnatPort),
        Just(Nat::Masquerade)
    ];
    let shows = prop_oneof![3 => Just(Shows::Both), 1 => Just(Shows::ToServer), 1 => Just(Shows::ToClient)];
    (nat, shows).prop_map(|(nat, shows)| View { nat, shows })
}

/// Each segment on the way through every interface: from the client's side to the server's, answers the other way.
fn pass(segments: &[Captured], views: &[View], lose: u16, seed: u64) -> Vec<Captured> {
    let mut rng = Rng::new(seed);
    let mut out = Vec::new();
    for segment in segments {
        let mut way: Vec<&View> = views.iter().filter(|view| view.shows(segment)).collect();
        if segment.from != CLIENT {
            way.reverse();
        }
        for view in way {
            if !rng.chance(lose) {
                let ends = view.ends(segment.ends);
                out.push(Captured {
                    ends,
                    ..segment.clone()
                });
            }
        }
    }
    out
}

/// Events of one engine, with the addresses that the connections had at first.
fn read(scene: &Scene, segments: &[Captured], views: &[View]) -> Vec<Event> {
    let mut engine = Engine::new(settings()).join_views();
    let mut events = Vec::new();
    feed(&mut engine, segments, &mut events);
    engine.finish();
    events.extend(core::iter::from_fn(|| engine.poll()));
    engine.counters().check().unwrap();
    assert_eq!(engine.usage().flows, 0, "{:?}", engine.usage());
    assert_eq!(engine.usage().buffered, 0, "{:?}", engine.usage());
    let first = |flow: Flow| {
        let key = FlowKey::new(flow.client, flow.server);
        let is = |line: &&scene::FlowScript| {
            let ends = [line.flow.client, line.flow.server];
            let named = |view: &View| {
                let [client, server] = view.ends(ends);
                FlowKey::new(client, server) == key
            };
            views.iter().any(named)
        };
        scene.lines.iter().find(is).map_or(flow, |line| line.flow)
    };
    for event in &mut events {
        match event {
            Event::Exchange(exchange) => exchange.flow = first(exchange.flow),
            Event::Orphan(orphan) => orphan.flow = first(orphan.flow),
            Event::Abandoned(..) => {}
        }
    }
    events
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    // Initial sequence numbers are random, at the edges too: equal ones are what tells a view from another connection.
    let plan = strategy::plan().prop_map(|plan| {
        let [client, _] = plan.isn;
        let server = u32::try_from(Rng::new(plan.seed).next() >> 32).unwrap();
        Plan {
            isn: [client, server],
            ..plan
        }
    });
    scene::lines(
        strategy::connection(strategy::exchange(), 5).boxed(),
        plan.boxed(),
        strategy::lossless().boxed(),
        3,
    )
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_connection_that_is_seen_several_times_is_read_once(
        lines in lines(),
        extra in proptest::collection::vec(view(), 1..4),
        whole in 0_usize..4,
    ) {
        let mut views = extra;
        let whole = whole % views.len();
        views[whole].shows = Shows::Both;
        // An interface that reorders segments of the same connection is another test's.
        let lines: Vec<Line> = lines
            .into_iter()
            .map(|line| Line { losses: Losses { window: 0, ..line.losses }, ..line })
            .collect();
        let scene = scene::play(&lines);
        let segments = pass(&scene.segments, &views, 0, 0);
        check::exactly(&scene, &read(&scene, &segments, &views), &settings());
    }

    #[test]
    fn nothing_is_complete_twice_whatever_each_interface_loses(
        lines in lines(),
        extra in proptest::collection::vec(view(), 2..4),
        lose in 0_u16..400,
        seed: u64,
    ) {
        let scene = scene::play(&lines);
        let segments = pass(&scene.segments, &extra, lose, seed);
        let mut complete = HashSet::new();
        for event in read(&scene, &segments, &extra) {
            if let Event::Exchange(exchange) = event
                && exchange.is_complete()
            {
                let uid = exchange.request.headers.get("x-uid").map(<[u8]>::to_vec);
                prop_assert!(complete.insert(uid.clone()), "{uid:?} is complete twice: {exchange:?}");
            }
        }
    }

    #[test]
    fn without_a_translation_nothing_changes(lines in lines()) {
        let scene = scene::play(&lines);
        let views = [View { nat: Nat::None, shows: Shows::Both }];
        check::exactly(&scene, &read(&scene, &scene.segments, &views), &settings());
    }
}

/// The views of as many connections as there may be do not exceed the limit.
#[test]
fn views_count_against_the_limit_of_connections() {
    let mut few = settings();
    few.limits.flows = 10;
    let mut engine = Engine::new(few).join_views();
    let mut events = Vec::new();
    for number in 0..200_u32 {
        let server = Endpoint::v4([10, 0, 0, 1], 80);
        let client = Endpoint::v4([10, 1, 0, 1], u16::try_from(number + 1_000).unwrap());
        let segment = Captured {
            at: u64::from(number),
            from: CLIENT,
            ends: [client, server],
            directed: true,
            seq: number * 1_000,
            ack: 77,
            flags: shadow_proto::wire::Flags::ACK,
            payload: "GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            missing: 0,
            barrier: false,
        };
        let views = [Nat::None, Nat::Dnat, Nat::DnatPort, Nat::Masquerade].map(|nat| View {
            nat,
            shows: Shows::Both,
        });
        feed(&mut engine, &pass(&[segment], &views, 0, 0), &mut events);
        assert!(engine.usage().flows <= 10, "{:?}", engine.usage());
    }
    engine.handle_timeout(Timestamp::from_nanos(u64::MAX));
    assert_eq!(engine.usage().flows, 0);
}
