//! What libFuzzer tries (`fuzz/`), here on its seeds, on every input that once broke something, and on changes of them.

#[path = "../../../fuzz/src/again.rs"]
mod again;
#[path = "../../../fuzz/src/assembler.rs"]
mod assembler;
#[path = "../../../fuzz/src/compare.rs"]
mod compare;
#[path = "../../../fuzz/src/connection.rs"]
mod connection;
#[path = "../../../fuzz/src/decode.rs"]
mod decode;
#[path = "../../../fuzz/src/engine.rs"]
mod engine;
#[path = "../../../fuzz/src/mask.rs"]
mod mask;
#[path = "../../../fuzz/src/record.rs"]
mod record;
#[path = "../../../fuzz/src/redact.rs"]
mod redact;

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
    target("connection", &["shadow-core/tests/transcripts"], connection::run);
}

#[test]
fn engine_operations() {
    target("engine", &["fuzz/seeds/engine"], engine::run);
}

#[test]
fn content_codings() {
    target("decode", &["fuzz/seeds/decode"], decode::run);
}

#[test]
fn pairs_of_bodies() {
    target("compare", &["fuzz/seeds/compare"], compare::run);
}

#[test]
fn documents_with_secrets() {
    target("redact", &["fuzz/seeds/redact"], redact::run);
}

#[test]
fn recordings_with_secrets() {
    target(
        "mask",
        &["fuzz/seeds/mask", "shadow-core/tests/transcripts"],
        mask::run,
    );
}
