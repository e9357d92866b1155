//! (not written yet)

pub mod inspect;
