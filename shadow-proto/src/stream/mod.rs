//! One direction of a connection as ordered bytes.
//!
//! Owns: out-of-order ranges and the position up to which bytes were returned. Bounds: the caller compares
//! [`Assembler::buffered`] with its limits. Bias: the first copy of a byte wins, as at a receiver that got the bytes
//! in order; a different second copy is flagged and never hidden. Checksums are not verified (offload makes them
//! wrong at the capture point).

mod assembler;

pub use assembler::{Assembler, Hole, Inserted, Stored};

#[cfg(test)]
mod tests;
