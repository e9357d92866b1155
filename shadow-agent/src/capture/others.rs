//! Programs at the hooks of an interface, ours and others.

use std::io;

use aya::programs::{ProgramInfo, SchedClassifier};

use super::{
    hook::{Hook, Method, Role},
    netlink::{self, Interface, Requests},
    tcx,
};

/// Another program on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Other {
    /// The hook it is attached to.
    pub hook: Hook,
    /// How it is attached.
    pub method: Method,
    /// Its program id.
    pub id: Option<u32>,
    /// Its name; its number where a name needs CAP_SYS_ADMIN.
    pub name: String,
    /// Whether it is the program of an agent; `None` where that needs CAP_SYS_ADMIN.
    pub ours: Option<bool>,
}

/// Whether hooks of which the kernel tells nothing are an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Strict {
    Yes,
    No,
}

/// Every program at the hooks of an interface, including ours, in the order in which they run at each.
pub fn others(interface: &Interface) -> Result<Vec<Other>, String> {
    let mut requests = Requests::new().map_err(|error| error.to_string())?;
    asked(interface, &mut requests, Strict::Yes)
}

/// The TCX programs at a hook. Without CAP_SYS_ADMIN they have numbers and no names.
fn tcx_programs(interface: &Interface, hook: Hook) -> io::Result<Vec<Other>> {
    let kind = match hook {
        Hook::Ingress => tcx::INGRESS,
        Hook::Egress => tcx::EGRESS,
    };
    let other = |id: u32, name: Option<String>| Other {
        hook,
        method: Method::Tcx,
        id: Some(id),
        ours: name.as_deref().map(|name| name == Role::Mirror.program(hook)),
        name: name.unwrap_or_else(|| format!("program {id}")),
    };
    let ids = match tcx::programs(interface.index, kind) {
        // Kernels without TCX do not know the query.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(Vec::new()),
        ids => ids?,
    };
    let Ok((_, named)) = SchedClassifier::query_tcx(&interface.name, hook.kind()) else {
        return Ok(ids.into_iter().map(|id| other(id, None)).collect());
    };
    let named = named
        .iter()
        .map(|info: &ProgramInfo| other(info.id(), Some(info.name_as_str().unwrap_or_default().to_owned())));
    Ok(named.collect())
}

pub(crate) fn asked(
    interface: &Interface,
    requests: &mut Requests,
    strict: Strict,
) -> Result<Vec<Other>, String> {
    let mut found = Vec::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        let ours = |name: &str| name == Role::Mirror.program(hook);
        match tcx_programs(interface, hook) {
            Ok(programs) => found.extend(programs),
            Err(error) if strict == Strict::Yes => return Err(error.to_string()),
            Err(_) => {}
        }
        let parent = match hook {
            Hook::Ingress => netlink::CLSACT_INGRESS,
            Hook::Egress => netlink::CLSACT_EGRESS,
        };
        let filters = requests
            .filters(interface.index, parent)
            .map_err(|error| error.to_string())?;
        found.extend(filters.into_iter().map(|filter| Other {
            hook,
            method: Method::Clsact,
            id: filter.program,
            ours: Some(ours(&filter.name)),
            name: filter.name,
        }));
    }
    Ok(found)
}
