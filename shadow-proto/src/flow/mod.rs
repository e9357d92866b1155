//! Connections: the table of known ones, their states, and their removal.
//!
//! Owns: the table of flows (`table`), their deadlines (`timer`), and the recognition of one connection under several
//! pairs of addresses (`views`). Bounds: `Limits::flows` entries, at most two
//! timer entries each. Drops: a full table evicts the flow whose deadline comes first (half-open ones before busy
//! ones), counted.

mod extent;
mod gaps;
mod payload;
mod reader;
mod table;
mod timer;
mod track;
mod views;

pub(crate) use table::{Entry, Key, Table};
pub(crate) use timer::Timers;
pub(crate) use track::{Fate, Opening, Track};
pub(crate) use views::{Print, Sighting, Views};
