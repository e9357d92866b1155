//! Waits and bounds of a client that change between two requests.

use std::{net::TcpListener, time::Duration};

use shadow_core::compare::Failure;
use socket2::SockRef;

use super::{
    super::{LiveSettings, ReplaySettings, Shadow as _},
    HttpShadow, Target, failure, get, limits, response,
    server::{Server, always},
    settings,
};

const MS: Duration = Duration::from_millis(1);

/// A client, and the handle that changes its settings.
fn client(address: std::net::SocketAddr) -> (HttpShadow, LiveSettings) {
    let live = LiveSettings::from(settings());
    let client = HttpShadow::new(Target::at(address), None, limits(), live.clone()).unwrap();
    (client, live)
}

#[tokio::test]
async fn the_waits_for_an_answer() {
    let server = Server::start(|mut peer| async move {
        peer.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let (client, live) = client(server.address);
    live.set(ReplaySettings {
        timeout: 100 * MS,
        ..settings()
    });
    assert_eq!(failure(&client, &get()).await, Failure::Timeout);
    live.set(ReplaySettings {
        first_byte_timeout: Some(100 * MS),
        ..settings()
    });
    assert_eq!(failure(&client, &get()).await, Failure::FirstByteTimeout);
}

#[tokio::test]
async fn the_wait_for_a_connection() {
    // A listener whose backlog is full drops the handshake.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _filler: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&address, 100 * MS))
        .collect();
    let (client, live) = client(address);
    for (connect_timeout, timeout, failed) in [
        (5_000 * MS, 200 * MS, Failure::Timeout),
        (100 * MS, 5_000 * MS, Failure::ConnectTimeout),
    ] {
        live.set(ReplaySettings {
            connect_timeout,
            timeout,
            ..settings()
        });
        assert_eq!(failure(&client, &get()).await, failed);
    }
}

#[tokio::test]
async fn the_longest_answer() {
    let server = always(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n").await;
    let (client, live) = client(server.address);
    live.set(ReplaySettings {
        max_response: 1_000,
        ..settings()
    });
    assert_eq!(failure(&client, &get()).await, Failure::TooLarge);
}

#[tokio::test]
async fn how_long_and_how_many_connections_are_kept() {
    let server = always(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let (client, live) = client(server.address);
    let request = get();
    tokio::join!(
        response(&client, &request),
        response(&client, &request),
        response(&client, &request)
    );
    assert_eq!(client.idle(), 3);
    live.set(ReplaySettings {
        concurrency: 1,
        ..settings()
    });
    let sweep = || tokio::time::timeout(1_200 * MS, client.housekeeping());
    assert!(sweep().await.is_err());
    assert_eq!(client.idle(), 1, "no more than may run at once");
    live.set(ReplaySettings {
        idle_timeout: 10 * MS,
        ..settings()
    });
    assert!(sweep().await.is_err());
    assert_eq!(client.idle(), 0);
}
