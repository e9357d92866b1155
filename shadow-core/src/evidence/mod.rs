//! The evidence: counters, what they prove, and the report.
//!
//! Owns: the counters, histograms and groups that record every verdict ([`Ledger`]), the judgement derived from them
//! ([`Judgement`]), and the model of a report ([`report::Report`]).
//! Bounds: routes, groups, samples per group, the length of a sample. Anything over a bound is counted under its own
//! name. Memory does not grow with traffic.
//! Bias: towards insufficient evidence. GO needs every gate to pass with its interval, not with its point estimate.

mod again;
mod anytime;
mod burst;
mod causes;
mod counts;
mod coverage;
mod explain;
mod field_names;
mod findings;
mod gate_config;
mod gates;
mod generations;
mod group;
mod joint;
mod latency;
mod ledger;
mod merge;
mod noise;
mod power;
mod protocols;
pub mod report;
mod resource;
pub(crate) mod route;
mod route_join;
mod route_merge;
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

pub use counts::Counts;
pub use coverage::CoverageWindows;
pub use gate_config::{GateConfig, GateConfigError};
pub use gates::{Judgement, Reason, Ruling};
pub use group::{ThirdAnswer, ThirdSystem};
pub use latency::{Buckets, micros};
pub use ledger::{Background, LawError, Ledger, LedgerLimits};
pub use merge::{EVIDENCE, Evidence, MergeError, Settings, Source, State};
pub use sample_request::SampleRequest;
pub use settle::{Settle, too_excused};
pub use since::{IntervalCounts, IntervalEvidence};
pub use snapshot::{LedgerSnapshot, VerdictMark};
pub use stats::{Proportion, median_ranks, newcombe, quantile_ranks, wilson};
pub use unread::{Unread, UnreadTraffic};
pub use window::{Marks, RouteWindow};
pub use writes::WriteLimits;
