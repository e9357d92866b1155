//! Comparison and redaction of expensive or hostile content.

mod costly;
#[expect(
    unreachable_pub,
    reason = "the fuzz targets are public functions in their own crate"
)]
mod fuzzed;
mod masked;
#[expect(
    dead_code,
    reason = "the generators of captures, of which one part is used here"
)]
#[path = "../../../shadow-proto/tests/it/support/mod.rs"]
mod support;
