#![no_main]

// The operator writes this file, so its depth is bounded by the reader and not by a small stack.
libfuzzer_sys::fuzz_target!(|input: &[u8]| shadow_fuzz::config::run(input));
