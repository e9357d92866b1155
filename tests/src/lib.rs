//! The harness for tests on real traffic.
//!
//! In the order in which a test uses it: [`mod@need`] states the requirements of a test, [`netns`] builds the wire,
//! [`process`] and [`nginx`] run servers, [`servers`] has those that misbehave, [`client`] sends, [`agent`] runs the
//! built `shadow` binary, [`laws`] checks that every counter adds up. [`shop`] is the API of the demo.

#![expect(
    clippy::missing_panics_doc,
    reason = "a harness panics with facts; nearly every function may"
)]

pub mod agent;
pub mod attached;
pub mod bench;
pub mod client;
pub mod counted;
pub mod demo;
mod frames;
pub mod laws;
pub mod need;
pub mod netns;
pub mod nginx;
pub mod pod;
pub mod process;
pub mod recording;
pub mod scene;
pub mod servers;
pub mod shop;
pub mod storm;
pub mod traffic;
