//! Programs attached to an interface, as reported by the kernel and not by an agent.

use shadow_agent::capture::{attach, netlink};

use crate::netns::Netns;

/// Names of the TC programs on a link, attached by TCX or clsact.
pub fn programs(namespace: &Netns, link: &str) -> Vec<String> {
    namespace.run(|| {
        let interfaces = netlink::interfaces().expect("the interfaces of the namespace");
        let interface = interfaces
            .iter()
            .find(|interface| interface.name == link)
            .unwrap_or_else(|| panic!("there is no {link}"));
        let programs = attach::others(interface).expect("the programs of the interface");
        programs.into_iter().map(|program| program.name).collect()
    })
}
