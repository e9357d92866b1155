//! A small shop API and its rewrite: what `cargo xtask demo` mirrors.
//!
//! Two real servers, not mocks of the agent: HTTP/1.1 and, on the same port, gRPC. They differ as a rewrite does:
//! naturally ([`natural`]: identifiers, times, figures that jitter, the order of sets) and by the faults in
//! [`PLANTED`], which the report must name.

pub mod data;
pub mod load;
pub mod natural;
pub mod rpc;
pub mod serve;

use clap::ValueEnum;

/// Edition of the shop.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Edition {
    /// The live system.
    Production,
    /// The system that is to replace it.
    Rewrite,
}

/// How a planted fault must show in the report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sign {
    /// A discrepancy of this category, whose place contains this text.
    Discrepancy(&'static str, &'static str),
    /// The route is slower at the shadow system than in production.
    Slower,
    /// Replays of the route fail with this reason.
    Failure(&'static str),
}

/// A fault of the rewrite.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Short description of the fault.
    pub what: &'static str,
    /// Start of the route in the report's template.
    pub route: &'static str,
    /// How the fault must show in the report.
    pub sign: Sign,
}

/// Every fault of the rewrite.
pub const PLANTED: [Planted; 8] = [
    Planted {
        what: "an expired coupon is 200 instead of 410",
        route: "/coupons/",
        sign: Sign::Discrepancy("status", "status"),
    },
    Planted {
        what: "the customer lost its loyalty.tier",
        route: "/customers/",
        sign: Sign::Discrepancy("missing", "loyalty.tier"),
    },
    Planted {
        what: "the cart's total is cut instead of rounded",
        route: "/carts/",
        sign: Sign::Discrepancy("value", "total"),
    },
    Planted {
        what: "the terms are cached by nobody any more",
        route: "/terms",
        sign: Sign::Discrepancy("header", "cache-control"),
    },
    Planted {
        what: "recommendations take 120 ms",
        route: "/recommendations/",
        sign: Sign::Slower,
    },
    Planted {
        what: "invoices never come",
        route: "/invoices/",
        sign: Sign::Failure("timeout"),
    },
    Planted {
        what: "gRPC: the price of pots in a cart is wrong",
        route: rpc::GET,
        sign: Sign::Discrepancy("value", "unitPrice"),
    },
    Planted {
        what: "gRPC: an unknown list is OK, not NOT_FOUND",
        route: rpc::LIST,
        sign: Sign::Discrepancy("status", "grpc-status"),
    },
];
