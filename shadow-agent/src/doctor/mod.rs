//! Checks of this host for `shadow doctor`.
//!
//! Owns: the checks of the host ([`host`]) and of its interfaces ([`links`]). Reads only: nothing is attached, and the
//! one kernel program that is loaded, as a test, is unloaded before the next check. Bias: a warning is for reduced
//! function; a failure is for what keeps `shadow run` from starting.

pub mod host;
pub mod links;

use serde::Serialize;

/// The version of [`Examination`] in JSON.
pub const FORMAT: u32 = 1;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Works.
    Ok,
    /// Works with restrictions.
    Warn,
    /// `shadow run` will not start.
    Fail,
}

/// Result of one check.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The subject of the check.
    pub check: &'static str,
    /// Its severity.
    pub level: Level,
    /// The result; for a warning or failure also what will not work, why, and what to do.
    pub text: String,
}

/// All findings.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Examination {
    /// [`FORMAT`].
    pub format: u32,
    /// The worst level of all.
    pub worst: Level,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Level {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

impl Finding {
    pub(crate) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            text: text.into(),
        }
    }

    pub(crate) fn warn(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            ..Self::ok(check, text)
        }
    }

    pub(crate) fn fail(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::ok(check, text)
        }
    }
}

/// Runs every check.
pub fn examine() -> Examination {
    let mut findings = vec![
        host::kernel(&host::release()),
        host::capabilities(&crate::capture::load::missing_capabilities()),
        host::program(),
        host::jit(host::read("/proc/sys/net/core/bpf_jit_enable").as_deref()),
        host::memlock(&host::release()),
        host::bpffs(host::read("/proc/mounts").as_deref()),
        host::lockdown(host::read("/sys/kernel/security/lockdown").as_deref()),
        host::confinement(
            crate::privs::knows_landlock(),
            host::read("/proc/self/status").as_deref(),
        ),
        host::namespaces(),
    ];
    findings.push(links::agents());
    findings.extend(links::interfaces());
    Examination::of(findings)
}

impl Examination {
    fn of(findings: Vec<Finding>) -> Self {
        Self {
            format: FORMAT,
            worst: findings
                .iter()
                .map(|finding| finding.level)
                .max()
                .unwrap_or(Level::Ok),
            findings,
        }
    }

    /// With a further finding.
    #[must_use]
    pub fn and(self, finding: Finding) -> Self {
        let mut findings = self.findings;
        findings.push(finding);
        Self::of(findings)
    }
}

#[cfg(test)]
mod tests;
