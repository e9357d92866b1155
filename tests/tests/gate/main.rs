//! What reaches a shadow system, and how: selection, writes, rewriting and credentials, each row on real traffic and
//! looked at where it arrives.

mod credentials;
mod modes;
mod rewrite;
mod select;
mod stage;
mod writes;
