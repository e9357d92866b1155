//! Facts that causes are found from.

use crate::evidence::{
    group::{Groups, Standings},
    route::RouteId,
    trend::Slicer,
};

/// The known facts about the differences.
#[derive(Clone, Copy)]
pub(crate) struct Known<'k> {
    pub(crate) groups: &'k Groups,
    pub(crate) standings: &'k Standings,
    pub(crate) slicer: &'k Slicer,
    /// The name of a route, and its exchanges with a verdict.
    pub(crate) routes: &'k dyn Fn(RouteId) -> (&'k str, u64),
}
