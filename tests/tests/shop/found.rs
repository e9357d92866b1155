//! Every planted fault is found under the right category and group, and nothing else is, over ten thousand exchanges
//! with natural differences in nearly every answer. No rule describes the natural differences. A recording of the same
//! traffic, replayed later against the same rewrite, gives the same findings.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use shadow_core::evidence::{
    Ruling,
    report::{Report, Standing},
};
use shadow_tests::{
    agent::{self, Agent, Plan},
    demo::checklist::{is_planted, sign},
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    process::{Launch, Process, wait_until},
    shop::{PLANTED, rpc::DESCRIPTORS},
};

const PORT: u16 = 80;

/// A busy machine may need a while for ten thousand.
const LIMIT: Duration = Duration::from_mins(2);

const RECORDING: &str = "traffic.pcapng";

/// Two editions and their customers compete with the agent for the machine, so other routes that are slow here are
/// ignored.
const CONFIG: &str = "noise: {twice: 50%}\ngates: {latency_floor: 60ms}\nshadow: {concurrency: 128}\n";

/// The configuration, with the set of descriptors in this folder.
fn config(home: &Path) -> String {
    let set = home.join("shop.pb");
    fs::write(&set, DESCRIPTORS).expect("a set of descriptors");
    format!("{CONFIG}compare: {{proto_descriptors: {}}}\n", set.display())
}

/// A program next to the test executables.
fn program(name: &str, args: &[&str], directory: &Path, namespace: &Netns) -> Process {
    let path = match name {
        "shadow-demo-load" => env!("CARGO_BIN_EXE_shadow-demo-load"),
        _ => env!("CARGO_BIN_EXE_shadow-demo-service"),
    };
    let directory = directory.join(args.join("-").replace([':', '/', '.'], "-"));
    fs::create_dir_all(&directory).expect("a directory for output");
    Launch::new(path, &directory).args(args).start(namespace)
}

fn enough(agent: &Agent) -> Report {
    let start = std::time::Instant::now();
    loop {
        let report = agent.report();
        if report.funnel.matched + report.funnel.mismatched > 10_000 {
            return report;
        }
        assert!(start.elapsed() < LIMIT, "too slow: {:#?}", report.funnel);
        std::thread::sleep(Duration::from_millis(250));
    }
}

#[test]
fn every_planted_fault_is_found_and_nothing_else_is() {
    need!(Root);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let home = directory.path();
    let lab = Lab::new();
    let (production, rewrite) = (
        Lab::production(PORT).to_string(),
        Lab::shadow_system(PORT).to_string(),
    );
    let shops = (
        shop(home, "production", &production, &lab.server),
        shop(home, "rewrite", &rewrite, &lab.shadow),
    );
    let url = format!("http://{rewrite}");
    let live = mirrored(&lab, home, &production, &url);
    judge(&live);
    let replayed = replayed(&lab.server, home, &url);
    drop(shops);
    judge(&replayed);
    assert_eq!(regressions(&replayed), regressions(&live));
    let [then, now] = [&live, &replayed].map(|report| report.match_rate.rate.expect("comparisons"));
    assert!(
        (then - now).abs() < 0.02,
        "match rate {then} live, {now} from the recording"
    );
}

/// A shop that listens.
fn shop(home: &Path, edition: &str, listen: &str, namespace: &Netns) -> Process {
    let args = [edition, "--listen", listen];
    let mut process = program("shadow-demo-service", &args, home, namespace);
    wait_until("the shop listens", Duration::from_secs(10), || {
        assert!(process.is_running(), "{}", process.output());
        process.stdout().contains("listening")
    });
    process
}

/// The last report on customers' traffic, which is recorded too.
fn mirrored(lab: &Lab, home: &Path, production: &str, shadow: &str) -> Report {
    let config = home.join("shadow.yaml");
    let record = format!(
        "record: {{file: {}, redact: none}}\n",
        home.join(RECORDING).display()
    );
    fs::write(&config, self::config(home) + &record).expect("a configuration");
    let mut agent = Plan::new(home)
        .capture(Lab::LINK, PORT)
        .args(&["--config", &config.display().to_string()])
        .args(&["--shadow", shadow, "--timeout", "3s"])
        .start(&lab.server);
    let args = [
        production,
        "--rate",
        "400",
        "--customers",
        "24",
        "--seconds",
        "120",
    ];
    let customers = program("shadow-demo-load", &args, home, &lab.client);
    enough(&agent);
    drop(customers);
    let report = agent.settled_when("the last replays are over", |report| report.funnel.in_flight == 0);
    assert_laws(&report);
    agent.stop()
}

/// The report of a replay of the recording, at its own pace.
fn replayed(namespace: &Netns, home: &Path, shadow: &str) -> Report {
    let rules = home.join("replay.yaml");
    fs::write(&rules, config(home)).expect("a configuration");
    let mut replay = Launch::new(agent::binary(), home)
        .args(["replay", "--json", "--shadow", shadow, "--config"])
        .args([rules, home.join(RECORDING)])
        .start(namespace);
    assert_eq!(replay.wait(LIMIT).code(), Some(1), "{}", replay.output());
    let report: Report = serde_json::from_str(&replay.stdout()).expect("a report");
    assert_laws(&report);
    report
}

/// The faults by route and place. The directives of a field differ one by one.
fn regressions(report: &Report) -> BTreeSet<(&str, Vec<&str>)> {
    report
        .groups
        .iter()
        .filter(|group| group.standing == Standing::Regression)
        .map(|group| (group.route.as_str(), group.place.split(' ').take(2).collect()))
        .collect()
}

fn judge(report: &Report) {
    let shown = || {
        let groups = report.groups.iter();
        let lines = groups.map(|group| {
            format!(
                "{:?} {}x {} {} {} {:?}",
                group.standing, group.exchanges, group.route, group.category, group.place, group.shifts
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    for planted in &PLANTED {
        assert!(sign(planted, report).is_some(), "{}\n{}", planted.what, shown());
    }
    let strays: Vec<_> = report
        .groups
        .iter()
        .filter(|group| group.standing == Standing::Regression && !is_planted(&group.route))
        .map(|group| (&group.route, &group.category, &group.place, &group.shifts))
        .collect();
    assert!(strays.is_empty(), "{strays:#?}");
    // On the routes with a fault, only the fault counts as well.
    let faults = regressions(report);
    assert_eq!(
        faults.len(),
        7,
        "one place for each fault but the slow one:\n{}",
        shown()
    );
    assert!(
        report
            .groups
            .iter()
            .any(|group| group.standing == Standing::Noise)
    );
    assert_eq!(report.judgement.ruling, Ruling::NoGo);
    let funnel = &report.funnel;
    assert!(funnel.noise > 4_000, "{funnel:#?}");
    println!("{} noise, {} regressions", funnel.noise, funnel.regressions);
}
