//! The bytes sent to the shadow system, and the parts read from its answers.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Mutex, mpsc};

use super::{
    super::Shadow as _,
    client, get, request, response,
    server::{Server, always},
    settings,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server that hands on the whole head of each request and answers at once.
async fn recorder() -> (Server, mpsc::UnboundedReceiver<String>) {
    let (head_tx, head_rx) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let head_tx = head_tx.clone();
        async move {
            loop {
                let head = peer.head().await;
                if head.is_empty() || head_tx.send(head).is_err() {
                    return;
                }
                peer.write(OK).await;
            }
        }
    })
    .await;
    (server, head_rx)
}

#[tokio::test]
async fn names_keep_their_case_and_fields_their_order() {
    let (server, mut heads) = recorder().await;
    let client = client(server.address, settings());
    let headers = [
        ("X-First", "1"),
        ("HOST", "production.example"),
        ("user-agent", "curl/8"),
        ("aCCept", "*/*"),
        ("Cookie", "a=1"),
        ("COOKIE", "b=2"),
        ("X-Empty", ""),
        ("Shadow-Replay", "1"),
    ];
    let expected = "GET /a?b=c HTTP/1.1\r\nX-First: 1\r\nHOST: production.example\r\nuser-agent: curl/8\r\n\
                    aCCept: */*\r\nCookie: a=1\r\nCOOKIE: b=2\r\nX-Empty:\r\nShadow-Replay: 1\r\n\r\n";
    for round in 0..2 {
        response(&client, &request("GET", "/a?b=c", &headers, b"")).await;
        assert_eq!(heads.recv().await.unwrap(), expected, "round {round}");
    }
}

#[tokio::test]
async fn nothing_is_added_to_requests_with_and_without_content() {
    let (server, mut heads) = recorder().await;
    let client = client(server.address, settings());
    for (method, headers) in [
        ("GET", &[("host", "a")][..]),
        ("HEAD", &[("host", "a")]),
        ("POST", &[("host", "a"), ("content-length", "0")]),
        ("POST", &[("host", "a")]),
        ("DELETE", &[("host", "a")]),
    ] {
        response(&client, &request(method, "/", headers, b"")).await;
        let mut expected = format!("{method} / HTTP/1.1\r\n");
        for (name, value) in headers {
            expected.extend([name, ": ", value, "\r\n"]);
        }
        // HEAD: the recorder's two bytes of content are invalid here, which only costs the connection.
        assert_eq!(heads.recv().await.unwrap(), expected + "\r\n");
    }
}

#[tokio::test]
async fn chunked_content_stays_chunked_with_its_trailers() {
    let (body_tx, mut body_rx) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let body_tx = body_tx.clone();
        async move {
            let head = peer.head().await;
            let rest = peer.read_until(b"\r\n\r\n").await;
            peer.write(OK).await;
            body_tx.send((head, String::from_utf8(rest).unwrap())).unwrap();
        }
    })
    .await;
    let client = client(server.address, settings());
    let chunked = [
        ("Host", "a"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "X-Sum"),
    ];

    let mut with_trailer = request("POST", "/", &chunked, b"hello");
    with_trailer.trailers = vec![("X-Sum".into(), "42".into())];
    response(&client, &with_trailer).await;
    let (head, body) = body_rx.recv().await.unwrap();
    assert_eq!(
        head,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    );
    assert_eq!(body, "5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n");

    response(&client, &request("POST", "/", &chunked, b"")).await;
    let (head, body) = body_rx.recv().await.unwrap();
    assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
    assert_eq!(body, "0\r\n\r\n");
}

#[tokio::test]
async fn a_long_body_arrives_whole_although_the_answer_came_first() {
    const LEN: usize = 2_000_000;
    let body: Vec<u8> = (0..LEN).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let (got_tx, mut got_rx) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let got_tx = got_tx.clone();
        async move {
            while !peer.head().await.is_empty() {
                peer.write(OK).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                got_tx.send(peer.exactly(LEN).await).unwrap();
            }
        }
    })
    .await;
    let client = client(server.address, settings());
    let length = LEN.to_string();
    let request = request("POST", "/", &[("Host", "a"), ("Content-Length", &length)], &body);
    for round in 0..2 {
        assert_eq!(response(&client, &request).await.status, 200);
        let got = got_rx.recv().await.unwrap();
        assert_eq!(
            blake3::hash(&got),
            blake3::hash(&body),
            "round {round}: {} bytes",
            got.len()
        );
    }
    assert_eq!(server.accepted(), 1, "the connection was kept");
}

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let server = always(OK).await;
    let client = client(server.address, settings());
    for _ in 0..20 {
        assert_eq!(response(&client, &get()).await.body.kept, "ok");
    }
    assert_eq!((server.accepted(), client.idle()), (1, 1));
}

#[tokio::test]
async fn requests_at_once_have_a_connection_each_and_share_them_later() {
    let server = Server::start(|mut peer| async move {
        while !peer.head().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            peer.write(OK).await;
        }
    })
    .await;
    let client = Arc::new(client(server.address, settings()));
    for _ in 0..2 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let client = Arc::clone(&client);
            tasks.spawn(async move { response(&client, &get()).await.status });
        }
        assert_eq!(tasks.join_all().await, [200; 8]);
    }
    assert_eq!((server.accepted(), client.idle()), (8, 8));
}

#[tokio::test]
async fn a_connection_that_ended_while_idle_is_replaced_without_a_failure() {
    let server = Server::start(|mut peer| async move {
        peer.head().await;
        peer.write(OK).await;
        // Closes without an announcement.
    })
    .await;
    let client = client(server.address, settings());
    for round in 0..5 {
        assert_eq!(response(&client, &get()).await.status, 200, "round {round}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.accepted(), 5);
}

#[tokio::test]
async fn idle_connections_are_closed_after_their_time() {
    let server = always(OK).await;
    let mut settings = settings();
    settings.idle_timeout = Duration::from_millis(50);
    let client = Arc::new(client(server.address, settings));
    response(&client, &get()).await;
    assert_eq!(client.idle(), 1);
    let keeper = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.housekeeping().await }
    });
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(client.idle(), 0);
    keeper.abort();
}

#[tokio::test]
async fn interim_responses_are_passed_over() {
    let server = Server::start(|mut peer| async move {
        while !peer.head().await.is_empty() {
            peer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                .await;
            tokio::time::sleep(Duration::from_millis(60)).await;
            peer.write(OK).await;
        }
    })
    .await;
    let client = client(server.address, settings());
    for _ in 0..2 {
        let response = response(&client, &get()).await;
        assert_eq!((response.status, &response.body.kept[..]), (200, &b"ok"[..]));
        let first = response.first_byte;
        assert!(
            first >= Duration::from_millis(50),
            "{first:?} is that of the interim response"
        );
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_content_and_keeps_the_connection() {
    let server = always(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
    let client = client(server.address, settings());
    for _ in 0..3 {
        let head = request("HEAD", "/", &[("Host", "a")], b"");
        let response = response(&client, &head).await;
        assert_eq!(
            (response.body.len, response.headers.get("content-length")),
            (0, Some(&b"99999999999"[..]))
        );
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn latency_is_that_of_the_server() {
    let server = Server::start(|mut peer| async move {
        peer.head().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no").await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        peer.write(b"k").await;
    })
    .await;
    let response = response(&client(server.address, settings()), &get()).await;
    let (first, total) = (response.first_byte, response.total);
    assert!(first >= Duration::from_millis(55), "{first:?}");
    assert!(total >= first + Duration::from_millis(55), "{first:?} {total:?}");
}

#[tokio::test]
async fn a_body_over_the_cap_is_kept_as_length_and_digest() {
    const LEN: usize = 1_000_000;
    let content: Arc<Vec<u8>> = Arc::new((0..LEN).map(|n| u8::try_from(n % 241).unwrap()).collect());
    let shared = Arc::new(Mutex::new(Arc::clone(&content)));
    let server = Server::start(move |mut peer| {
        let shared = Arc::clone(&shared);
        async move {
            peer.head().await;
            peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {LEN}\r\n\r\n"))
                .await;
            peer.write(shared.lock().await.as_slice()).await;
        }
    })
    .await;
    let body = response(&client(server.address, settings()), &get()).await.body;
    assert_eq!((body.len, body.kept.len()), (LEN as u64, super::KEPT));
    assert_eq!(body.digest, Some(*blake3::hash(&content).as_bytes()));
}

#[tokio::test]
async fn content_until_the_end_of_the_connection_is_whole() {
    let server = super::server::once(b"HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    let response = response(&client(server.address, settings()), &get()).await;
    assert_eq!(response.body.kept, "until the end");
}

#[tokio::test]
async fn after_an_http_1_0_answer_requests_stay_as_they_were() {
    let (head_tx, mut head_rx) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let head_tx = head_tx.clone();
        async move {
            loop {
                let head = peer.head().await;
                if head.is_empty() || head_tx.send(head).is_err() {
                    return;
                }
                peer.write(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
                    .await;
            }
        }
    })
    .await;
    let client = client(server.address, settings());
    for _ in 0..2 {
        response(&client, &get()).await;
        let head = head_rx.recv().await.unwrap();
        assert_eq!(head, "GET / HTTP/1.1\r\nHost: production.example\r\n\r\n");
    }
}
