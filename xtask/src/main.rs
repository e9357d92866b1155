//! Build, test, demo and bench tasks: `cargo xtask --help`.

fn main() {}
