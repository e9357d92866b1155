//! The independent half of every test here: what was sent, how it crossed the wire, and what a passive observer may
//! conclude. Nothing in this module calls the code under test except [`drive`].
//!
//! `spec --encode--> Conversation --wire--> Vec<Captured> --capture--> Vec<Captured> --drive--> Report --check`

pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod chunks;
pub(crate) mod drive;
pub(crate) mod encode;
pub(crate) mod fields;
pub(crate) mod h2;
pub(crate) mod rng;
pub(crate) mod scene;
pub(crate) mod spec;
pub(crate) mod strategy;
pub(crate) mod transcript;
pub(crate) mod wire;

use proptest::{
    prelude::ProptestConfig,
    test_runner::{Config, RngSeed},
};

/// Runs of a property: the same every time, so that a failure means a change. `PROPTEST_RNG_SEED` draws others and
/// `PROPTEST_CASES=2560` ten times as many. Failing cases are stored in `tests/proptest-regressions` and rerun.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(0x5ad0),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    Config {
        cases: cases * config.cases / 256,
        rng_seed,
        max_shrink_time: 20_000,
        ..config
    }
}
