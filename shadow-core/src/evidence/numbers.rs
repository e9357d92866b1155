//! Counts as numbers with a fraction, and back.

#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 would take centuries; the loss is below any interval's width"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// The whole part of a number of at least 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a negative number is 0"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}
