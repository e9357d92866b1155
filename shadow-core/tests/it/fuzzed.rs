//! What libFuzzer tries (`fuzz/`), here on its seeds, on every input that once broke something, and on changes of them.

#[path = "../../../fuzz/src/again.rs"]
mod again;
#[path = "../../../fuzz/src/compare.rs"]
mod compare;
#[path = "../../../fuzz/src/decode.rs"]
mod decode;
#[path = "../../../fuzz/src/redact.rs"]
mod redact;

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
fn documents_with_secrets() {
    target("redact", &["fuzz/seeds/redact"], redact::run);
}
