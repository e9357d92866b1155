//! What is attached to an interface: asked of the kernel, not of an agent.

use shadow_agent::capture::{attach, netlink};

use crate::netns::Netns;

/// The names of the TC programs on a link, by TCX or clsact.
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
