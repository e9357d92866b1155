//! The control socket.

/// Where the control socket is unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/shadow/shadow.sock";
