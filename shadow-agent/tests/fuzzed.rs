//! The fuzz targets of the agent (`fuzz/`), run on their seeds, on every input that once caused a failure, and on
//! mutations of them.

#![expect(unreachable_pub, reason = "what libFuzzer tries is a public function there")]

#[path = "../../fuzz/src/again.rs"]
mod again;
#[path = "../../fuzz/src/config.rs"]
mod config;
#[path = "../../fuzz/src/offline.rs"]
mod offline;
#[path = "../../fuzz/src/pcap.rs"]
mod pcap;

use again::{on_any_stack, target};

#[test]
fn capture_files() {
    target("pcap", &["fuzz/seeds/pcap", "tests/pcaps"], pcap::run);
}

#[test]
fn configurations() {
    on_any_stack("config", &["fuzz/seeds/config"], config::run);
}

#[test]
fn files_from_elsewhere() {
    target(
        "offline",
        &["fuzz/seeds/offline", "fuzz/seeds/pcap"],
        offline::run,
    );
}
