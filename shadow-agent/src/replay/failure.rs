//! Errors of sockets and of hyper as a [`Failure`].

use std::{error::Error as _, io};

use shadow_core::compare::Failure;

/// Why an exchange on an open connection failed.
pub(super) fn of_exchange(error: &hyper::Error) -> Failure {
    if let Some(io) = io_cause(error) {
        return of_io(io);
    }
    if error.is_parse() {
        Failure::Protocol
    } else if error.is_timeout() {
        Failure::Timeout
    } else {
        // Incomplete messages, and connections that ended before hyper could say more.
        Failure::Closed
    }
}

fn of_io(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            Failure::Reset
        }
        // hyper reports a broken chunk, and a body that ends too early, as I/O errors of these kinds.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Failure::Protocol,
        io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Closed,
    }
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}
