//! The libFuzzer targets (`fuzz/`), run on their seeds, on every input that once failed, and on variations of them.

#[path = "../../../fuzz/src/again.rs"]
mod again;
#[path = "../../../fuzz/src/assembler.rs"]
mod assembler;
#[path = "../../../fuzz/src/connection.rs"]
mod connection;
#[path = "../../../fuzz/src/engine.rs"]
mod engine;
#[path = "../../../fuzz/src/http2.rs"]
mod http2;
#[path = "../../../fuzz/src/record.rs"]
mod record;

use again::target;

#[test]
fn records_and_frames() {
    target("record", &["fuzz/seeds/record"], record::run);
}

#[test]
fn assembler_operations() {
    target("assembler", &["fuzz/seeds/assembler"], assembler::run);
}

#[test]
fn connections() {
    target("connection", &["shadow-proto/tests/transcripts"], connection::run);
}

#[test]
fn http2_frames() {
    target("http2", &["fuzz/seeds/http2"], http2::run);
}

#[test]
fn engine_operations() {
    target("engine", &["fuzz/seeds/engine"], engine::run);
}
