//! Text output for users: the report, the status, the status line.
//!
//! Owns: wording and layout; every number comes from [`Report`](shadow_core::evidence::report::Report) or
//! [`Status`](crate::control::status::Status), which are also available as JSON. Bounds: the first [`text::ROUTES`]
//! routes and [`text::GROUPS`] groups (half as many excused ones); the number of further ones is shown. Captured values
//! are shown with control characters escaped: a production response must not be able to control the reader's terminal.

pub mod against;
mod bounds;
mod broad;
pub mod calibrate;
pub mod causes;
pub mod diffs;
mod fields;
pub mod funnel;
mod groups;
pub mod html;
pub mod junit;
mod losses;
pub mod noise;
mod protocols;
mod settle;
pub mod side;
mod sources;
pub mod status;
pub mod text;
pub(crate) mod values;
mod verified;

#[cfg(test)]
mod tests;
