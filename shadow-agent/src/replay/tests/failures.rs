//! Every kind of failure of a shadow system to answer is named, in bounded time and memory.

use std::{net::TcpListener, time::Duration};

use shadow_core::compare::Failure;
use socket2::SockRef;
use tokio::{sync::mpsc, time::Instant};

use super::{
    super::Shadow as _,
    client, failure, get, request, response,
    server::{Server, once},
    settings,
};

#[tokio::test]
async fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(failure(&client(free, settings()), &get()).await, Failure::Connect);
}

#[tokio::test]
async fn nobody_accepts() {
    // A listener whose backlog is full drops the handshake.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _filler: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)))
        .collect();
    let mut settings = settings();
    settings.connect_timeout = Duration::from_millis(200);
    assert_eq!(
        failure(&client(address, settings), &get()).await,
        Failure::ConnectTimeout
    );
}

#[tokio::test]
async fn it_answers_too_late_or_not_to_the_end() {
    for begun in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let server = Server::start(move |mut peer| async move {
            peer.head().await;
            peer.write(begun).await;
            std::future::pending::<()>().await;
        })
        .await;
        let mut settings = settings();
        settings.timeout = Duration::from_millis(150);
        let client = client(server.address, settings);
        let begin = Instant::now();
        assert_eq!(failure(&client, &get()).await, Failure::Timeout, "{begun:?}");
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        assert_eq!(client.idle(), 0, "the connection is gone");
    }
}

#[tokio::test]
async fn it_answers_and_reads_no_further() {
    // More than the buffers of both sockets hold.
    let upload = request(
        "POST",
        "/",
        &[("Host", "a"), ("Content-Length", "16777216")],
        &vec![b'x'; 16 << 20],
    );
    for timeout in [Duration::from_millis(300), Duration::from_secs(20)] {
        let server = Server::start(move |mut peer| async move {
            peer.head().await;
            peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
                .await;
            std::future::pending::<()>().await;
        })
        .await;
        let mut settings = settings();
        settings.timeout = timeout;
        let client = client(server.address, settings);
        let begin = Instant::now();
        assert_eq!(response(&client, &upload).await.status, 413, "{timeout:?}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        assert_eq!(client.idle(), 0, "the connection cannot be used again");
    }
}

#[tokio::test]
async fn the_first_byte_has_a_wait_of_its_own() {
    for (begun, failed) in [
        ("", Failure::FirstByteTimeout),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            Failure::Timeout,
        ),
    ] {
        let server = Server::start(move |mut peer| async move {
            peer.head().await;
            peer.write(begun).await;
            std::future::pending::<()>().await;
        })
        .await;
        let mut settings = settings();
        settings.first_byte_timeout = Some(Duration::from_millis(100));
        settings.timeout = Duration::from_millis(400);
        let client = client(server.address, settings);
        let begin = Instant::now();
        assert_eq!(failure(&client, &get()).await, failed, "{begun:?}");
        let least = Duration::from_millis(if begun.is_empty() { 100 } else { 400 });
        assert!(begin.elapsed() >= least, "{:?}", begin.elapsed());
        assert_eq!(client.idle(), 0, "the connection is gone");
    }
}

#[tokio::test]
async fn it_closes_too_early() {
    for begun in [
        &b""[..],
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let server = once(begun).await;
        let failed = failure(&client(server.address, settings()), &get()).await;
        assert_eq!(failed, Failure::Closed, "{}", String::from_utf8_lossy(begun));
        assert_eq!(
            server.accepted(),
            1,
            "no retry: the shadow system saw the request"
        );
    }
}

#[tokio::test]
async fn it_resets() {
    let server = Server::start(|mut peer| async move {
        peer.head().await;
        SockRef::from(&peer.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    })
    .await;
    assert_eq!(
        failure(&client(server.address, settings()), &get()).await,
        Failure::Reset
    );
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn it_talks_something_else() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"[..],
        b"\x00\x01\x02\x03\x04\x05\x06\x07\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let server = once(garbage).await;
        let failed = failure(&client(server.address, settings()), &get()).await;
        assert_eq!(failed, Failure::Protocol, "{}", String::from_utf8_lossy(garbage));
    }
}

#[tokio::test]
async fn it_sends_for_ever() {
    let (sent_tx, mut sent_rx) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let sent_tx = sent_tx.clone();
        async move {
            peer.head().await;
            peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            let mut chunk = b"10000\r\n".to_vec();
            chunk.resize(chunk.len() + 0x10000, b'x');
            chunk.extend_from_slice(b"\r\n");
            let mut sent = 0_u64;
            while tokio::io::AsyncWriteExt::write_all(&mut peer.stream, &chunk)
                .await
                .is_ok()
            {
                sent += 0x10000;
            }
            sent_tx.send(sent).unwrap();
        }
    })
    .await;
    let mut settings = settings();
    settings.max_response = 1 << 20;
    let client = client(server.address, settings);
    assert_eq!(failure(&client, &get()).await, Failure::TooLarge);
    assert_eq!(client.idle(), 0);
    let sent = sent_rx.recv().await.unwrap();
    assert!(
        sent < 64 << 20,
        "{sent} bytes were sent before the client hung up"
    );
}

#[tokio::test]
async fn it_announces_more_than_is_read() {
    let server = once(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n").await;
    assert_eq!(
        failure(&client(server.address, settings()), &get()).await,
        Failure::TooLarge
    );
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = Server::start(|mut peer| async move {
        peer.head().await;
        peer.write(b"HTTP/1.1 200 OK\r\n").await;
        let field = b"X-Filler: "
            .iter()
            .chain([b'x'; 1000].iter())
            .chain(b"\r\n")
            .copied()
            .collect::<Vec<u8>>();
        while tokio::io::AsyncWriteExt::write_all(&mut peer.stream, &field)
            .await
            .is_ok()
        {}
    })
    .await;
    assert_eq!(
        failure(&client(server.address, settings()), &get()).await,
        Failure::Protocol
    );
}

#[tokio::test]
async fn it_comes_back_after_a_failure() {
    let server = Server::start(|mut peer| async move {
        if peer.head().await.contains("/bad") {
            return;
        }
        peer.write(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        peer.head().await;
    })
    .await;
    let client = client(server.address, settings());
    let bad = request("GET", "/bad", &[("Host", "a")], b"");
    assert_eq!(failure(&client, &bad).await, Failure::Closed);
    assert_eq!(response(&client, &get()).await.status, 204);
}

#[tokio::test]
async fn a_dropped_replay_closes_its_connection() {
    let (gone_tx, mut gone_rx) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let gone_tx = gone_tx.clone();
        async move {
            peer.head().await;
            assert_eq!(peer.head().await, "", "closed, and nothing more was sent");
            gone_tx.send(()).unwrap();
        }
    })
    .await;
    let client = client(server.address, settings());
    let prepared = client.prepare(&get()).unwrap();
    let cut = tokio::time::timeout(Duration::from_millis(100), client.answer(prepared)).await;
    assert!(cut.is_err(), "{cut:?}");
    gone_rx.recv().await.unwrap();
    assert_eq!(client.idle(), 0);
}
