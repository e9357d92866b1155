//! The agent lowers its sample by itself and raises it again, and yields to all other processes on the node's CPUs.

use std::time::Duration;

use rustix::process::Signal;
use shadow_tests::{client::Connection, laws::assert_laws, need, process::wait_until, scene::Scene};

use super::{plan, same, visited};

#[test]
fn an_agent_that_costs_too_much_lowers_its_sample_and_raises_it_again() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = same(&scene, 80);
    let text = format!(
        "capture: {{sample: 80%}}\nshadow:\n  url: http://{}\nbudget: {{cores: 0.1, calm: 1s, floor: 20%}}\ntrips: {{budget: null}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let sample = |agent: &shadow_tests::agent::Agent| agent.status()["sample"].as_f64().unwrap();
    assert!((sample(&agent) - 0.8).abs() < 1e-6);
    // As many visits as an agent without optimisation can follow: one that cannot also loses packets, and says that first.
    let (lowest, _) = visited(&scene, Duration::from_millis(1), || {
        wait_until("the sample is lowered", Duration::from_secs(15), || {
            sample(&agent) < 0.79
        });
        sample(&agent)
    });
    assert!(lowest >= 0.8 * 0.2 - 1e-6, "{lowest}");
    let status = agent.status();
    let why = status["trips"][0]["reason"].as_str().unwrap();
    assert!(why.contains("CPU time is over the budget"), "{why}");
    let mut highest = 0.0f64;
    wait_until("the sample is raised again", Duration::from_mins(1), || {
        // To answer costs an agent without optimisation up to 40 ms of CPU time: asked twice a second, it is over the budget.
        std::thread::sleep(Duration::from_secs(3));
        highest = highest.max(sample(&agent));
        highest > 0.79
    });
    assert!(highest < 0.8 + 1e-6, "never above what was set: {highest}");
    agent.stop();
}

#[test]
fn a_ring_that_fills_lowers_the_sample_before_anything_is_lost() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let text = "capture: {ring_size: 2MiB}\n\
                budget: {cores: 0, memory: 0, memory_pressure: 0%, ring_used: 40%, floor: 50%, calm: 1m}\n";
    let path = scene.directory.path().join("observe.yaml");
    std::fs::write(&path, text).unwrap();
    let mut agent = scene
        .observer()
        .args(&["--config", path.to_str().unwrap()])
        .start(&scene.lab.server);
    let mut connection = scene
        .lab
        .client
        .run(|| Connection::open(Scene::production()).unwrap());
    wait_until("the sample is lowered", Duration::from_secs(20), || {
        // The reader is delayed while less arrives than the ring holds.
        agent.process.signal(Signal::STOP);
        for _ in 0..16 {
            connection.get("/64k.json", "").unwrap();
        }
        agent.process.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(100));
        agent.status()["sample"].as_f64().unwrap() < 0.9
    });
    let status = agent.status();
    let why = status["trips"][0]["reason"].as_str().unwrap();
    assert!(
        why.contains("the part of the ring that waits to be read is over the budget"),
        "{why}"
    );
    assert_eq!(status["ring"]["full"], 0, "{status}");
    let report = agent.stop();
    assert_laws(&report);
    assert!(report.funnel.exchanges >= 32, "{:#?}", report.funnel);
}

/// Name, nice value and scheduling policy of each thread (proc_pid_stat(5)).
fn threads(pid: u32) -> Vec<(String, String, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stats = tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats
        .map(|stat| {
            let (name, fields) = stat.rsplit_once(") ").unwrap();
            let fields: Vec<_> = fields.split(' ').collect();
            let name = name.split_once('(').unwrap().1;
            (name.to_owned(), fields[16].to_owned(), fields[38].to_owned())
        })
        .collect()
}

#[test]
fn what_replays_and_compares_stands_behind_everything_else() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let mut agent = scene.agent().start(&scene.lab.server);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        // Large enough to be compared on a separate thread.
        connection.get("/1m.bin", "").unwrap();
    });
    agent.settled(1);
    let threads = threads(agent.process.pid());
    let of = |name: &str| {
        let found = threads.iter().find(|(thread, ..)| thread == name);
        let (_, nice, policy) = found.unwrap_or_else(|| panic!("no thread {name}: {threads:?}"));
        (nice.as_str(), policy.as_str())
    };
    // The other threads have the nice value that the agent was started with, which is this one's. SCHED_BATCH is 3,
    // SCHED_OTHER 0 (sched.h).
    let own = rustix::process::getpriority_process(None).unwrap();
    let lowered = (&*own.max(5).to_string(), "3");
    assert_eq!((of("shadow-replay"), of("shadow-compare")), (lowered, lowered));
    let own = (&*own.to_string(), "0");
    assert_eq!((of("shadow-capture"), of("shadow-control")), (own, own));
    assert_laws(&agent.stop());
}
