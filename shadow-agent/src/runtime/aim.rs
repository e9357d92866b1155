//! Which endpoints the kernel program copies, and which never.

use super::{error::unavailable, preflight};
use crate::{
    capture::targets::Targets,
    config::{Config, extra_targets::ResolvedTarget},
    replay::Target,
    runtime::RuntimeError,
};

/// Sets the kernel program's production endpoints and the excluded ones, now and when names have other addresses.
pub(super) fn aim(
    config: &Config,
    targets: &Targets,
    wanted: &mut [(ResolvedTarget, Option<Target>)],
) -> Result<(), RuntimeError> {
    admit(config, targets, wanted);
    capture(config, targets, wanted)
}

/// Sets the kernel program's production endpoints, and the addresses of the shadow systems as excluded ones.
pub(super) fn capture(
    config: &Config,
    targets: &Targets,
    wanted: &[(ResolvedTarget, Option<Target>)],
) -> Result<(), RuntimeError> {
    let excluded: Vec<_> = wanted
        .iter()
        .flat_map(|(_, target)| target)
        .flat_map(|target| target.addresses().to_vec())
        .collect();
    targets
        .set(&config.capture.targets, &excluded)
        .map_err(|error| unavailable(&error))
}

/// Lets the names of shadow systems have other addresses later: none that is mirrored itself, and none whose packets
/// would be captured.
fn admit(config: &Config, targets: &Targets, wanted: &mut [(ResolvedTarget, Option<Target>)]) {
    for target in wanted.iter_mut().filter_map(|(_, target)| target.as_mut()) {
        let (production, targets) = (config.capture.targets.clone(), targets.clone());
        let by_tenant = config.is_of_tenant();
        target.admitting(move |new| {
            let mut admitted = new.to_vec();
            admitted.retain(|address| {
                let why = preflight::forbidden(*address, &production, by_tenant);
                if let Some(why) = &why {
                    tracing::error!(%address, "the name of a shadow system has an address that {why}; nothing is sent there");
                }
                why.is_none()
            });
            match targets.exclude(&admitted) {
                Ok(()) => admitted,
                Err(error) => {
                    tracing::error!(%error, "new addresses of a shadow system cannot be kept out of the capture, so they are \
                                    not used");
                    Vec::new()
                }
            }
        });
    }
}
