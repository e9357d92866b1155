//! Content that is expensive or hostile, against comparison and redaction.

mod costly;
#[expect(
    unreachable_pub,
    reason = "the fuzz targets are public functions in their own crate"
)]
mod fuzzed;
