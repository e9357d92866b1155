//! hyper reads the same bytes: this checks that the encoder is correct, and that the engine agrees with hyper.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{HeaderMap, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::{prelude::*, sample::Index};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use shadow_proto::{
    engine::Event,
    exchange::{Headers, Request, Version},
};

use crate::support::{
    capture::Losses,
    cases,
    drive::{drive, settings},
    encode::{self, CLIENT, Conversation, Gate, Half, PlannedExchange, SERVER},
    scene::{self, Line},
    spec::{Connection, End, Exchange, Framing},
    strategy,
    wire::{self, Plan},
};

/// A message as hyper understood it. Fields are sorted by name: hyper keeps no order between names.
#[derive(Debug, PartialEq)]
struct Understood {
    start: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn hyper_understands_what_the_encoder_says(
        connection in strategy::connection(strategy::exchange(), 4),
        plan in strategy::plan(),
    ) {
        let line = Line { connections: vec![(connection, plan)], losses: Losses::none(), start: 0 };
        let scene = scene::play(&[line]);
        let conversation = &scene.lines[0].conversations[0];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
        let (requests, responses) = runtime.block_on(async {
            let requests = serve(&conversation.halves[CLIENT].bytes).await;
            let mut responses = Vec::new();
            let mut from = 0;
            for said in &conversation.said {
                // Interim responses are between the last response and this one.
                let bytes = conversation.halves[SERVER].bytes[from..said.response.bytes.end].to_vec();
                from = said.response.bytes.end;
                responses.push(ask(said, bytes).await);
            }
            (requests, responses)
        });
        let (said_requests, said_responses) = said(conversation);
        prop_assert_eq!(requests, said_requests);
        prop_assert_eq!(responses, said_responses);
    }

    /// Framing faults are where two readers disagree. Whatever the engine calls complete, hyper reads the same way.
    #[test]
    fn what_the_engine_completes_of_a_spoilt_stream_is_what_hyper_reads(
        connection in strategy::connection(strategy::small_exchange().prop_map(without_stray_line), 3),
        spoils in prop::collection::vec(spoil(), 1..4),
        largest in prop_oneof![Just(1_usize), Just(50), Just(60_000)],
    ) {
        let mut conversation = encode::encode(&Connection { end: End::Open, ..connection }, 1_000);
        for spoil in &spoils {
            spoil.apply(&mut conversation.halves);
        }
        let mut plan = Plan::plain(largest);
        plan.bare_acks = true;
        let recording = wire::send(&conversation, &plan, scene::ends(0), 0);
        let events = drive(&recording.segments, &settings());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
        let read = runtime.block_on(serve(&conversation.halves[CLIENT].bytes));
        for event in &events {
            let Event::Exchange(exchange) = event else { continue };
            let target = String::from_utf8_lossy(&exchange.request.target);
            if target.contains('#') || target.parse::<hyper::Uri>().is_err() {
                // hyper requires more of a target than the absence of blanks; that does not concern framing.
                break;
            }
            let index = usize::try_from(exchange.index).expect("few exchanges");
            if !exchange.is_complete() && index >= read.len() {
                // hyper refuses this and reads no further. A passive reader continues if the end is certain.
                break;
            }
            if exchange.is_complete() {
                prop_assert_eq!(Some(&understood(&exchange.request)), read.get(index), "request {} of {}", index, conversation.halves[CLIENT].bytes.escape_ascii());
            }
            if exchange.request.version == Version::Http10 || exchange.request.headers.get("connection").is_some() {
                // hyper closes here; a server that does not close is no concern of a passive reader.
                break;
            }
        }
    }
}

/// A passive reader accepts a carriage return or line feed alone before a request line; hyper does not.
fn without_stray_line(exchange: Exchange) -> Exchange {
    Exchange {
        stray_line: false,
        ..exchange
    }
}

/// One fault in a valid stream.
#[derive(Clone, Debug)]
enum Spoil {
    /// A different byte at some position.
    Replace(Index, u8),
    /// The first match of a text after some position is replaced.
    Rewrite(Index, &'static str, &'static str),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let shapes = prop::sample::select(vec![
        ("\r\n", "\n"),
        ("\r\n", "\r"),
        ("\r\n", "\r\n "),
        ("\r\n", "\r\nContent-Length: 4\r\n"),
        ("\r\n", "\r\nContent-Length: 3, 4\r\n"),
        ("\r\n", "\r\nContent-Length: +3\r\n"),
        ("\r\n", "\r\nTransfer-Encoding: chunked\r\n"),
        ("\r\n", "\r\nTransfer-Encoding: identity\r\n"),
        ("\r\n", "\r\nTransfer-Encoding: chunked, chunked\r\n"),
        ("\r\n", "\r\nTransfer-Encoding : chunked\r\n"),
        (":", " :"),
        (":", ""),
        (" HTTP/1.1", "  HTTP/1.1"),
        (" HTTP/1.1", ""),
        ("HTTP/1.1", "HTTP/1.2"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("0\r\n", "-1\r\n"),
        ("0\r\n", "0x0\r\n"),
        ("0\r\n", "10000000000000000\r\n"),
    ]);
    prop_oneof![
        1 => (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Spoil::Replace(place, byte)),
        3 => (any::<Index>(), shapes).prop_map(|(place, (old, new))| Spoil::Rewrite(place, old, new)),
    ]
}

impl Spoil {
    /// Changes what the client sends, and moves the gates that depend on it.
    fn apply(&self, [client, server]: &mut [Half; 2]) {
        let len = client.bytes.len();
        match self {
            Self::Replace(place, byte) => client.bytes[place.index(len)] = *byte,
            Self::Rewrite(place, old, new) => {
                let from = place.index(len);
                let found = client.bytes[from..]
                    .windows(old.len())
                    .position(|window| window == old.as_bytes());
                let Some(at) = found.map(|at| at + from) else {
                    return;
                };
                client.bytes.splice(at..at + old.len(), new.bytes());
                let moved = |place: &mut usize| {
                    if *place > at {
                        *place = (*place + new.len()).saturating_sub(old.len()).max(at);
                    }
                };
                client.gates.iter_mut().for_each(|Gate { at, peer: _ }| moved(at));
                server
                    .gates
                    .iter_mut()
                    .for_each(|Gate { at: _, peer }| moved(peer));
            }
        }
    }
}

fn understood(request: &Request) -> Understood {
    let pairs = |headers: &Headers| {
        let pairs: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        lower(&pairs)
    };
    let mut fields = pairs(&request.headers);
    // hyper keeps one of several equal lengths (RFC 9112 section 6.3, rule 5, allows that).
    fields.dedup_by(|a, b| a == b && a.0 == "content-length");
    Understood {
        start: format!(
            "{} {} {}",
            String::from_utf8_lossy(&request.method),
            String::from_utf8_lossy(&request.target),
            request.version.as_str()
        ),
        fields,
        body: request.body.kept.to_vec(),
        trailers: pairs(&request.trailers),
    }
}

/// Lets a hyper server read a whole client stream.
async fn serve(bytes: &[u8]) -> Vec<Understood> {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let (body, trailers) = read(body).await?;
            seen.borrow_mut().push(Understood {
                start: format!("{} {} {:?}", head.method, head.uri, head.version),
                fields: sorted(&head.headers),
                body,
                trailers,
            });
            Ok::<_, hyper::Error>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(far), service);
    let client = async {
        let (mut from, mut to) = tokio::io::split(&mut near);
        let sent = async {
            // A server that closes early (HTTP/1.0) does not read the rest.
            to.write_all(bytes).await.is_ok() && to.shutdown().await.is_ok()
        };
        let mut answers = Vec::new();
        let (_, read) = tokio::join!(sent, from.read_to_end(&mut answers));
        read.expect("a duplex does not fail");
    };
    let (served, ()) = tokio::join!(connection, client);
    // A faulty stream ends in an error; what was read before it counts.
    drop(served);
    seen.take()
}

/// Lets a hyper client read one response to this request.
async fn ask(said: &PlannedExchange, bytes: Vec<u8>) -> Understood {
    let (near, far) = tokio::io::duplex(1 << 20);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(near))
            .await
            .expect("a handshake sends nothing");
    let request = hyper::Request::builder()
        .method(said.method)
        .uri("/")
        .body(Empty::new())
        .expect("a plain request");
    let response = async {
        let response = sender
            .send_request(request)
            .await
            .expect("hyper takes what the encoder wrote");
        let (head, body) = response.into_parts();
        let (body, trailers) = read(body).await.expect("a whole body");
        drop(sender);
        Understood {
            start: format!("{} {:?}", head.status.as_u16(), head.version),
            fields: sorted(&head.headers),
            body,
            trailers,
        }
    };
    // hyper may report a connection that the server closes as a fault; only the message counts.
    let (response, (), _) = tokio::join!(response, answer(far, bytes), connection);
    response
}

async fn answer(mut server: DuplexStream, bytes: Vec<u8>) {
    let mut request = [0; 1_024];
    let read = server.read(&mut request).await.expect("a duplex does not fail");
    assert_ne!(read, 0, "the client asks first");
    server.write_all(&bytes).await.expect("room for any response");
}

async fn read(mut body: Incoming) -> Result<(Vec<u8>, Vec<(String, Vec<u8>)>), hyper::Error> {
    let (mut bytes, mut trailers) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = sorted(&frame.into_trailers().expect("data or trailers")),
        }
    }
    Ok((bytes, trailers))
}

fn sorted(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let pair = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    let mut fields: Vec<_> = headers.iter().map(pair).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

fn lower(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let pair = |(name, value): &(Vec<u8>, Vec<u8>)| {
        (String::from_utf8_lossy(name).to_ascii_lowercase(), value.clone())
    };
    let mut fields: Vec<_> = fields.iter().map(pair).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

fn said(conversation: &Conversation) -> (Vec<Understood>, Vec<Understood>) {
    let version = |http10: bool| if http10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let request = |said: &PlannedExchange| Understood {
        start: format!("{} {} {}", said.method, said.target, version(said.request.http10)),
        fields: lower(&said.request.fields),
        body: said.request.body.clone(),
        trailers: lower(&said.request.trailers),
    };
    let response = |said: &PlannedExchange| Understood {
        start: format!("{} {}", said.status, version(said.response.http10)),
        fields: lower(&said.response.fields),
        body: if said.response.framing == Framing::None {
            Vec::new()
        } else {
            said.response.body.clone()
        },
        trailers: lower(&said.response.trailers),
    };
    (
        conversation.said.iter().map(request).collect(),
        conversation.said.iter().map(response).collect(),
    )
}
