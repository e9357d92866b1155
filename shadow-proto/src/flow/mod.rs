//! Connections: the table of known ones, their states, and their removal.
//!
//! Owns: the table of flows (`table`) and their deadlines (`timer`). Bounds: `Limits::flows` entries, at most two
//! timer entries each. Drops: a full table evicts the flow whose deadline comes first (half-open ones before busy
//! ones), counted.

mod gaps;
mod payload;
mod reader;
mod table;
mod timer;
mod track;

pub(crate) use table::{Entry, Table};
pub(crate) use timer::Timers;
pub(crate) use track::{Fate, Opening, Track};
