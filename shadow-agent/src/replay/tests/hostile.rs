//! A shadow system that sends without end does not slow down the others: all share one thread.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use shadow_core::compare::{Failure, Outcome};
use tokio::time::Instant;

use super::{super::Shadow as _, answer, client, failure, get, response, server::always, settings};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server on its own thread that begins each answer with `first` and repeats `again` as fast as it is read, or with a
/// pause. Its threads end when the client closes.
fn endless(first: &'static [u8], again: &'static [u8], pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let talk = move |mut peer: TcpStream| {
        let mut head = [0; 1024];
        let _read = peer.read(&mut head);
        let mut sent = peer.write_all(first);
        let block = if pause.is_zero() {
            again.repeat(65_536 / again.len())
        } else {
            again.to_vec()
        };
        while sent.is_ok() {
            thread::sleep(pause);
            sent = peer.write_all(&block);
        }
    };
    thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            thread::spawn(move || talk(peer));
        }
    });
    address
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a row for each case")]
async fn what_never_ends_is_a_failure_by_name_and_stalls_no_other_target() {
    let good = always(OK).await;
    let (protocol, timeout, now, slowly) = (
        Failure::Protocol,
        Failure::Timeout,
        Duration::ZERO,
        Duration::from_millis(1),
    );
    let cases: [(&[u8], &[u8], Duration, Failure); 9] = [
        (
            b"",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            now,
            protocol,
        ),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n", slowly, protocol),
        (b"", b"\r\n", now, protocol),
        (b"HTTP/1.1 200 OK\r\n", b"X-Filler: x\r\n", now, protocol),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x", slowly, timeout),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
            b"x",
            slowly,
            timeout,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;",
            b"x",
            now,
            protocol,
        ),
        (
            CHUNKED,
            b"1;extension=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nx\r\n",
            now,
            timeout,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X: y\r\n",
            now,
            protocol,
        ),
    ];
    for (first, again, pause, failed) in cases {
        let facts = format!(
            "{:?} {:?}",
            String::from_utf8_lossy(first),
            String::from_utf8_lossy(again)
        );
        let mut settings = settings();
        settings.timeout = Duration::from_millis(1_500);
        let hostile = client(endless(first, again, pause), settings);
        let hostile = tokio::spawn(async move { failure(&hostile, &get()).await });
        let good = client(good.address, super::settings());
        let begin = Instant::now();
        let mut waits = Vec::new();
        while !hostile.is_finished() || waits.is_empty() {
            let sent = Instant::now();
            assert_eq!(response(&good, &get()).await.status, 200, "{facts}");
            waits.push(sent.elapsed());
            tokio::time::sleep(Duration::from_millis(2)).await;
            assert!(begin.elapsed() < Duration::from_secs(20), "{facts}");
        }
        assert_eq!(hostile.await.unwrap(), failed, "{facts}");
        // Half of them: the machine may do something else for a while.
        waits.sort_unstable();
        let wait = waits[waits.len() / 2];
        assert!(
            wait < Duration::from_millis(500),
            "{facts}: another target waited {wait:?}"
        );
    }
}

#[tokio::test]
async fn sixteen_interim_responses_are_an_answer_and_the_next_is_not() {
    for (count, answered) in [(16, true), (17, false)] {
        let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count);
        let bytes: &'static [u8] = [interim.as_slice(), OK].concat().leak();
        let server = always(bytes).await;
        let outcome = answer(&client(server.address, settings()), &get()).await;
        match outcome {
            Outcome::Response(response) => assert_eq!((response.status, answered), (200, true)),
            Outcome::Failed(failure) => assert_eq!((failure, answered), (Failure::Protocol, false)),
        }
    }
}

#[tokio::test]
async fn a_field_that_breaks_a_rule_is_read_and_noted() {
    for (bytes, name, value) in [
        (
            &b"HTTP/1.1 200 OK\r\nX-Policy: a;\r\n  b;\r\n\tc\r\nContent-Length: 2\r\n\r\nok"[..],
            "x-policy",
            &b"a; b; c"[..],
        ),
        (
            b"HTTP/1.1 200 OK\r\nX-Space : a\r\nContent-Length: 2\r\n\r\nok",
            "x-space",
            b"a",
        ),
    ] {
        let server = always(bytes).await;
        let client = client(server.address, settings());
        for _ in 0..3 {
            let answer = client.answer(client.prepare(&get()).unwrap()).await;
            let Outcome::Response(response) = answer.outcome else {
                panic!("{:?}", answer.outcome);
            };
            assert_eq!(
                (&response.body.kept[..], response.headers.get(name)),
                (&b"ok"[..], Some(value))
            );
            let odd: Vec<_> = answer.notes.odd.iter().map(|odd| odd.name.as_str()).collect();
            assert_eq!(odd, [name]);
        }
        assert_eq!(
            server.accepted(),
            1,
            "the framing was certain: the connection is kept"
        );
    }
}
