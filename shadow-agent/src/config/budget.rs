//! The section `budget`: faults that single values do not show.

use super::problem::Problem;
use crate::budget::BudgetSettings;

/// The largest nice value of the kernel.
const NICEST: u8 = 19;

/// Reports the faults of the section.
pub(super) fn problems(budget: &BudgetSettings, found: &mut Vec<Problem>) {
    let mut wrong = |key: &str, what: String, fix: &str| {
        found.push(Problem {
            at: format!("budget.{key}"),
            what,
            fix: fix.to_owned(),
        });
    };
    if !(0.0..=1024.0).contains(&budget.cores) {
        wrong(
            "cores",
            format!("{} is no number of cores", budget.cores),
            "give for example 0.5, or 0 for no limit",
        );
    }
    if budget.floor <= 0.0 {
        wrong(
            "floor",
            "0% would leave nothing by which the way back is noticed".to_owned(),
            "give for example 1%",
        );
    }
    if budget.nice > NICEST {
        wrong(
            "nice",
            format!("{} is no nice value", budget.nice),
            "give 0 to 19",
        );
    }
}
