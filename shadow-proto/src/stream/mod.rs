//! One direction of a connection as ordered bytes.
//!
//! Owns: out-of-order ranges and the position up to which bytes were handed on. Bounds: the caller compares
//! [`Assembler::buffered`] with its limits. Bias: the first copy of a byte wins, as it does at a receiver that was
//! given the bytes in order; another copy that differs is flagged and never hidden. Checksums are not looked at
//! (offload makes them wrong at the capture point).

mod assembler;

pub use assembler::{Assembler, Hole, Inserted, Stored};

#[cfg(test)]
mod tests;
