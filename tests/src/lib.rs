//! The harness for tests on real traffic.
