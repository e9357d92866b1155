//! HTTP/2: against a server of a library, and against single frames.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Response};
use shadow_core::{compare::Failure, rewrite::ShadowRequest};
use shadow_proto::exchange::Version;

use super::{
    super::{Protocol, ReplaySettings, Shadow as _},
    answer, client, failure, request, response,
    server::{Peer, Server, always},
    settings,
};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A call as a client of gRPC makes it.
fn call(target: &str, headers: &[(&str, &str)], body: &[u8]) -> ShadowRequest {
    let fields = [
        &[
            ("host", "production.example"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ],
        headers,
    ]
    .concat();
    ShadowRequest {
        version: Version::Http2,
        ..request("POST", target, &fields, body)
    }
}

/// A server of the library that answers with what it was sent, and with a trailer. `/slow` takes a while.
async fn echo(most: u32, at_once: &Arc<AtomicUsize>) -> Server {
    let at_once = Arc::clone(at_once);
    Server::start(move |peer: Peer| {
        let at_once = Arc::clone(&at_once);
        async move {
            let mut builder = Builder::new();
            builder.max_concurrent_streams(most);
            let mut connection = builder.handshake::<_, Bytes>(peer.stream).await.unwrap();
            let running = Arc::new(AtomicUsize::new(0));
            while let Some(Ok((request, respond))) = connection.accept().await {
                at_once.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                let running = Arc::clone(&running);
                tokio::spawn(async move {
                    reply(request, respond).await;
                    running.fetch_sub(1, SeqCst);
                });
            }
        }
    })
    .await
}

async fn reply(request: http::Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, mut body) = request.into_parts();
    let mut content = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        content.extend_from_slice(&part);
    }
    if head.uri.path() == "/slow" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sum = body
        .trailers()
        .await
        .unwrap()
        .and_then(|mut fields| fields.remove("x-sum"));
    let shown = format!("{} {} {:?}", head.method, head.uri, head.headers.get("te"));
    let response = Response::builder()
        .status(200)
        .header("x-shown", shown)
        .body(())
        .unwrap();
    let mut stream = respond.send_response(response, false).unwrap();
    stream.send_data(content.into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", sum.unwrap_or(HeaderValue::from_static("none")));
    stream.send_trailers(trailers).unwrap();
}

#[tokio::test]
async fn content_and_trailers_pass_in_both_directions() {
    let server = echo(100, &Arc::default()).await;
    let client = client(server.address, settings());
    let large = vec![b'x'; 3 << 20];
    for (body, sum) in [
        (&b""[..], None),
        (b"", Some("7")),
        (b"hello", None),
        (&large, Some("8")),
    ] {
        let mut sent = call("/a/b?c=d", &[], body);
        sent.trailers = sum.into_iter().map(|sum| ("x-sum".into(), sum.into())).collect();
        let got = response(&client, &sent).await;
        let shown = String::from_utf8_lossy(got.headers.get("x-shown").unwrap()).into_owned();
        assert_eq!(shown, "POST http://production.example/a/b?c=d Some(\"trailers\")");
        assert_eq!(got.body.len, body.len() as u64);
        assert_eq!(got.body.blake3().unwrap(), *blake3::hash(body).as_bytes());
        assert_eq!(got.trailers.get("x-sum"), Some(sum.unwrap_or("none").as_bytes()));
        assert_eq!(got.status, 200);
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn requests_share_a_connection_as_far_as_it_has_room() {
    for (most, connections) in [(100, 1..=1), (4, 3..=4)] {
        let at_once = Arc::default();
        let server = echo(most, &at_once).await;
        let client = client(server.address, settings());
        // The shadow system's settings are known from then on.
        response(&client, &call("/", &[], b"")).await;
        let slow = call("/slow", &[], b"x");
        let all = (0..12).map(|_| response(&client, &slow));
        let mut all: Vec<_> = all.map(Box::pin).collect();
        for answer in &mut all {
            // Begun in their order, all at once.
            tokio::select! {
                biased;
                _ = answer => {}
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
        drop(all);
        assert!(
            connections.contains(&server.accepted()),
            "{} for {most}",
            server.accepted()
        );
        let at_once = at_once.load(SeqCst);
        assert!(
            (2..=usize::try_from(most).unwrap()).contains(&at_once),
            "{at_once}"
        );
    }
}

/// The frames of a connection, one by one.
struct Frames(Peer);

impl Frames {
    /// After the preface, with the settings of both ends acknowledged.
    async fn begin(mut peer: Peer) -> Self {
        peer.exactly(24).await;
        let mut frames = Self(peer);
        frames.write(SETTINGS, 0, 0, &[]).await;
        frames
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write([&head, payload].concat()).await;
    }

    /// The next frame that is not about the connection alone: its type, stream and payload.
    async fn next(&mut self) -> (u8, u32, Vec<u8>) {
        loop {
            let head = self.0.exactly(9).await;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let payload = self.0.exactly(usize::try_from(length).unwrap()).await;
            if head[3] == SETTINGS && head[4] == 0 {
                self.write(SETTINGS, 1, 0, &[]).await;
            }
            if stream > 0 {
                return (head[3], stream, payload);
            }
        }
    }

    /// The stream of the next request that has no content.
    async fn request(&mut self) -> u32 {
        let (kind, stream, _) = self.next().await;
        assert_eq!(kind, HEADERS);
        stream
    }

    /// Answers with 200 and no content.
    async fn ok(&mut self, stream: u32) {
        self.write(HEADERS, END_STREAM | END_HEADERS, stream, &[0x88])
            .await;
    }
}

/// A server whose first connection answers one request, and does `second` to the next one. Later connections answer
/// all.
async fn first_connection<F, S>(second: F) -> Server
where
    F: Fn(Frames, u32) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let connections = Arc::new(AtomicUsize::new(0));
    Server::start(move |peer| {
        let (number, second) = (connections.fetch_add(1, SeqCst), second.clone());
        async move {
            let mut frames = Frames::begin(peer).await;
            let stream = frames.request().await;
            frames.ok(stream).await;
            let stream = frames.request().await;
            if number == 0 {
                return second(frames, stream).await;
            }
            frames.ok(stream).await;
        }
    })
    .await
}

async fn refuse(mut frames: Frames, stream: u32) {
    frames.write(RST_STREAM, 0, stream, &7u32.to_be_bytes()).await;
    frames.next().await;
}

async fn go_away(mut frames: Frames, stream: u32) {
    let payload = [(stream - 2).to_be_bytes(), 0u32.to_be_bytes()].concat();
    frames.write(GOAWAY, 0, 0, &payload).await;
    frames.next().await;
}

#[tokio::test]
async fn a_request_that_was_not_processed_is_sent_once_more() {
    for server in [first_connection(refuse).await, first_connection(go_away).await] {
        let client = client(server.address, settings());
        let post = call("/", &[], b"");
        assert!(!post.is_repeatable);
        for expected in [false, true] {
            let answer = client.answer(client.prepare(&post).unwrap()).await;
            assert_eq!(answer.notes.unprocessed, expected);
            assert!(!answer.notes.reconnected);
            assert!(
                matches!(answer.outcome, shadow_core::compare::Outcome::Response(_)),
                "{answer:?}"
            );
        }
        assert_eq!(server.accepted(), 2);
    }
}

#[tokio::test]
async fn a_new_connection_that_refuses_is_a_failure() {
    let server = Server::start(|peer| async move {
        let mut frames = Frames::begin(peer).await;
        let stream = frames.request().await;
        refuse(frames, stream).await;
    })
    .await;
    let client = client(server.address, settings());
    assert_eq!(failure(&client, &call("/", &[], b"")).await, Failure::Unprocessed);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_reset_stream_is_a_failure_of_that_request_alone() {
    let server = first_connection(|mut frames: Frames, stream| async move {
        frames.write(RST_STREAM, 0, stream, &2u32.to_be_bytes()).await;
        let stream = frames.request().await;
        frames.ok(stream).await;
    })
    .await;
    let client = client(server.address, settings());
    let get = ShadowRequest {
        is_repeatable: true,
        ..call("/", &[], b"")
    };
    response(&client, &get).await;
    assert_eq!(failure(&client, &get).await, Failure::StreamReset);
    response(&client, &get).await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_connection_that_ends_silently_costs_a_repeatable_request_nothing() {
    for is_repeatable in [true, false] {
        let server = first_connection(|_frames, _stream| async {}).await;
        let client = client(server.address, settings());
        let sent = ShadowRequest {
            is_repeatable,
            ..call("/", &[], b"")
        };
        response(&client, &sent).await;
        let answer = client.answer(client.prepare(&sent).unwrap()).await;
        assert_eq!(answer.notes.reconnected, is_repeatable);
        assert_eq!(answer.is_unanswered, !is_repeatable, "{answer:?}");
        assert_eq!(server.accepted(), if is_repeatable { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_server_of_http1_is_named_and_can_be_chosen() {
    let server = always(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let same = client(server.address, settings());
    assert_eq!(failure(&same, &call("/", &[], b"")).await, Failure::Protocol);
    let http1 = ReplaySettings {
        protocol: Protocol::H1,
        ..settings()
    };
    let http1 = client(server.address, http1);
    assert_eq!(response(&http1, &call("/", &[], b"")).await.body.kept, "ok");
}

#[tokio::test]
async fn a_request_of_http1_can_be_sent_over_http2() {
    let server = echo(100, &Arc::default()).await;
    let http2 = ReplaySettings {
        protocol: Protocol::H2,
        ..settings()
    };
    let client = client(server.address, http2);
    let fields = [("Host", "a.example"), ("Content-Length", "2"), ("X-Y", "z")];
    let got = response(&client, &request("PUT", "/x", &fields, b"ok")).await;
    assert_eq!(
        got.headers.get("x-shown"),
        Some(&b"PUT http://a.example/x None"[..])
    );
    assert_eq!(got.body.kept, "ok");
}

#[tokio::test]
async fn a_call_has_as_long_as_its_client_gave_it() {
    let reset = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&reset);
    let server = Server::start(move |peer| {
        let seen = Arc::clone(&seen);
        async move {
            let mut frames = Frames::begin(peer).await;
            frames.request().await;
            let frame = frames.next().await;
            *seen.lock().unwrap() = Some(frame);
        }
    })
    .await;
    let client = client(server.address, settings());
    let began = Instant::now();
    let limited = call("/", &[("grpc-timeout", "60m")], b"");
    assert_eq!(failure(&client, &limited).await, Failure::Timeout);
    let took = began.elapsed();
    assert!(
        (Duration::from_millis(60)..Duration::from_secs(3)).contains(&took),
        "{took:?}"
    );
    for _ in 0..200 {
        if reset.lock().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let cancel = 8u32.to_be_bytes().to_vec();
    assert_eq!(
        *reset.lock().unwrap(),
        Some((RST_STREAM, 1, cancel)),
        "the shadow system is notified"
    );
}

#[tokio::test]
async fn an_answer_over_the_bound_is_abandoned() {
    let server = echo(100, &Arc::default()).await;
    let small = ReplaySettings {
        max_response: 1000,
        ..settings()
    };
    let client = client(server.address, small);
    assert_eq!(
        failure(&client, &call("/", &[], &[b'x'; 1001])).await,
        Failure::TooLarge
    );
    let fits = answer(&client, &call("/", &[], &[b'x'; 1000])).await;
    assert!(
        matches!(fits, shadow_core::compare::Outcome::Response(_)),
        "{fits:?}"
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_with_goaway() {
    let ended = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&ended);
    let server = Server::start(move |peer| {
        let seen = Arc::clone(&seen);
        async move {
            let mut frames = Frames::begin(peer).await;
            let stream = frames.request().await;
            frames.ok(stream).await;
            loop {
                let head = frames.0.exactly(9).await;
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                frames.0.exactly(usize::try_from(length).unwrap()).await;
                if head[3] == GOAWAY {
                    *seen.lock().unwrap() = Some(head[3]);
                }
            }
        }
    })
    .await;
    let short = ReplaySettings {
        idle_timeout: Duration::from_millis(100),
        ..settings()
    };
    let client = client(server.address, short);
    response(&client, &call("/", &[], b"")).await;
    assert_eq!(client.idle(), 1);
    let until = Duration::from_secs(5);
    let waiting = async {
        while client.idle() > 0 || ended.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = client.housekeeping() => {}
        waited = tokio::time::timeout(until, waiting) => waited.expect("it is closed"),
    }
}
