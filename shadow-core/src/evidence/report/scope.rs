//! The traffic covered by a report, and the names of the two systems in it.

use serde::{Deserialize, Serialize};

/// The configured scope of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// Whether rules exclude some exchanges.
    pub selective: bool,
    /// The share of the remaining exchanges that is replayed.
    pub share: f64,
    /// The cut-over is done: production is the new system and the shadow is the old one.
    pub reversed: bool,
}

/// The traffic covered by a report, and which of the two systems is the new one.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Scope {
    /// `full`, or one or more of `sampled`, `selective`, `replayed` and `reversed`.
    pub modes: Vec<String>,
    /// Share of the traffic meant to be replayed, before rules and writes: share of connections times share of keys.
    pub share: Option<f64>,
    /// Whether the shadow is the old system.
    pub reversed: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            selective: false,
            share: 1.0,
            reversed: false,
        }
    }
}

impl Scope {
    /// `sample` is the share of connections that are captured; `None` for recorded traffic.
    pub fn new(reach: Reach, sample: Option<f64>) -> Self {
        let share = reach.share * sample.unwrap_or(1.0);
        let modes = [
            (share < 1.0, "sampled"),
            (reach.selective, "selective"),
            (sample.is_none(), "replayed"),
            (reach.reversed, "reversed"),
        ];
        let mut modes: Vec<String> = modes
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, name)| name.to_owned())
            .collect();
        if modes.is_empty() {
            modes.push("full".to_owned());
        }
        Self {
            modes,
            share: Some(share),
            reversed: reach.reversed,
        }
    }

    /// The name of the production system inside a sentence.
    pub const fn the_production(&self) -> &'static str {
        the_production(self.reversed)
    }

    /// The name of the shadow system inside a sentence.
    pub const fn the_shadow(&self) -> &'static str {
        if self.reversed {
            "the old system"
        } else {
            "the shadow system"
        }
    }

    /// The name of the production system.
    pub const fn production(&self) -> &'static str {
        if self.reversed { "new system" } else { "production" }
    }

    /// The name of the shadow system.
    pub const fn shadow(&self) -> &'static str {
        if self.reversed { "old system" } else { "shadow" }
    }
}

/// The name of the production system inside a sentence.
pub(crate) const fn the_production(reversed: bool) -> &'static str {
    if reversed { "the new system" } else { "production" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_its_name() {
        let modes = |selective, share, reversed, sample| {
            let reach = Reach {
                selective,
                share,
                reversed,
            };
            Scope::new(reach, sample).modes.join(" ")
        };
        assert_eq!(modes(false, 1.0, false, Some(1.0)), "full");
        assert_eq!(modes(false, 1.0, false, Some(0.05)), "sampled");
        assert_eq!(modes(false, 0.5, false, Some(1.0)), "sampled");
        assert_eq!(modes(true, 1.0, false, Some(1.0)), "selective");
        assert_eq!(modes(false, 1.0, false, None), "replayed");
        assert_eq!(
            modes(true, 0.5, true, None),
            "sampled selective replayed reversed"
        );
    }
}
