//! The fuzz targets (`fuzz/`), run on their seeds, on every input that once failed, and on mutations of these.

#[path = "../../../fuzz/src/again.rs"]
mod again;
#[path = "../../../fuzz/src/compare.rs"]
mod compare;
#[expect(dead_code, reason = "only its lines are used here")]
#[path = "../../../fuzz/src/connection.rs"]
mod connection;
#[path = "../../../fuzz/src/decode.rs"]
mod decode;
#[expect(dead_code, reason = "only its connections are used here")]
#[path = "../../../fuzz/src/engine.rs"]
mod engine;
#[path = "../../../fuzz/src/grpc.rs"]
mod grpc;
#[path = "../../../fuzz/src/mask.rs"]
mod mask;
#[path = "../../../fuzz/src/redact.rs"]
mod redact;
#[path = "../../../fuzz/src/values.rs"]
mod values;

use again::target;

#[test]
fn content_codings() {
    target("decode", &["fuzz/seeds/decode"], decode::run);
}

#[test]
fn pairs_of_bodies() {
    target("compare", &["fuzz/seeds/compare"], compare::run);
}

#[test]
fn messages_of_grpc() {
    target("grpc", &["fuzz/seeds/grpc"], grpc::run);
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

#[test]
fn values_that_correspond() {
    target("values", &["fuzz/seeds/values"], values::run);
}
