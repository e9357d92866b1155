//! Frames of one interface.

use shadow_proto::wire::frame::LinkType;

/// The interface whose frames are read.
#[derive(Debug)]
pub(super) struct Only {
    name: String,
    /// Frames of others.
    pub(super) passed_over: u64,
}

impl Only {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            passed_over: 0,
        }
    }

    /// Whether a frame was captured there: by the name that the file gives its interface, or by its header (PKTAP: a
    /// name, Linux cooked capture v2: an index).
    pub(super) fn wants(&mut self, link: LinkType, name: Option<&str>, frame: &[u8]) -> bool {
        const PKTAP: LinkType = LinkType::from_code(258);
        let wanted = match link {
            PKTAP => frame.get(12..36).is_some_and(|name| {
                let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
                name.get(..end) == Some(self.name.as_bytes())
            }),
            LinkType::LinuxSll2 if name != Some(&*self.name) => {
                let index = frame
                    .get(4..)
                    .and_then(<[u8]>::first_chunk)
                    .copied()
                    .map(u32::from_be_bytes);
                index.is_some() && index == self.name.parse().ok()
            }
            _ => name == Some(&*self.name),
        };
        self.passed_over += u64::from(!wanted);
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_has_a_name_in_the_file_or_in_the_frame() {
        let pktap = [
            &[0; 12][..],
            b"en0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            &[0; 80],
        ]
        .concat();
        let cooked = [&[8, 0, 0, 0][..], &3_u32.to_be_bytes(), &[0; 12]].concat();
        let mut only = Only::new("en0");
        let pktap_link = LinkType::from_code(258);
        assert!(only.wants(LinkType::Ethernet, Some("en0"), &[]));
        assert!(!only.wants(LinkType::Ethernet, Some("en1"), &[]));
        assert!(!only.wants(LinkType::Ethernet, None, &[]));
        assert!(only.wants(pktap_link, Some("any"), &pktap));
        assert!(!only.wants(pktap_link, None, &pktap[..20]));
        assert!(!only.wants(LinkType::LinuxSll2, None, &cooked));
        assert_eq!(only.passed_over, 4);
        assert!(Only::new("3").wants(LinkType::LinuxSll2, None, &cooked));
    }
}
