//! Which requests reach a shadow system, and how: selection, writes, rewriting and credentials, each row on real
//! traffic and checked on arrival.

mod credentials;
mod modes;
mod rewrite;
mod select;
mod stage;
mod writes;
