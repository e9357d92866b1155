//! The journal, `shadow diffs` and the page, on real traffic: no secret in any of them, nothing lost in a crash, and
//! nothing but counters when the disk is full.

mod bundle;
mod crash;
mod disk;
mod page;
mod secrets;
mod stage;
