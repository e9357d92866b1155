//! Shared by the kernel program and the agent: compiled for both targets from the same source.
//!
//! In the order of the data: [`bytes`] loads packet bytes (from an skb or a slice), [`headers`] finds the TCP segment
//! in them, [`flow`] names its two ends, [`hash`] and [`sample`] decide whether its connection is copied,
//! [`chunk`] cuts its payload, [`record`] is what goes through the ring. [`config`] and [`stat`] are the maps'
//! vocabulary, [`explain`] that of the program of `shadow explain`.
//!
//! No unsafe, no allocation, no panic: the kernel verifier and hostile packets both read this crate.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// Captured bytes are hostile: nothing here may panic on them.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]
#![expect(
    clippy::inline_always,
    reason = "a call in the kernel program costs a frame of its 512 byte stack and hides bounds from the verifier"
)]

pub mod bytes;
pub mod chunk;
pub mod config;
pub mod explain;
pub mod flow;
pub mod hash;
pub mod headers;
pub mod record;
pub mod sample;
pub mod stat;
