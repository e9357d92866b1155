//! The binary `shadow`.

fn main() {}
