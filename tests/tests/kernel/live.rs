//! The program attached to real interfaces, by TCX and by clsact.

use std::{
    env,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, getpid, kill_process};
use shadow_agent::capture::{
    Polled, Source as _,
    attach::{AttachError, Attacher, Method, others},
    control::find_running,
    links::{Links, LinksError, Pattern},
    load::{LoadOptions, Program},
    netlink::{Interface, interfaces},
};
use shadow_common::stat::Stat;
use shadow_tests::{
    netns::{Netns, veth},
    process::wait_until,
};

use crate::rig::{Seen, is_root};

/// Both ways to attach, where this kernel has both.
fn methods() -> Vec<Method> {
    match Method::of_this_kernel() {
        Method::Tcx => vec![Method::Tcx, Method::Clsact],
        Method::Clsact => vec![Method::Clsact],
    }
}

const SERVER: &str = "10.88.0.2:80";

fn load(method: Method) -> Program {
    let program = Program::load(&LoadOptions {
        method: Some(method),
        ..LoadOptions::default()
    })
    .expect("the kernel program loads");
    program
        .targets
        .set(&["80".parse().expect("a port")], &[])
        .expect("targets can be set");
    program
}

fn attach(attacher: Attacher, pattern: &str) -> Result<Links, LinksError> {
    let mut links = Links::attach(attacher, vec![Pattern::new(pattern)?])?;
    links.watch()?;
    Ok(links)
}

fn interface(name: &str) -> Interface {
    interfaces()
        .expect("interfaces can be listed")
        .into_iter()
        .find(|interface| interface.name == name)
        .expect("the interface exists")
}

/// The number of our programs on an interface.
fn ours(name: &str) -> usize {
    let others = others(&interface(name)).expect("programs can be listed");
    others.iter().filter(|other| other.ours == Some(true)).count()
}

/// One connection: `len` bytes to the server, then `len` different bytes back.
fn exchange(client: &Netns, len: usize) -> [Vec<u8>; 2] {
    let bytes = |salt: usize| -> Vec<u8> { (0..len).map(|i| (i * salt % 253).to_le_bytes()[0]).collect() };
    let [there, back] = [bytes(7), bytes(11)];
    let listener = TcpListener::bind(SERVER).expect("port 80 is free");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("the request");
            assert!(got == there, "{} bytes came", got.len());
            stream.write_all(&back).expect("the response can be written");
        });
        client.run(|| {
            let mut stream = TcpStream::connect(SERVER).expect("the server listens");
            stream.write_all(&there).expect("the request can be written");
            stream.shutdown(Shutdown::Write).expect("an open connection");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("the response");
            assert!(got == back, "{} bytes came", got.len());
        });
    });
    [there, back]
}

/// Everything captured until no more data arrives.
fn drain(program_source: &mut shadow_agent::capture::ring::LiveSource) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(300) {
        let polled = program_source
            .poll(Duration::from_millis(20), &mut |segment| {
                seen.push(segment.into());
            })
            .expect("the ring can be read");
        if polled != Polled::Idle {
            quiet = Instant::now();
        }
    }
    assert_eq!(program_source.counters().undecodable(), 0);
    seen
}

/// The bytes of one direction, ordered by sequence number. Every byte must have been captured.
fn stream(seen: &[Seen], to_server: bool, len: usize) -> Vec<u8> {
    let of_direction = || seen.iter().filter(|segment| segment.to_server == to_server);
    let isn = of_direction()
        .find(|segment| segment.flags & 2 != 0)
        .expect("the SYN was captured")
        .seq;
    let mut bytes = vec![None; len];
    for segment in of_direction() {
        assert_eq!(segment.missing, 0);
        let start = segment.seq.wrapping_sub(isn.wrapping_add(1)) as usize;
        for (place, &byte) in bytes.iter_mut().skip(start).zip(&segment.payload) {
            *place = Some(byte);
        }
    }
    let holes = bytes.iter().filter(|byte| byte.is_none()).count();
    assert_eq!(holes, 0, "bytes that were not captured, of {len}");
    bytes.into_iter().flatten().collect()
}

#[test]
fn large_segments_are_captured_to_the_last_byte() {
    if !is_root() {
        return;
    }
    for method in methods() {
        let server = Netns::new();
        let client = Netns::new();
        veth(&server, "s0", &client, "c0");
        server.address("s0", "10.88.0.2/24");
        client.address("c0", "10.88.0.1/24");
        server.run(|| {
            let Program {
                attacher,
                stats,
                mut source,
                ..
            } = load(method);
            assert_eq!(drain(&mut source).len(), 0, "the first poll beats the heart");
            let links = attach(attacher, "s*").expect("s0 can be attached to");
            assert_eq!(links.attached()[0].method, method);
            assert_eq!(ours("s0"), 2, "ingress and egress by {method:?}");
            let len = 3_000_000;
            let [there, back] = exchange(&client, len);
            let seen = drain(&mut source);
            assert!(stream(&seen, true, len) == there, "the request by {method:?}");
            assert!(stream(&seen, false, len) == back, "the response by {method:?}");
            let stats = stats.read().expect("counters can be read");
            assert_eq!(stats.law(), Ok(()));
            assert_eq!(
                stats.get(Stat::RingFull) + stats.get(Stat::LoadFailed),
                0,
                "{stats:?}"
            );
            let emitted = stats.get(Stat::Emitted);
            assert!(
                stats.get(Stat::Chunks) > 2 * emitted,
                "segments of several chunks: {stats:?}"
            );
            drop(links);
            assert_eq!(ours("s0"), 0, "{method:?} is detached");
        });
    }
}

#[test]
fn loopback_is_captured_once() {
    if !is_root() {
        return;
    }
    Netns::new().run(|| {
        let Program { attacher, stats, .. } = load(Method::of_this_kernel());
        let links = attach(attacher, "lo").expect("lo can be attached to");
        assert_eq!(ours("lo"), 1, "ingress only");
        let listener = TcpListener::bind("127.0.0.1:80").expect("port 80 is free");
        let address: SocketAddr = listener.local_addr().expect("a bound socket");
        drop(TcpStream::connect(address).expect("the server listens"));
        assert!(stats.read().expect("counters can be read").get(Stat::Seen) >= 3);
        drop(links);
        assert_eq!(ours("lo"), 0);
    });
}

#[test]
fn a_second_agent_on_an_interface_is_refused() {
    if !is_root() {
        return;
    }
    for method in methods() {
        Netns::new().run(|| {
            let first = load(method);
            let _links = attach(first.attacher, "lo").expect("lo can be attached to");
            let error = attach(load(method).attacher, "lo").expect_err("lo is taken");
            let LinksError::Attach(AttachError::SecondAgent { interface, owner }) = &error else {
                panic!("{error:?}");
            };
            assert_eq!((&**interface, *owner), ("lo", Some(std::process::id())));
            assert_eq!(ours("lo"), 1, "the first one still works");
        });
    }
}

#[test]
fn an_interface_that_is_named_must_exist() {
    if !is_root() {
        return;
    }
    Netns::new().run(|| {
        let error = attach(load(Method::of_this_kernel()).attacher, "eth7").expect_err("there is no eth7");
        assert!(error.to_string().contains("there are: lo"), "{error}");
        let links = attach(load(Method::of_this_kernel()).attacher, "eth*").expect("a glob waits");
        assert_eq!(links.attached(), []);
    });
}

#[test]
fn a_dead_agent_leaves_nothing_in_the_way() {
    if !is_root() {
        return;
    }
    let method = |name: &str| methods().into_iter().find(|method| method.as_str() == name);
    if let Some(method) = env::var("SHADOW_TEST_DIES_ATTACHED_BY")
        .ok()
        .and_then(|name| method(&name))
    {
        let _links = attach(load(method).attacher, "lo").expect("lo can be attached to");
        kill_process(getpid(), Signal::KILL).expect("one may kill oneself");
    }
    for method in methods() {
        let left = usize::from(method == Method::Clsact);
        Netns::new().run(|| {
            let status = Command::new(env::current_exe().expect("this test"))
                .args(["--exact", "live::a_dead_agent_leaves_nothing_in_the_way"])
                .env("SHADOW_TEST_DIES_ATTACHED_BY", method.as_str())
                .output()
                .expect("this test can be started")
                .status;
            assert!(!status.success(), "it killed itself: {status}");
            assert_eq!(ours("lo"), left, "what kill -9 leaves by {method:?}");
            let links = attach(load(method).attacher, "lo").expect("the leftover is removed");
            assert_eq!(ours("lo"), 1);
            drop(links);
            assert_eq!(ours("lo"), 0);
        });
    }
}

#[test]
fn a_hung_agent_is_switched_off_without_its_help() {
    if !is_root() {
        return;
    }
    let program = load(Method::of_this_kernel());
    program.control.set_sample(0.5).expect("the sample can be set");
    let found = find_running().expect("root may look for maps");
    let same: Vec<_> = found
        .iter()
        .filter(|agent| agent.pid == std::process::id())
        .collect();
    assert!(same.iter().all(|agent| agent.is_alive()), "{same:?}");
    // Other tests of this process have programs too: this one is identified by its sample.
    let agent = same
        .iter()
        .find(|agent| agent.control.sample() == Ok(0.5))
        .expect("the program is found");
    agent.control.disarm().expect("the kill switch works");
    assert_eq!(program.control.is_armed(), Ok(false));
    agent.control.arm().expect("and back");
    assert_eq!(program.control.is_armed(), Ok(true));
    let id = agent.map_id;
    drop(program);
    drop(found);
    // The kernel frees maps shortly after their last user is gone.
    wait_until("it is unloaded with its agent", Duration::from_secs(5), || {
        let rest = find_running().expect("root may look for maps");
        rest.iter().all(|agent| agent.map_id != id)
    });
}
