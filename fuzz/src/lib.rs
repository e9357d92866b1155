//! The fuzz targets, one module for each. Each has a `run` that accepts any bytes and panics when a property does not
//! hold; the tests of the crates run the same functions on the inputs in `regressions/`.

pub mod again;
pub mod assembler;
pub mod compare;
#[cfg(feature = "agent")]
pub mod config;
pub mod connection;
pub mod decode;
pub mod engine;
pub mod grpc;
pub mod http2;
pub mod mask;
#[cfg(feature = "agent")]
pub mod offline;
#[cfg(feature = "agent")]
pub mod pcap;
pub mod record;
pub mod redact;
pub mod values;
