//! Tests of the sans-io engine against an independently written oracle.
//!
//! One binary for all of it: the oracle in [`support`] is shared, and linking is the slow part of a test run.

mod assembler;
mod bounded;
mod bulk;
#[expect(unreachable_pub, reason = "what libFuzzer tries is a public function there")]
mod fuzzed;
mod http2;
mod http2_floods;
mod hyper_oracle;
mod liveness;
mod loss;
mod lossless;
mod oracle;
mod seq;
mod support;
mod transcripts;
mod tricks;
