//! Pairs of answers of one system, from which noise is learned.

shadow_proto::catalogue! {
    /// Where a pair of answers of the same system is from.
    Background {
        /// The answer of a control target, which runs what production runs, and production's.
        Control = "control",
        /// Production's own answers to identical safe requests, close in time.
        Recurring = "recurring",
        /// The shadow system's two answers to one request that was sent to it twice.
        Twice = "twice",
    }
}
