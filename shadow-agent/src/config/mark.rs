//! `capture.mark`: the socket mark by which the agent's own packets are recognised, as in `0x53/0x7f`.

use core::{fmt, str::FromStr};

/// A socket mark (`SO_MARK`), and the bits of it that are compared.
///
/// Container networks set bits of their own in the marks of packets that they forward, so equality of the whole mark
/// would fail to recognise packets that passed one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// The mark of the agent's sockets.
    pub value: u32,
    /// The compared bits.
    pub mask: u32,
}

/// Text that is not a mark.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no mark; write for example 0x53/0x7f: a value that is not 0, and a mask that contains it")]
pub struct MarkError(String);

impl Default for Mark {
    fn default() -> Self {
        // Outside of the bits that others use: Kubernetes 0xc000, Cilium 0xffff0fff with 0x0f00 set, Calico from
        // 0x10000 on, Tailscale 0xff0000, AWS 0x80. Istio's 0x539 differs in the compared bits.
        Self {
            value: 0x53,
            mask: 0x7f,
        }
    }
}

impl FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        let wrong = || MarkError(text.to_owned());
        let number = |part: &str| match part.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => part.parse().ok(),
        };
        let (value, mask) = match text.split_once('/') {
            Some((value, mask)) => (number(value), number(mask)),
            None => (number(text), Some(u32::MAX)),
        };
        match (value, mask) {
            (Some(value), Some(mask)) if value != 0 && value & mask == value => Ok(Self { value, mask }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, mask } = self;
        write!(f, "{value:#x}/{mask:#x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_and_shown_alike() {
        for text in ["0x53/0x7f", "0x5d0/0xffffffff"] {
            let mark: Mark = text.parse().expect("a mark");
            assert_eq!(mark.to_string(), text);
        }
        assert_eq!(
            "83".parse(),
            Ok(Mark {
                value: 0x53,
                mask: u32::MAX
            })
        );
        for text in [
            "",
            "0",
            "0x0/0xff",
            "0x53/0x0f",
            "-1",
            "0x53/",
            "x/y",
            "0x100000000",
        ] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
        }
        assert_eq!(Mark::default().to_string().parse(), Ok(Mark::default()));
    }
}
