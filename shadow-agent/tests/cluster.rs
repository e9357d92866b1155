//! `kubectl shadow` asks every node through `kubectl`, at once, names those that do not answer, and ends with the worst
//! answer. `kubectl` is a script that answers as a cluster of three nodes would; `cargo xtask cluster` has a real one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Command, Output},
};

use tempfile::TempDir;

/// Two nodes have a pod, the third has none. Each of the two answers to a kill only while the other is asked as well.
const KUBECTL: &str = r#"#!/bin/sh
echo "$*" >>"$0.log"
together() {
  touch "$0.$1"
  for _ in $(seq 200); do [ -e "$0.$2" ] && return; sleep 0.1; done
  echo "asked alone" >&2; exit 1
}
case "$*" in
*"get -o json pods"*) cat <<'END'
{"items": [
  {"metadata": {"name": "a"}, "spec": {"nodeName": "node1"}, "status": {"phase": "Running"}},
  {"metadata": {"name": "b"}, "spec": {"nodeName": "node2"}, "status": {"phase": "Running"}}
]}
END
;;
*"get -o json daemonsets"*) echo '{"items": [{"status": {"desiredNumberScheduled": 3}}]}' ;;
*"get -o json nodes"*) echo '{"items": [{"metadata": {"name": "node1"}}, {"metadata": {"name": "node2"}}, {"metadata": {"name": "node3"}}]}' ;;
*"patch configmap"*) ;;
*"exec a "*doctor*) exec sleep 30 ;;
*"exec a "*kill*) together a b; echo "done on a" ;;
*"exec a "*) echo "done on a" ;;
*"exec b "*kill*) together b a ;;
*"exec b "*) echo "refused on b" >&2; exit "$(cat "$0.code")" ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"#;

struct Cluster {
    folder: TempDir,
}

impl Cluster {
    /// The second node's command ends with this code.
    fn new(code: u8) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kubectl = folder.path().join("kubectl");
        fs::write(&kubectl, KUBECTL).expect("a script");
        fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::write(folder.path().join("kubectl.code"), code.to_string()).expect("a file");
        symlink(env!("CARGO_BIN_EXE_shadow"), folder.path().join("kubectl-shadow")).expect("a link");
        Self { folder }
    }

    /// `kubectl shadow WORDS`.
    fn shadow(&self, words: &[&str]) -> Output {
        let path = std::env::var("PATH").expect("a path");
        Command::new(self.folder.path().join("kubectl-shadow"))
            .args(words)
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .output()
            .expect("it starts")
    }

    /// The words that kubectl was started with.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("kubectl.log")).unwrap_or_default()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &output.stderr].concat()).into_owned()
}

#[test]
fn a_kill_goes_to_the_switch_and_to_every_node_at_once() {
    let cluster = Cluster::new(0);
    let output = cluster.shadow(&["kill", "--timeout", "1m", "--all", "--why", "it's \"4711\""]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(69), "node3 did not answer: {said}");
    for part in [
        "== node1\ndone on a",
        "== node2\n",
        "== node3\nNO ANSWER: it has no pod",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let log = cluster.log();
    let patch = r#"patch configmap shadow-switch --type merge -p {"data":{"kill":"it's \"4711\""}}"#;
    assert!(log.contains(patch), "{log}");
    assert!(
        log.contains("exec b -c shadow -- /shadow kill --why it's"),
        "{log}"
    );
}

#[test]
fn the_worst_answer_decides_and_nodes_can_be_chosen() {
    let cluster = Cluster::new(78);
    let output = cluster.shadow(&["sample", "5%", "--node", "node1", "--node", "node2"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output));
    assert!(text(&output).contains("refused on b"), "{}", text(&output));
    let output = cluster.shadow(&["sample", "5%", "--node", "node1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!cluster.log().contains("patch"), "{}", cluster.log());
    let output = cluster.shadow(&["sample", "5%", "--node", "node9"]);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output));
    let output = cluster.shadow(&["kill"]);
    assert_eq!(
        output.status.code(),
        Some(64),
        "which nodes is not said: {}",
        text(&output)
    );
}

#[test]
fn a_node_that_hangs_is_not_waited_for() {
    let cluster = Cluster::new(0);
    let output = cluster.shadow(&["--timeout", "300ms", "doctor", "--node", "node1"]);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output));
    assert!(
        text(&output).contains("did not answer within 0.3 s"),
        "{}",
        text(&output)
    );
}
