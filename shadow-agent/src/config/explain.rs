//! The documented example: every key, its default, its notation and what it is for.
//!
//! It is the schema a person reads. Tests hold that it parses, that it shows the defaults, and that no key is missing.

/// A file that works as it stands on a host with a service on port 8080.
pub const EXAMPLE: &str = include_str!("example.yaml");
