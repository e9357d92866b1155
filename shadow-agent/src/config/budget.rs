//! The section `budget`: the agent's limits on the node's resources.

use serde::{Deserialize, Serialize};

use super::check::Problem;
use crate::budget::BudgetSettings;
use crate::units::{Rate, Size, Span};

/// The agent's limits on the node's resources. 0 means no limit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Cores.
    pub cores: f64,
    /// Resident memory.
    pub memory: Size,
    /// Share of packets that may be lost because the ring is full.
    pub ring_loss: Rate,
    /// Share of the ring that may wait to be read at once.
    pub ring_used: Rate,
    /// Share of time in which something on the node may wait for a CPU.
    pub cpu_pressure: Rate,
    /// Share of time in which everything on the node may wait for memory.
    pub memory_pressure: Rate,
    /// The part of the sample that is always kept.
    pub floor: Rate,
    /// How long usage must stay below the limits before the sample rises.
    pub calm: Span,
    /// The share of the node's CPU time that replays leave idle.
    pub idle_cpu: Rate,
    /// The nice value of the threads that replay and compare.
    pub nice: u8,
}

/// The largest nice value of the kernel.
const NICEST: u8 = 19;

impl Default for Budget {
    fn default() -> Self {
        let BudgetSettings {
            cores,
            memory,
            ring_loss,
            ring_used,
            cpu_pressure,
            memory_pressure,
            floor,
            calm,
        } = BudgetSettings::default();
        Self {
            cores,
            memory: Size::bytes(memory),
            ring_loss: Rate::from_fraction(ring_loss),
            ring_used: Rate::from_fraction(ring_used),
            cpu_pressure: Rate::from_fraction(cpu_pressure),
            memory_pressure: Rate::from_fraction(memory_pressure),
            floor: Rate::from_fraction(floor),
            calm: Span(calm),
            idle_cpu: Rate::from_percent(5),
            nice: 5,
        }
    }
}

impl From<&Budget> for BudgetSettings {
    fn from(budget: &Budget) -> Self {
        Self {
            cores: budget.cores,
            memory: budget.memory.as_u64(),
            ring_loss: budget.ring_loss.fraction(),
            ring_used: budget.ring_used.fraction(),
            cpu_pressure: budget.cpu_pressure.fraction(),
            memory_pressure: budget.memory_pressure.fraction(),
            floor: budget.floor.fraction(),
            calm: budget.calm.0,
        }
    }
}

impl Budget {
    /// Reports faults that single values do not show.
    pub(super) fn problems(&self, found: &mut Vec<Problem>) {
        let mut wrong = |key: &str, what: String, fix: &str| {
            found.push(Problem {
                at: format!("budget.{key}"),
                what,
                fix: fix.to_owned(),
            });
        };
        if !(0.0..=1024.0).contains(&self.cores) {
            wrong(
                "cores",
                format!("{} is no number of cores", self.cores),
                "give for example 0.5, or 0 for no limit",
            );
        }
        if self.floor.fraction() <= 0.0 {
            wrong(
                "floor",
                "0% would leave nothing by which the way back is noticed".to_owned(),
                "give for example 1%",
            );
        }
        if self.nice > NICEST {
            wrong("nice", format!("{} is no nice value", self.nice), "give 0 to 19");
        }
    }
}
