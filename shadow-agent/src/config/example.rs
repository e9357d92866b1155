//! The documented example: every key with its default, its notation and its purpose.
//!
//! It is the schema for readers. Tests ensure that it parses, that it shows the defaults, and that no key is missing.

/// A file that works unchanged on a host with a service on port 8080.
pub const EXAMPLE: &str = include_str!("example.yaml");
