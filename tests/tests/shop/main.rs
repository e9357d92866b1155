//! The shop of the demo, and what the agent makes of it.

mod editions;
mod found;
