//! What the running agent does by itself, a few times a second: it looks at the breakers.

use crate::{
    pipeline::Pipeline,
    trips::{Log, Trip},
};

use super::keep::Keeper;

/// Watches over the running agent.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// What it did.
    pub(super) log: Log,
}

impl Guard {
    /// Tells what the breakers did since the last call.
    pub(super) fn breakers(&self, pipeline: &Pipeline, keeper: &Keeper) {
        for lane in pipeline.lanes() {
            for change in lane.take_breaker_changes() {
                self.tell(
                    Trip::now("breaker", Some(lane.name()), change.to_string()),
                    keeper,
                );
            }
        }
    }

    fn tell(&self, trip: Trip, keeper: &Keeper) {
        let target = trip.target.as_deref().unwrap_or("all targets");
        keeper.tell("trip", &trip.rule, &format!("{target}: {}", trip.reason));
        self.log.keep(trip);
    }
}
