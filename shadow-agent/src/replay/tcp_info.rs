//! The round-trip time that the kernel measured on a connection.

use std::{
    mem::size_of_val,
    os::fd::{AsRawFd as _, BorrowedFd},
    time::Duration,
};

/// `struct tcp_info` of linux/tcp.h as 32-bit words, far enough to hold `tcpi_min_rtt` (Linux 4.6).
const WORDS: usize = 40;
/// Offset of `tcpi_min_rtt`: 8 bytes of small fields, 24 words, 4 double words, 3 words.
const MIN_RTT: usize = 148 / 4;

/// The smallest round-trip time seen lately (`tcpi_min_rtt`). `None` if the kernel does not report it.
///
/// Not the smoothed one (`tcpi_rtt`): a server acknowledges a request together with its response when it answers within
/// the delayed-ACK time, so the smoothed value contains the very latency that is measured.
pub(super) fn min_rtt(socket: BorrowedFd<'_>) -> Option<Duration> {
    let mut info = [0_u32; WORDS];
    let mut len = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
    // SAFETY: `socket` is open for the whole call; `info` is writable for `len` bytes, and any bytes are a valid `[u32;
    // WORDS]`; the kernel writes at most `len` bytes and stores how many.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 || (len as usize) < (MIN_RTT + 1) * size_of::<u32>() {
        return None;
    }
    // Before the first sample the kernel reports u32::MAX.
    let micros = info.get(MIN_RTT).copied().filter(|&us| us != u32::MAX)?;
    Some(Duration::from_micros(micros.into()))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsFd as _,
    };

    use super::*;

    #[test]
    fn a_loopback_connection_has_a_small_round_trip_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let rtt = min_rtt(client.as_fd()).expect("the handshake was measured");
        assert!(rtt < Duration::from_secs(1), "{rtt:?}");
    }

    #[test]
    fn a_socket_without_a_connection_has_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(min_rtt(listener.as_fd()).filter(|rtt| !rtt.is_zero()), None);
    }
}
