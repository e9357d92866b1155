//! The journal, `shadow diffs` and the page, on real traffic: nothing secret in any of them, nothing lost to a crash, and
//! nothing but counters when the disk is full.

mod bundle;
mod crash;
mod disk;
mod page;
mod secrets;
mod stage;
