//! Clients, servers and recorders that others wrote, which send what the standards allow and few expect.

mod clients;
mod recorders;
mod servers;
