#![no_main]

use shadow_fuzz::{again::on_small_stack, values::run};

libfuzzer_sys::fuzz_target!(|input: &[u8]| on_small_stack(run, input));
