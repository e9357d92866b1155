//! Tables by route, and counters.

/// The entry of a route; missing entries up to it are created.
pub(super) fn grown<T: Default>(table: &mut Vec<T>, at: usize) -> Option<&mut T> {
    if table.len() <= at {
        table.resize_with(at.saturating_add(1), T::default);
    }
    table.get_mut(at)
}

/// Adds one.
pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
