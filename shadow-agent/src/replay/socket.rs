//! TCP sockets to the shadow system.

use std::{io, net::SocketAddr, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::sleep,
};

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

/// Wait before the next address is tried beside those that have not answered yet (RFC 8305 section 5).
const NEXT: Duration = Duration::from_millis(250);

/// Connects to the address that accepts first. They are tried in their order, but with the families in turn (RFC 8305
/// section 4), each when the one before it has failed or has not answered for a while.
pub(super) async fn connect(addresses: &[SocketAddr], mark: Option<u32>) -> io::Result<TcpStream> {
    if let [address] = addresses {
        return attempt(*address, mark).await;
    }
    let mut left = in_turn(addresses).into_iter();
    let mut attempts = JoinSet::new();
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = left.next() {
            attempts.spawn(attempt(address, mark));
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = error,
                Err(error) => failed = io::Error::other(error),
            },
            () = sleep(NEXT), if left.len() > 0 => {}
            else => return Err(failed),
        }
    }
}

async fn attempt(address: SocketAddr, mark: Option<u32>) -> io::Result<TcpStream> {
    TcpSocket::from_std_stream(open(address, mark)?.into())
        .connect(address)
        .await
}

/// The addresses with the two families in turn, the family of the first one first.
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (same, other): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == first);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut all = Vec::with_capacity(addresses.len());
    while all.len() < addresses.len() {
        all.extend(same.next());
        all.extend(other.next());
    }
    all
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

    #[test]
    fn families_take_turns() {
        let parse =
            |list: &[&str]| -> Vec<SocketAddr> { list.iter().map(|text| text.parse().unwrap()).collect() };
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let turns = parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turn(&given), turns);
        assert_eq!(in_turn(&[]), []);
    }

    #[tokio::test]
    async fn every_address_is_tried() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        // A full backlog does not answer, as a host that is gone: the next address does not wait for it.
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        for _ in 0..4 {
            let socket = open(silent, None).unwrap();
            drop(socket.connect(&silent.into()));
            held.push(socket);
        }
        let begun = std::time::Instant::now();
        let stream = connect(&[closed, silent, good], None).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let error = connect(&[closed, closed], None).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            connect(&[], None).await.unwrap_err().kind(),
            io::ErrorKind::AddrNotAvailable
        );
    }
}
