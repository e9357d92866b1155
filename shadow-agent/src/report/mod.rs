//! What a person reads: the report, the status, the status line.
//!
//! Owns: wording and layout; every number comes from [`Report`](shadow_core::evidence::report::Report) or
//! [`Status`](crate::control::status::Status), whose JSON is the other way to read them. Bounds: the first
//! [`text::ROUTES`] routes and [`text::GROUPS`] groups (half as many of what is excused), and it says how many more there
//! are. Captured values are shown with control characters escaped: a production response must not be able to move the
//! reader's cursor.

pub mod diffs;
pub mod figures;
pub mod funnel;
mod groups;
pub mod html;
pub mod noise;
mod settle;
pub mod side;
pub mod status;
pub mod text;

#[cfg(test)]
mod tests;
