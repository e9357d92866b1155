//! The evidence: counters, what they prove, and the report.
//!
//! Owns: the counters, histograms and groups that record every verdict ([`Ledger`]), the judgement derived from them
//! ([`Judgement`]), and the model of a report ([`report::Report`]).
//! Bounds: routes, groups, samples per group, the length of a sample. Anything over a bound is counted under its own
//! name. Memory does not grow with traffic.
//! Bias: towards insufficient evidence. GO needs every gate to pass with its interval, not with its point estimate.

mod again;
mod anytime;
mod background;
mod burst;
mod causes;
mod counts;
mod coverage;
mod coverage_gate;
mod explain;
mod field_names;
mod figures;
mod findings;
mod gate_config;
mod gates;
mod generations;
mod group;
mod grow;
mod joint;
mod latency;
mod ledger;
mod merge;
mod noise;
mod numbers;
mod power;
mod protocols;
pub mod report;
mod resource;
pub(crate) mod route;
mod route_join;
mod route_merge;
mod ruling;
mod sample_request;
mod sets;
mod settle;
mod shape;
mod since;
mod snapshot;
mod stats;
mod summary;
mod tail;
mod tally;
#[cfg(test)]
mod testing;
mod trend;
mod unread;
mod verified;
mod window;
mod writes;

pub use background::Background;
pub use counts::Counts;
pub use coverage::CoverageWindows;
pub use gate_config::{GateConfig, GateConfigError};
pub use group::{ThirdAnswer, ThirdSystem};
pub use latency::{Buckets, micros};
pub use ledger::{LawError, Ledger, LedgerLimits};
pub use merge::{EVIDENCE, Evidence, MergeError, Settings, Source, State};
pub use ruling::{Judgement, Reason, Ruling, Settle};
pub use sample_request::SampleRequest;
pub use settle::too_excused;
pub use since::{IntervalCounts, IntervalEvidence};
pub use snapshot::{LedgerSnapshot, VerdictMark};
pub use stats::{Proportion, median_ranks, newcombe, quantile_ranks, wilson};
pub use unread::{Unread, UnreadTraffic};
pub use window::{Marks, RouteWindow};
pub use writes::WriteLimits;
