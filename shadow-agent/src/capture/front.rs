//! Programs that run before ours at the hooks of an interface.
//!
//! One that ends the chain or redirects a packet hides it from the capture, and nothing else shows that: our program
//! attached itself first, but a later one can ask for the first place as well. So the order is asked for again while
//! the agent runs. Bias: a kernel that does not tell is reported as such, never as an empty hook.

use super::{
    guard::{Guard, Orders},
    hook::{Hook, Method, PRIORITY},
    netlink::{self, Interface, Requests},
};

/// Programs that run before ours on one interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Front {
    /// Before ingress; `None` when it is unknown.
    pub ingress: Option<Vec<String>>,
    /// Before egress.
    pub egress: Option<Vec<String>>,
}

impl Front {
    /// Names at both hooks, each with its hook.
    pub fn names(&self) -> Vec<String> {
        let at = |hook: &'static str, names: &Option<Vec<String>>| {
            let names = names.clone().unwrap_or_default();
            names.into_iter().map(move |name| format!("{name} at {hook}"))
        };
        at("ingress", &self.ingress)
            .chain(at("egress", &self.egress))
            .collect()
    }

    /// Whether both hooks are known.
    pub const fn is_known(&self) -> bool {
        self.ingress.is_some() && self.egress.is_some()
    }
}

/// The ids of our program at each hook, as far as the kernel says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    pub(crate) ingress: Option<u32>,
    pub(crate) egress: Option<u32>,
}

/// Asks for the order at the hooks of an interface.
pub(crate) fn look(
    interface: &Interface,
    method: Method,
    own: Own,
    guard: Option<&Guard>,
    requests: &mut Requests,
) -> Front {
    let orders = guard.and_then(|guard| guard.orders(interface.index));
    let mut at = |hook: Hook| match method {
        Method::Tcx => tcx(orders.as_ref()?, hook, own),
        Method::Clsact => clsact(interface, hook, orders.as_ref(), requests),
    };
    let ingress = at(Hook::Ingress);
    Front {
        ingress,
        // Nothing of ours is there.
        egress: if Hook::of(interface).contains(&Hook::Egress) {
            at(Hook::Egress)
        } else {
            Some(Vec::new())
        },
    }
}

fn tcx(orders: &Orders, hook: Hook, own: Own) -> Option<Vec<String>> {
    let (ids, own) = match hook {
        Hook::Ingress => (orders.ingress.as_ref()?, own.ingress?),
        Hook::Egress => (orders.egress.as_ref()?, own.egress?),
    };
    let place = ids.iter().position(|id| *id == own)?;
    let before = ids.iter().take(place).map(|id| format!("program {id}"));
    // A packet of the container passes netkit's own hook first.
    let netkit = match hook {
        Hook::Ingress => orders.netkit_peer.as_deref()?,
        Hook::Egress => &[],
    };
    let netkit = netkit.iter().map(|id| format!("netkit program {id}"));
    Some(netkit.chain(before).collect())
}

fn clsact(
    interface: &Interface,
    hook: Hook,
    orders: Option<&Orders>,
    requests: &mut Requests,
) -> Option<Vec<String>> {
    let parent = match hook {
        Hook::Ingress => netlink::CLSACT_INGRESS,
        Hook::Egress => netlink::CLSACT_EGRESS,
    };
    let filters = requests.filters(interface.index, parent).ok()?;
    // Every TCX program runs before every filter.
    let tcx = orders.and_then(|orders| match hook {
        Hook::Ingress => orders.ingress.clone(),
        Hook::Egress => orders.egress.clone(),
    });
    let tcx = tcx
        .unwrap_or_default()
        .into_iter()
        .map(|id| format!("program {id}"));
    let before = filters.into_iter().filter(|filter| filter.priority < PRIORITY);
    Some(tcx.chain(before.map(|filter| filter.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Own = Own {
        ingress: Some(7),
        egress: Some(8),
    };

    fn orders(ingress: Option<&[u32]>, egress: Option<&[u32]>, peer: Option<&[u32]>) -> Orders {
        let list = |ids: Option<&[u32]>| ids.map(<[u32]>::to_vec);
        Orders {
            ingress: list(ingress),
            egress: list(egress),
            netkit_peer: list(peer),
        }
    }

    #[test]
    fn only_what_runs_before_ours_is_named() {
        let found = orders(Some(&[3, 7, 4]), Some(&[8, 5]), Some(&[9]));
        assert_eq!(
            tcx(&found, Hook::Ingress, OWN),
            Some(vec!["netkit program 9".to_owned(), "program 3".to_owned()])
        );
        assert_eq!(tcx(&found, Hook::Egress, OWN), Some(Vec::new()));
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_unknown_and_not_empty() {
        let first: Option<&[u32]> = Some(&[7]);
        for (found, own) in [
            (orders(None, None, Some(&[])), OWN),
            (orders(Some(&[]), None, Some(&[])), OWN),
            (orders(first, None, None), OWN),
            (orders(first, None, Some(&[])), Own::default()),
        ] {
            assert_eq!(tcx(&found, Hook::Ingress, own), None, "{found:?}");
        }
        assert!(!Front::default().is_known());
    }
}
