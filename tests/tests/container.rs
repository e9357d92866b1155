//! The container image: built from `deploy/Containerfile` with the static binary, and run with the capabilities of
//! `deploy/daemonset.yaml` on real traffic.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use shadow_core::evidence::report::Report;
use shadow_tests::{
    agent::binary,
    attached,
    client::Connection,
    laws::assert_laws,
    need,
    netns::{Lab, Netns},
    process::wait_until,
    scene::Scene,
};

/// Separate storage and settings: the host's containers are neither seen nor changed.
struct Engine {
    home: PathBuf,
    namespace: Netns,
}

/// Options that work on a machine without systemd and with a low hard limit of open files.
const SETTINGS: &str = "\
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
[containers]
default_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]
";

impl Engine {
    fn new(home: &Path, namespace: &Netns) -> Self {
        fs::create_dir_all(home).unwrap();
        fs::write(home.join("containers.conf"), SETTINGS).unwrap();
        Self {
            home: home.to_owned(),
            namespace: namespace.handle(),
        }
    }

    /// Runs `buildah` or `podman` inside the namespace, which thus is the container's host network.
    fn run(&self, program: &str, words: &[&str]) -> Output {
        self.namespace.run(|| {
            Command::new(program)
                .arg("--root")
                .arg(self.home.join("root"))
                .arg("--runroot")
                .arg(self.home.join("run"))
                .args(["--storage-driver", "vfs"])
                .args(words)
                .env("CONTAINERS_CONF", self.home.join("containers.conf"))
                .output()
                .unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
        })
    }

    fn must(&self, program: &str, words: &[&str]) -> String {
        let output = self.run(program, words);
        assert!(
            output.status.success(),
            "{program} {words:?} ended with {}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.logs()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn logs(&self) -> String {
        let output = self.run("podman", &["logs", "shadow"]);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn report(&self) -> Option<Report> {
        let output = self.run("podman", &["exec", "shadow", "/shadow", "report", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.run("podman", &["rm", "--force", "--time", "0", "--all"]);
        // Layers are mounted while a container runs; the temporary directory can be removed afterwards.
        self.run("podman", &["rmi", "--force", "--all"]);
    }
}

/// Where `cargo xtask test` puts the static binary: `target/static/TRIPLE/debug/shadow`.
fn static_binary() -> Option<PathBuf> {
    let built = binary();
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let path = built
        .ancestors()
        .nth(2)?
        .join("static")
        .join(triple)
        .join("debug/shadow");
    path.is_file().then_some(path)
}

/// Builds the image from `deploy/Containerfile` around this binary.
fn build(engine: &Engine, binary: &Path) {
    let context = engine.home.join("context");
    fs::create_dir_all(&context).unwrap();
    fs::copy(binary, context.join("shadow")).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/Containerfile");
    let (file, context) = (file.to_str().unwrap(), context.to_str().unwrap());
    engine.must("buildah", &["build", "-q", "-t", "shadow", "-f", file, context]);
}

/// As in `deploy/daemonset.yaml`: host network, read-only, four capabilities.
fn start(engine: &Engine) {
    let options = "run --detach --name shadow --network host --read-only --tmpfs /run/shadow --tmpfs /var/lib/shadow \
                   --cap-drop all --cap-add BPF --cap-add PERFMON --cap-add NET_ADMIN --cap-add NET_RAW \
                   --security-opt seccomp=unconfined shadow";
    let target = format!("http://{}", Scene::shadow());
    let agent = [
        "run",
        "--interface",
        Lab::LINK,
        "--port",
        "80",
        "--shadow",
        &target,
    ];
    let words: Vec<_> = options.split_whitespace().chain(agent).collect();
    engine.must("podman", &words);
    wait_until(
        "the agent in the container is ready",
        Duration::from_secs(30),
        || engine.report().is_some(),
    );
}

#[test]
fn the_image_mirrors_real_traffic_with_few_capabilities() {
    need!(
        Root,
        Program("nginx"),
        Program("podman"),
        Program("buildah"),
        Program("runc")
    );
    let Some(binary) = static_binary() else {
        println!("SKIPPED: there is no static binary (cargo xtask test builds it)");
        return;
    };
    let scene = Scene::new();
    let _shadow = scene.identical_shadow();
    let engine = Engine::new(&scene.directory.path().join("containers"), &scene.lab.server);
    build(&engine, &binary);
    start(&engine);
    scene.lab.client.run(|| {
        let mut connection = Connection::open(Scene::production()).unwrap();
        for _ in 0..20 {
            assert_eq!(connection.get("/64k.json", "").unwrap().status, 200);
        }
    });
    let mut last = None;
    wait_until("everything is compared", Duration::from_secs(30), || {
        last = engine.report();
        last.as_ref().is_some_and(|report| report.funnel.matched == 20)
    });
    assert_laws(&last.expect("a report"));
    engine.must("podman", &["exec", "shadow", "/shadow", "kill"]);
    engine.must("podman", &["stop", "shadow"]);
    assert!(attached::programs(&scene.lab.server, Lab::LINK).is_empty());
}
