//! Writes capture files without the code under test.

/// Writes numbers in the byte order of a file.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) big: bool,
}

pub(super) const LITTLE: Order = Order { big: false };
pub(super) const BIG: Order = Order { big: true };

impl Order {
    pub(super) fn u32(self, value: u32) -> [u8; 4] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) fn i64(self, value: i64) -> [u8; 8] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.u32(*value)).collect()
    }

    /// A pcap file of Ethernet frames: seconds, fraction, captured bytes, length on the wire.
    pub(super) fn legacy(self, magic: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut file = self.words(&[magic, 0, 0, 0, 65_535, 1]);
        for (seconds, fraction, data, wire) in records {
            let captured = u32::try_from(data.len()).unwrap();
            file.extend(self.words(&[*seconds, *fraction, captured, *wire]));
            if magic == 0xa1b2_cd34 {
                file.extend([9; 8]);
            }
            file.extend_from_slice(data);
        }
        file
    }

    pub(super) fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = u32::try_from(12 + body.len() + padding).unwrap();
        [
            &self.words(&[kind, length])[..],
            body,
            &vec![0; padding],
            &self.u32(length),
        ]
        .concat()
    }

    pub(super) fn section(self) -> Vec<u8> {
        self.block(0x0a0d_0d0a, &self.words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
    }

    pub(super) fn interface(self, link: u16, snap: u32, options: &[u8]) -> Vec<u8> {
        self.block(
            1,
            &[&self.u16(link)[..], &[0, 0], &self.u32(snap), options].concat(),
        )
    }

    pub(super) fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut option = [self.u16(code), self.u16(u16::try_from(value.len()).unwrap())].concat();
        option.extend_from_slice(value);
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    pub(super) fn packet(self, interface: u32, stamp: u64, data: &[u8], wire: u32) -> Vec<u8> {
        let [high, low] = [stamp >> 32, stamp & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
        let captured = u32::try_from(data.len()).unwrap();
        self.block(
            6,
            &[&self.words(&[interface, high, low, captured, wire])[..], data].concat(),
        )
    }

    /// A section with one Ethernet interface, whose time stamps are microseconds.
    pub(super) fn start(self) -> Vec<u8> {
        [self.section(), self.interface(1, 0, &[])].concat()
    }
}
