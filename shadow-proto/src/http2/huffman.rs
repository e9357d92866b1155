//! Decodes Huffman-coded strings (RFC 7541 section 5.2), four bits at a time.
//!
//! Owns: a table of transitions, made once from the code. Bias: invalid padding and an EOS inside a string are errors,
//! as the RFC requires of a receiver.

use std::sync::LazyLock;

use super::huffman_codes::CODES;

/// One step of four bits from one state.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    /// The node of the code tree reached, counted from its root.
    next: u16,
    /// The byte whose code ended in these bits, if any. Codes have at least five bits, so there is at most one.
    byte: Option<u8>,
    invalid: bool,
}

/// Transitions of each inner node of the code tree.
struct Machine {
    steps: Vec<[Step; 16]>,
    /// Whether a string may end at this node: on a path of at most seven bits, all of them ones.
    may_end: Vec<bool>,
}

/// A child in the code tree.
#[derive(Clone, Copy)]
enum Child {
    None,
    Node(u16),
    Leaf(usize),
}

static MACHINE: LazyLock<Machine> = LazyLock::new(|| Machine::of(&tree()));

/// The code as a tree: the two children of each inner node.
fn tree() -> Vec<[Child; 2]> {
    let mut nodes = vec![[Child::None; 2]];
    for (symbol, (code, length)) in CODES.into_iter().enumerate() {
        let mut at = 0;
        for bit in (0..length).rev() {
            let turn = usize::from(code >> bit & 1 == 1);
            let new = nodes.len();
            let Some(child) = nodes.get_mut(at).and_then(|node| node.get_mut(turn)) else {
                break;
            };
            if bit == 0 {
                *child = Child::Leaf(symbol);
            } else if let Child::Node(next) = *child {
                at = usize::from(next);
            } else {
                *child = Child::Node(u16::try_from(new).unwrap_or_default());
                at = new;
                nodes.push([Child::None; 2]);
            }
        }
    }
    nodes
}

impl Machine {
    fn of(tree: &[[Child; 2]]) -> Self {
        let steps = (0..tree.len())
            .map(|node| core::array::from_fn(|bits| step(tree, node, bits)))
            .collect();
        let mut may_end = vec![false; tree.len()];
        let mut at = 0;
        for _ in 0..8 {
            if let Some(end) = may_end.get_mut(at) {
                *end = true;
            }
            match tree.get(at) {
                Some([_, Child::Node(next)]) => at = usize::from(*next),
                _ => break,
            }
        }
        Self { steps, may_end }
    }
}

fn step(tree: &[[Child; 2]], from: usize, bits: usize) -> Step {
    let mut step = Step::default();
    let mut at = from;
    for bit in (0..4).rev() {
        let child = tree.get(at).and_then(|node| node.get(bits >> bit & 1));
        at = match child {
            Some(Child::Node(next)) => usize::from(*next),
            Some(Child::Leaf(symbol)) => {
                step.byte = u8::try_from(*symbol).ok();
                step.invalid |= step.byte.is_none();
                0
            }
            Some(Child::None) | None => {
                step.invalid = true;
                0
            }
        };
    }
    step.next = u16::try_from(at).unwrap_or_default();
    step
}

/// Appends the decoded string to `out`, at most 8/5 of the input; `None` when it is invalid.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let machine = &*MACHINE;
    let mut state = 0;
    for byte in input {
        for bits in [byte >> 4, byte & 15] {
            let step = machine.steps.get(state)?.get(usize::from(bits))?;
            if step.invalid {
                return None;
            }
            if let Some(byte) = step.byte {
                out.push(byte);
            }
            state = usize::from(step.next);
        }
    }
    machine.may_end.get(state)?.then_some(())
}

#[cfg(test)]
mod tests {
    use super::{CODES, decode};

    fn encode(text: &[u8], end: &[u32]) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        for byte in text {
            let (code, length) = CODES[usize::from(*byte)];
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        bits.extend(end.iter().map(|bit| *bit == 1));
        bits.chunks(8)
            .map(|bits| {
                let padded = bits.iter().copied().chain(core::iter::repeat(true)).take(8);
                padded.fold(0, |byte, bit| byte << 1 | u8::from(bit))
            })
            .collect()
    }

    fn decoded(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(input, &mut out).map(|()| out)
    }

    /// The codes are those of a canonical code: they follow from the lengths alone. So one wrong digit shows.
    #[test]
    fn the_code_is_complete_and_canonical() {
        let mut symbols: Vec<usize> = (0..257).collect();
        symbols.sort_by_key(|symbol| (CODES[*symbol].1, *symbol));
        let (mut code, mut length) = (0_u32, 0);
        for symbol in symbols {
            let (given, bits) = CODES[symbol];
            code <<= bits - length;
            length = bits;
            assert_eq!(given, code, "of {symbol}");
            code += 1;
        }
        assert_eq!(code, 1 << length, "no code is unused");
    }

    #[test]
    fn every_byte_is_decoded_at_every_place() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let text = [first, second, b'x'];
                assert_eq!(decoded(&encode(&text, &[])).as_deref(), Some(&text[..]));
            }
        }
    }

    /// RFC 7541, appendix C.4.1 and C.6.1.
    #[test]
    fn the_examples_of_the_rfc() {
        let host = [
            0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ];
        assert_eq!(decoded(&host).unwrap(), b"www.example.com");
        assert_eq!(decoded(&[0x64, 0x02]).unwrap(), b"302");
        assert_eq!(decoded(&[]).unwrap(), b"");
    }

    #[test]
    fn padding_of_eight_bits_or_with_a_zero_and_an_end_of_string_are_invalid() {
        // 'a' has five bits (00011): three ones are padding, eleven are not.
        assert_eq!(decoded(&[0b0001_1111]).unwrap(), b"a");
        assert_eq!(decoded(&[0b0001_1111, 0xff]), None);
        assert_eq!(decoded(&[0b0001_1110]), None);
        assert_eq!(decoded(&[0xff]), None);
        assert_eq!(decoded(&[0xff; 4]), None);
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xfc]), None);
    }
}
