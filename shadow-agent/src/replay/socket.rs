//! TCP sockets to the shadow system.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// A socket that carries `mark` (`SO_MARK`), by which the capture ignores its packets, and sends at once.
pub(super) fn open(address: SocketAddr, mark: Option<u32>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(mark) = mark {
        socket.set_mark(mark)?;
    }
    Ok(socket)
}

/// Connects to the first address that accepts.
pub(super) async fn connect(addresses: &[SocketAddr], mark: Option<u32>) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for &address in addresses {
        let socket = TcpSocket::from_std_stream(open(address, mark)?.into());
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_set_or_refused_and_never_forgotten() {
        let address = "127.0.0.1:9".parse().unwrap();
        match open(address, Some(0x5d0)) {
            Ok(socket) => assert_eq!(socket.mark().unwrap(), 0x5d0),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}"),
        }
        let plain = open(address, None).unwrap();
        assert_eq!((plain.mark().unwrap(), plain.tcp_nodelay().unwrap()), (0, true));
    }
}
