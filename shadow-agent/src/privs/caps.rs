//! Capabilities: of the calling thread, and of the threads that it starts afterwards.

use std::{io, os::unix::fs::MetadataExt as _, path::PathBuf};

use aya::util::KernelVersion;
use rustix::{
    process::geteuid,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    },
};

use super::Needs;

/// The capabilities to keep, of those available.
pub(super) fn keep(needs: &Needs) -> CapabilitySet {
    let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let mut kept = CapabilitySet::BPF;
    if needs.clsact {
        kept |= CapabilitySet::NET_ADMIN;
    }
    if needs.marks {
        // The raw sockets that CAP_NET_RAW permits are refused by seccomp.
        let raw = permitted.contains(CapabilitySet::NET_RAW) && marks_with_raw();
        kept |= if raw {
            CapabilitySet::NET_RAW
        } else {
            CapabilitySet::NET_ADMIN
        };
    }
    // Root opens files of other users by these two. Landlock still limits which files.
    if needs.write.iter().any(is_foreign) {
        kept |= CapabilitySet::DAC_OVERRIDE;
    }
    if needs.read.iter().any(is_foreign) {
        kept |= CapabilitySet::DAC_READ_SEARCH;
    }
    kept & permitted
}

/// The capabilities of the attach process: entering namespaces, opening those of other users, loading programs and
/// attaching them.
pub(super) fn for_namespaces() -> CapabilitySet {
    let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let used = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SYS_PTRACE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::NET_ADMIN
        | CapabilitySet::BPF;
    used & permitted
}

pub(super) const fn none() -> CapabilitySet {
    CapabilitySet::empty()
}

/// Whether CAP_NET_RAW is enough for `SO_MARK` (socket(7)).
fn marks_with_raw() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(5, 17, 0))
}

fn is_foreign(path: &PathBuf) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.uid() != geteuid().as_raw())
}

/// Reduces every set to `kept`; clears the bounding and inheritable ones. Returns whether the bounding set was cleared.
pub(super) fn drop_all_but(kept: CapabilitySet) -> io::Result<bool> {
    let bounded = unbound()?;
    // Kernels before 4.3 have no ambient set, and they are refused.
    clear_ambient_capability_set()?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(bounded)
}

fn unbound() -> io::Result<bool> {
    if !capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(false);
    }
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(one) {
            Ok(true) => remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The last capability that the kernel knows was passed.
            Err(_) => break,
        }
    }
    Ok(true)
}

/// As `getcap` writes them.
pub(super) fn names(kept: CapabilitySet) -> String {
    let names: Vec<String> = kept
        .iter_names()
        .map(|(name, _)| format!("cap_{}", name.to_ascii_lowercase()))
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
