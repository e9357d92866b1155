//! Rules for source files that no lint covers: length, where `unsafe` is allowed, words the core may not use.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::shell;

const LINES: usize = 400;

/// Files in which `unsafe` is allowed, and why. A file joins this list in the commit that justifies it.
const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "shadow-agent/src/attach/label.rs",
        "bpf(BPF_PROG_LOAD), getsockopt(SO_NETNS_COOKIE)",
    ),
    (
        "shadow-agent/src/capture/mapped.rs",
        "words of memory that the kernel or another process sees, too",
    ),
    (
        "shadow-agent/src/capture/tcx.rs",
        "bpf(BPF_LINK_CREATE, BPF_PROG_QUERY, BPF_OBJ_GET_INFO_BY_FD)",
    ),
    ("shadow-agent/src/pipeline/priority.rs", "sched_setscheduler(2)"),
    (
        "shadow-agent/src/replay/credentials/command.rs",
        "prctl(PR_SET_PDEATHSIG) between fork and exec",
    ),
    ("shadow-agent/src/replay/tcp_info.rs", "getsockopt(TCP_INFO)"),
    ("shadow-ebpf/src/emit.rs", "helpers and maps of the kernel"),
    ("shadow-ebpf/src/explain.rs", "helpers and maps of the kernel"),
    ("shadow-ebpf/src/gate.rs", "helpers and maps of the kernel"),
    ("shadow-ebpf/src/main.rs", "exported symbols"),
    ("shadow-ebpf/src/maps.rs", "helpers and maps of the kernel"),
    ("shadow-ebpf/src/skb.rs", "helpers and maps of the kernel"),
    (
        "tests/tests/privs/attempts.rs",
        "system calls that the agent never makes, to see them refused",
    ),
];

/// Attributes that the roots of crates must have. Core and common read captured, hostile bytes.
const ROOTS: &[(&str, &[&str])] = &[
    ("shadow-core/src/lib.rs", HOSTILE),
    ("shadow-proto/src/lib.rs", HOSTILE),
    ("shadow-common/src/lib.rs", HOSTILE),
    ("shadow-agent/src/lib.rs", &["#![warn(clippy::unwrap_used)]"]),
];
const HOSTILE: &[&str] = &[
    "#![forbid(unsafe_code)]",
    "#![deny(missing_docs)]",
    "#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]",
];

/// The core has no clock, no sockets, no files, no threads, no runtime.
const NOT_IN_CORE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "std::net::Tcp",
    "std::net::Udp",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "tokio::",
    "libc::",
];

/// Reads every source file under version control.
pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for path in shell::tracked(&["*.rs"])? {
        let text = fs::read_to_string(shell::root().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        file(&path, &text, &mut faults);
    }
    for (root, attributes) in ROOTS {
        let text =
            fs::read_to_string(shell::root().join(root)).with_context(|| format!("cannot read {root}"))?;
        for attribute in *attributes {
            if !text.contains(*attribute) {
                faults.push(format!("{root}: lacks {attribute}"));
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}

fn file(path: &Path, text: &str, faults: &mut Vec<String>) {
    let name = path.display();
    let is_test = is_test(path);
    // By convention tests are last in a file. Only production code counts.
    let lines = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .count();
    if lines > LINES && !is_test {
        faults.push(format!(
            "{name}: {lines} lines of production code, at most {LINES}: split the file"
        ));
    }
    let may_be_unsafe = UNSAFE_FILES.iter().any(|(file, _)| path == Path::new(file));
    let is_core = path.starts_with("shadow-core/src")
        || path.starts_with("shadow-proto/src")
        || path.starts_with("shadow-common/src");
    let mut in_tests = is_test;
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        let code = code_of(line);
        // By project convention tests are last in a file.
        in_tests |= code.trim() == "#[cfg(test)]";
        if code.contains("#[allow(") || code.contains("#![allow(") {
            faults.push(format!(
                "{name}:{at}: #[allow]; use #[expect(lint, reason = \"...\")]"
            ));
        }
        if is_unsafe(&code) && !may_be_unsafe {
            faults.push(format!("{name}:{at}: unsafe outside the files of UNSAFE_FILES"));
        }
        if is_core && !in_tests {
            for word in NOT_IN_CORE.iter().filter(|word| code.contains(*word)) {
                faults.push(format!(
                    "{name}:{at}: {word} in the core, which has no I/O and no clock"
                ));
            }
        }
    }
}

/// Whether a file holds tests only: a folder `tests`, `tests.rs` or `x_tests.rs`.
fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.ends_with("tests") || path.components().any(|part| part.as_os_str() == "tests")
}

/// The line without its comment and without quoted text.
fn code_of(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if quoted => {
                chars.next();
            }
            // A character literal.
            '\'' if !quoted && chars.peek() == Some(&'"') => {
                chars.next();
            }
            '"' => quoted = !quoted,
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            _ if quoted => {}
            _ => code.push(char),
        }
    }
    code
}

fn is_unsafe(code: &str) -> bool {
    code.split(|char: char| !char.is_alphanumeric() && char != '_')
        .any(|word| word == "unsafe")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{code_of, file};

    fn faults(path: &str, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        file(Path::new(path), text, &mut faults);
        faults
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        assert_eq!(
            code_of("let x = \"unsafe // \\\" {\"; // unsafe").trim(),
            "let x = ;"
        );
    }

    #[test]
    fn a_long_file_is_a_fault() {
        assert_eq!(faults("a.rs", &"\n".repeat(400)), Vec::<String>::new());
        assert_eq!(faults("a.rs", &"\n".repeat(401)).len(), 1);
    }

    #[test]
    fn unsafe_and_allow_are_faults_with_a_place() {
        let text = "#[allow(dead_code)]\nunsafe { it() }\nforbid(unsafe_code)\n";
        let found = faults("shadow-agent/src/a.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("shadow-agent/src/a.rs:1:"), "{found:?}");
    }

    #[test]
    fn the_core_has_no_clock_but_its_tests_may() {
        let clock = "let now = Instant::now();\n";
        assert_eq!(faults("shadow-core/src/a.rs", clock).len(), 1);
        assert_eq!(faults("shadow-agent/src/a.rs", clock).len(), 0);
        assert_eq!(faults("shadow-core/tests/a.rs", clock).len(), 0);
        assert_eq!(
            faults("shadow-core/src/a.rs", &format!("#[cfg(test)]\n{clock}")).len(),
            0
        );
    }
}
