//! Connections that the shadow system closes while they are idle, at the moment at which a request is sent on them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use shadow_core::compare::{Failure, Outcome};
use socket2::SockRef;

use super::{
    super::{Answer, Shadow as _},
    HttpShadow, client, get, request, response,
    server::Server,
    settings,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Close,
    Reset,
    TimedOut,
}

/// Answers `answers` requests on each connection, reads one more, and ends the connection without an answer to it. The
/// counter is of all requests that were read.
async fn closing(answers: usize, end: End) -> (Server, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let server = Server::start(move |mut peer| {
        let count = Arc::clone(&count);
        async move {
            for n in 0..=answers {
                if peer.head().await.is_empty() {
                    return;
                }
                count.fetch_add(1, SeqCst);
                if n < answers {
                    peer.write(OK).await;
                }
            }
            match end {
                End::Close => (),
                End::Reset => SockRef::from(&peer.stream)
                    .set_linger(Some(std::time::Duration::ZERO))
                    .unwrap(),
                End::TimedOut => peer.write(TIMED_OUT).await,
            }
        }
    })
    .await;
    (server, read)
}

async fn sent(client: &HttpShadow, method: &str) -> Answer {
    let request = request(method, "/", &[("Host", "a"), ("Content-Length", "0")], b"");
    client.answer(client.prepare(&request).unwrap()).await
}

#[tokio::test]
async fn a_repeatable_request_is_sent_once_more_on_a_new_connection() {
    for end in [End::Close, End::Reset, End::TimedOut] {
        let (server, read) = closing(1, end).await;
        let client = client(server.address, settings());
        for round in 0..5 {
            let answer = sent(&client, "PUT").await;
            let Outcome::Response(response) = answer.outcome else {
                panic!("{end:?}, round {round}: {:?}", answer.outcome);
            };
            assert_eq!(
                (response.status, answer.notes.reconnected),
                (200, round > 0),
                "{end:?}, round {round}"
            );
        }
        assert_eq!(
            (server.accepted(), read.load(SeqCst)),
            (5, 9),
            "{end:?}: once more, and no more"
        );
    }
}

#[tokio::test]
async fn one_that_may_not_be_repeated_is_not() {
    let (server, read) = closing(1, End::Close).await;
    let client = client(server.address, settings());
    response(&client, &get()).await;
    let answer = sent(&client, "POST").await;
    assert!(
        matches!(answer.outcome, Outcome::Failed(Failure::Closed)),
        "{:?}",
        answer.outcome
    );
    assert_eq!((server.accepted(), read.load(SeqCst)), (1, 2));
}

#[tokio::test]
async fn a_new_connection_that_ends_as_well_is_a_failure() {
    let (server, read) = closing(0, End::Close).await;
    let fresh = client(server.address, settings());
    let answer = sent(&fresh, "GET").await;
    assert!(
        matches!(answer.outcome, Outcome::Failed(Failure::Closed)),
        "{:?}",
        answer.outcome
    );
    assert!(answer.is_unanswered && !answer.notes.reconnected);
    assert_eq!((server.accepted(), read.load(SeqCst)), (1, 1));
}

#[tokio::test]
async fn an_answer_that_begins_and_ends_early_is_not_asked_for_again() {
    let server = Server::start(|mut peer| async move {
        peer.head().await;
        peer.write(OK).await;
        peer.head().await;
        peer.write(b"HTTP/1.1 200 OK\r\n").await;
    })
    .await;
    let client = client(server.address, settings());
    response(&client, &get()).await;
    let answer = sent(&client, "GET").await;
    assert!(
        matches!(answer.outcome, Outcome::Failed(Failure::Closed)),
        "{:?}",
        answer.outcome
    );
    assert_eq!(server.accepted(), 1);
}
