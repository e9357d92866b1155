//! The shop of the demo, and the agent's findings on it.

mod editions;
mod found;
