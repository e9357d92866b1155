//! The program attached inside other network namespaces, by TCX links and by filters.

use std::{
    collections::BTreeSet,
    env,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use shadow_agent::{
    attach,
    capture::{
        Source as _,
        attach::Method,
        load::{LoadOptions, Program},
        namespaces::{InsideMaps, Namespace, Namespaces, Traffic, WantedNamespace},
        ring::LiveSource,
    },
};
use shadow_common::config::LABELLED;
use shadow_proto::wire::{Direction, Segment};
use shadow_tests::{
    attached,
    netns::{Netns, joined},
};

use crate::rig::is_root;

/// Makes this program the attach process; its value says whether only pods may be attached to.
const ATTACH: &str = "SHADOW_TEST_ATTACHES_TO_PODS_ONLY";

/// This program as the attach process: on other kernels it is the only one there.
fn attaching(pods_only: bool) -> Command {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command
        .args(["--exact", "inside::an_attach_process_ends_with_its_agent"])
        .env(ATTACH, pods_only.to_string());
    command
}

#[test]
fn an_attach_process_ends_with_its_agent() {
    if let Ok(pods_only) = env::var(ATTACH) {
        attach::serve(pods_only == "true").expect("orders can be read");
        return;
    }
    if !is_root() {
        return;
    }
    let (stream, process) = attach::start(&mut attaching(false)).expect("the attach process starts");
    drop(stream);
    let asked = Instant::now();
    drop(process);
    assert!(
        asked.elapsed() < Duration::from_millis(400),
        "{:?}",
        asked.elapsed()
    );
}

const SERVER: &str = "10.88.0.2:80";

/// A request and its answer between a client and a pod.
fn exchange(client: &Netns, pod: &Netns) {
    let listener = pod.run(|| TcpListener::bind(SERVER)).expect("port 80 is free");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("the request");
            stream.write_all(b"answer").expect("an open connection");
        });
        client.run(|| {
            let mut stream = TcpStream::connect(SERVER).expect("the server listens");
            stream.write_all(b"request").expect("an open connection");
            stream.shutdown(Shutdown::Write).expect("an open connection");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("the answer");
            assert_eq!(got, b"answer");
        });
    });
}

fn wanted(pod: &Netns) -> WantedNamespace {
    WantedNamespace {
        name: pod.path().display().to_string(),
        namespace: Namespace::Path(pod.path()),
        interfaces: vec!["eth*".to_owned()],
    }
}

/// The payload that has been captured, and the labels under which.
fn captured(source: &mut LiveSource, labels: &mut BTreeSet<u32>) -> Vec<(Option<Direction>, Vec<u8>)> {
    let mut payload = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        let mut take = |segment: &Segment<'_>| {
            labels.insert(segment.ifindex);
            if !segment.payload.is_empty() {
                payload.push((segment.direction, segment.payload.to_vec()));
            }
        };
        source
            .poll(Duration::from_millis(20), &mut take)
            .expect("the ring can be read");
    }
    payload
}

/// A pod and its client.
fn pair() -> [Netns; 2] {
    joined([("c0", "10.88.0.1"), ("eth0", "10.88.0.2")])
}

#[test]
fn each_namespace_has_a_label_of_its_own_by_links_and_by_filters() {
    if !is_root() {
        return;
    }
    for method in [Method::Tcx, Method::Clsact] {
        if method == Method::Tcx && Method::of_this_kernel() == Method::Clsact {
            println!("SKIPPED: this kernel has no TCX");
            continue;
        }
        let pods = [(); 2].map(|()| pair());
        let options = LoadOptions {
            method: Some(method),
            ..LoadOptions::default()
        };
        let Program {
            mut attacher,
            targets,
            mut source,
            stats,
            control: _control,
            mute: _mute,
        } = Program::load(&options).expect("the kernel program loads");
        targets
            .set(&["80".parse().expect("a port")], &[])
            .expect("targets can be set");
        let traffic = Arc::new(Traffic::default());
        let maps = InsideMaps::load(&mut attacher, traffic).expect("the other programs load");
        let (stream, process) = attach::start(&mut attaching(false)).expect("the attach process starts");
        let all = pods.iter().map(|[_, pod]| wanted(pod)).collect();
        let namespaces =
            Namespaces::attach(maps, method, (stream, Box::new(process)), all).expect("an attach process");
        let mut seen = BTreeSet::new();
        // The first poll beats the heart.
        source
            .poll(Duration::ZERO, &mut |_| ())
            .expect("the ring can be read");
        for [client, pod] in &pods {
            let names = attached::programs(pod, "eth0");
            assert_eq!(names, ["shadow_ingress", "shadow_egress"], "{method:?}");
            exchange(client, pod);
            let payload = captured(&mut source, &mut seen);
            let request = (Some(Direction::ToServer), b"request".to_vec());
            let answer = (Some(Direction::ToClient), b"answer".to_vec());
            assert_eq!(payload, [request, answer], "{method:?}");
        }
        assert_eq!(seen.len(), 2, "{method:?}: one label a pod: {seen:x?}");
        assert!(seen.iter().all(|label| label & LABELLED != 0), "{seen:x?}");
        assert_eq!(stats.read().expect("counters can be read").law(), Ok(()));
        drop(namespaces);
        for [client, pod] in &pods {
            assert!(
                attached::programs(pod, "eth0").is_empty(),
                "{method:?} leaves nothing"
            );
            exchange(client, pod);
        }
    }
}

#[test]
fn a_filter_that_a_killed_agent_has_left_lets_everything_pass_and_is_replaced() {
    if !is_root() {
        return;
    }
    let [client, pod] = pair();
    let options = LoadOptions {
        method: Some(Method::Clsact),
        ..LoadOptions::default()
    };
    // One that is for pods takes no path.
    let mut program = Program::load(&options).expect("the kernel program loads");
    let maps = InsideMaps::load(&mut program.attacher, Arc::default()).expect("the other programs load");
    let (stream, process) = attach::start(&mut attaching(true)).expect("the attach process starts");
    let helper = (stream, Box::new(process) as Box<_>);
    let refused =
        Namespaces::attach(maps, Method::Clsact, helper, vec![wanted(&pod)]).expect("an attach process");
    assert_eq!(
        refused.seen()[0]
            .blind
            .map(shadow_agent::capture::namespaces::Blind::as_str),
        Some("not_attached")
    );
    drop(refused);
    for _ in 0..2 {
        let mut program = Program::load(&options).expect("the kernel program loads");
        let maps = InsideMaps::load(&mut program.attacher, Arc::default()).expect("the other programs load");
        let (stream, process) = attach::start(&mut attaching(false)).expect("the attach process starts");
        let helper = (
            stream.try_clone().expect("a descriptor"),
            Box::new(process) as Box<_>,
        );
        let namespaces =
            Namespaces::attach(maps, Method::Clsact, helper, vec![wanted(&pod)]).expect("an attach process");
        assert_eq!(attached::programs(&pod, "eth0").len(), 2, "one at each hook");
        // As when the agent is killed: the attach process gets no order.
        stream.shutdown(Shutdown::Both).expect("an open connection");
        drop(namespaces);
        drop(program);
        assert_eq!(
            attached::programs(&pod, "eth0").len(),
            2,
            "filters outlive their agent"
        );
        exchange(&client, &pod);
    }
}
