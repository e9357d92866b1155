//! The binary `shadow`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shadow_agent::cli::main()
}
