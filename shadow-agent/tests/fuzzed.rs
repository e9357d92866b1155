//! What libFuzzer tries of the agent (`fuzz/`), here on its seeds, on every input that once broke something, and on changes
//! of them.

#![expect(unreachable_pub, reason = "what libFuzzer tries is a public function there")]

#[path = "../../fuzz/src/again.rs"]
mod again;
#[path = "../../fuzz/src/config.rs"]
mod config;
#[path = "../../fuzz/src/offline.rs"]
mod offline;
#[path = "../../fuzz/src/pcap.rs"]
mod pcap;

use again::target;

#[test]
fn capture_files() {
    target("pcap", &["fuzz/seeds/pcap", "tests/pcaps"], pcap::run);
}

#[test]
fn configurations() {
    target("config", &["fuzz/seeds/config"], config::run);
}

#[test]
fn files_from_elsewhere() {
    target(
        "offline",
        &["fuzz/seeds/offline", "fuzz/seeds/pcap"],
        offline::run,
    );
}
