//! `/metrics` and `/healthz` over HTTP.
//!
//! Owns: the figures a monitoring system reads ([`metrics`]) and the server ([`server`]). Bounds:
//! [`server::MAX_CLIENTS`] connections, one request each, a deadline for everything. Runs on the control thread,
//! so it answers when the pipeline is saturated.

mod lanes;
pub mod metrics;
pub mod server;

#[cfg(test)]
mod tests;
