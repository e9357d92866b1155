//! Properties of every file.

use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader, traits::PcapReaderIterator as _};
use proptest::prelude::*;

use super::*;

/// Gives one byte at a time, as a slow pipe may.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(1);
        self.0.read(&mut buffer[..room])
    }
}

/// Well-formed pcapng: where each packet ends, and the file.
fn file() -> impl Strategy<Value = (Vec<usize>, Vec<u8>)> {
    let packet = (
        0_u64..1 << 60,
        prop::collection::vec(any::<u8>(), 0..300),
        0_u32..2_000,
    );
    (any::<bool>(), prop::collection::vec(packet, 0..20)).prop_map(|(big, packets)| {
        let order = Order { big };
        let mut file = order.start();
        let mut ends = Vec::new();
        for (stamp, data, more) in packets {
            let wire = u32::try_from(data.len()).unwrap() + more;
            file.extend(order.packet(0, stamp, &data, wire));
            ends.push(file.len());
        }
        (ends, file)
    })
}

proptest! {
    #[test]
    fn pcap_parser_reads_the_same((_, file) in file()) {
        let mut theirs = Vec::new();
        let mut reader = PcapNGReader::new(1 << 20, Cursor::new(file.clone())).unwrap();
        loop {
            match reader.next() {
                Ok((offset, block)) => {
                    if let PcapBlockOwned::NG(Block::EnhancedPacket(packet)) = block {
                        let stamp = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                        let data = packet.data[..packet.caplen as usize].to_vec();
                        theirs.push((stamp.saturating_mul(1_000), LinkType::Ethernet, packet.origlen as usize, data));
                    }
                    reader.consume(offset);
                }
                Err(PcapError::Eof) => break,
                Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
                Err(error) => panic!("{error:?}"),
            }
        }
        prop_assert_eq!(read(&file), (theirs, None));
    }

    #[test]
    fn a_file_that_ends_early_gives_what_is_there((ends, file) in file(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(file.len() - 3) + 4;
        let (whole, _) = read(&file);
        let (frames, damage) = read(&file[..cut.min(file.len())]);
        let expected = ends.iter().filter(|end| **end <= cut).count();
        prop_assert_eq!(&frames[..], &whole[..expected]);
        let start = LITTLE.start().len();
        let between = cut == 28 || cut == start || ends.contains(&cut);
        prop_assert_eq!(damage.is_none(), between, "cut at {}, {:?}", cut, damage);
    }

    #[test]
    fn the_size_of_reads_does_not_matter((_, file) in file()) {
        prop_assert_eq!(read_from(Box::new(Trickle(Cursor::new(file.clone())))), read(&file));
    }

    #[test]
    fn no_damage_can_break_it(
        (_, mut file) in file(),
        turned in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for (place, value) in turned {
            *place.get_mut(&mut file[4..]) = value;
        }
        let (frames, damage) = read(&file);
        prop_assert!(damage.is_none_or(|damage| damage.at <= file.len() as u64));
        prop_assert!(frames.iter().map(|frame| frame.3.len()).sum::<usize>() <= file.len());
    }
}
