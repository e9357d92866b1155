//! From a specification to the bytes of both streams and the order in which they may be sent.
//!
//! Written from RFC 9110 and RFC 9112 alone. Whatever a [`spec::Exchange`] contains, the result is valid HTTP: a
//! framing that is not allowed in its place is replaced by the nearest allowed one.

use core::ops::Range;

use super::{
    chunks,
    fields::{Fields, connection_field, extra, field, framing_fields, write_fields},
    rng::Rng,
    spec::{Connection, Content, End, Exchange, Expect, Framing, Kind},
};

/// Client and server: indices into [`Conversation::halves`].
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// Everything that is sent on one connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// The streams of the client and of the server.
    pub(crate) halves: [Half; 2],
    pub(crate) said: Vec<PlannedExchange>,
    pub(crate) end: End,
}

/// The stream of one side.
#[derive(Debug, Default)]
pub(crate) struct Half {
    pub(crate) bytes: Vec<u8>,
    /// Causality, in ascending order.
    pub(crate) gates: Vec<Gate>,
}

/// The bytes from `at` on are sent only once `peer` bytes of the other side have arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) at: usize,
    pub(crate) peer: usize,
}

/// One exchange as both ends understood it.
#[derive(Debug)]
pub(crate) struct PlannedExchange {
    pub(crate) uid: u32,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) request: Message,
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) response: Message,
}

/// The common parts of a request and a response.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) http10: bool,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Fields,
    /// Its range in its stream.
    pub(crate) bytes: Range<usize>,
    /// The range of its body, with transfer coding, in its stream.
    pub(crate) coded: Range<usize>,
    pub(crate) framing: Framing,
}

/// Encodes a connection whose first exchange gets `uid`, and the later ones the numbers after it.
pub(crate) fn encode(connection: &Connection, uid: u32) -> Conversation {
    let mut encoder = Encoder {
        halves: [Half::default(), Half::default()],
        said: Vec::new(),
        end: connection.end,
    };
    let mut batches = connection.batches.iter().cycle();
    let mut in_batch = 0_u8;
    let last = connection.exchanges.len() - 1;
    for (n, exchange) in connection.exchanges.iter().enumerate() {
        if in_batch == 0 {
            in_batch = *batches.next().expect("at least one batch size");
            encoder.wait_for_every_response();
        }
        in_batch -= 1;
        let place = Place {
            uid: uid + u32::try_from(n).expect("few exchanges"),
            last: n == last,
        };
        encoder.exchange(exchange, place);
    }
    Conversation {
        halves: encoder.halves,
        said: encoder.said,
        end: encoder.end,
    }
}

#[derive(Clone, Copy)]
struct Place {
    uid: u32,
    last: bool,
}

struct Encoder {
    halves: [Half; 2],
    said: Vec<PlannedExchange>,
    end: End,
}

impl Encoder {
    fn wait_for_every_response(&mut self) {
        let peer = self.halves[SERVER].bytes.len();
        self.gate(CLIENT, peer);
    }

    /// Whatever `side` sends from here on waits for the first `peer` bytes of the other side.
    fn gate(&mut self, side: usize, peer: usize) {
        let half = &mut self.halves[side];
        half.gates.push(Gate {
            at: half.bytes.len(),
            peer,
        });
    }

    fn exchange(&mut self, spec: &Exchange, Place { uid, last }: Place) {
        let mut rng = Rng::new(spec.dress);
        let plan = Settled::new(spec, last, &mut self.end, &mut rng);
        let (mut request, target, head_end) = self.request_head(spec, &plan, uid, &mut rng);
        // A body that could be the next request is not sent unasked: that would have two readings.
        let capital = request.body.first().is_some_and(u8::is_ascii_uppercase);
        let refused = plan.waits && spec.status == 417 && !capital;
        if !spec.http10 {
            self.interim(spec, &plan, head_end, refused, &mut rng);
        }
        if plan.waits && !refused {
            self.wait_for_every_response();
        }
        if !refused {
            self.body(CLIENT, &mut request, &mut rng);
        }
        let body_end = self.halves[CLIENT].bytes.len();
        let early = spec.early || refused;
        self.gate(SERVER, if early { head_end } else { body_end });
        let response = self.response(spec, &plan, uid, &mut rng);
        if refused {
            // It may send the body anyway, as it has announced it (RFC 9110 section 10.1.1).
            self.wait_for_every_response();
            self.body(CLIENT, &mut request, &mut rng);
        }
        self.said.push(PlannedExchange {
            uid,
            method: spec.method,
            target,
            request,
            status: spec.status,
            reason: plan.reason,
            response,
        });
    }

    fn request_head(
        &mut self,
        spec: &Exchange,
        plan: &Settled,
        uid: u32,
        rng: &mut Rng,
    ) -> (Message, String, usize) {
        if spec.stray_line {
            self.halves[CLIENT].bytes.extend_from_slice(b"\r\n");
        }
        let start = self.halves[CLIENT].bytes.len();
        let target = target(spec, uid);
        let body = content(spec.request_body, uid, b"request", plan.request);
        let mut fields = vec![field("Host", "origin.example"), field("X-UID", &uid.to_string())];
        extra(&mut fields, &spec.fields);
        framing_fields(&mut fields, plan.request, body.len(), rng);
        if plan.expects {
            fields.push(field("Expect", "100-continue"));
        }
        connection_field(&mut fields, spec.http10, plan.persists, rng);
        let line = format!("{} {target} HTTP/1.{}\r\n", spec.method, u8::from(!spec.http10));
        let out = &mut self.halves[CLIENT].bytes;
        out.extend_from_slice(line.as_bytes());
        write_fields(out, &fields, rng);
        let end = out.len();
        let message = Message {
            http10: spec.http10,
            fields,
            body,
            trailers: Vec::new(),
            bytes: start..end,
            coded: end..end,
            framing: plan.request,
        };
        (message, target, end)
    }

    fn interim(&mut self, spec: &Exchange, plan: &Settled, head_end: usize, refused: bool, rng: &mut Rng) {
        let hundred = plan.expects && !refused && (plan.waits || rng.chance(500));
        for &status in spec.interim.iter().chain(hundred.then_some(&100)) {
            self.gate(SERVER, head_end);
            let fields = if status == 103 {
                vec![field("Link", "</style.css>; rel=preload")]
            } else {
                Vec::new()
            };
            let out = &mut self.halves[SERVER].bytes;
            out.extend_from_slice(format!("HTTP/1.1 {status} Interim\r\n").as_bytes());
            write_fields(out, &fields, rng);
        }
    }

    fn response(&mut self, spec: &Exchange, plan: &Settled, uid: u32, rng: &mut Rng) -> Message {
        let start = self.halves[SERVER].bytes.len();
        let mut fields = vec![field("X-UID", &uid.to_string())];
        extra(&mut fields, &spec.fields);
        let announced = content(spec.response_body, uid, b"response", plan.response_field);
        framing_fields(&mut fields, plan.response_field, announced.len(), rng);
        connection_field(&mut fields, spec.http10, plan.persists, rng);
        let http10 = spec.http10 && rng.chance(500);
        let line = format!("HTTP/1.{} {} {}\r\n", u8::from(!http10), spec.status, plan.reason);
        let out = &mut self.halves[SERVER].bytes;
        out.extend_from_slice(line.as_bytes());
        write_fields(out, &fields, rng);
        let end = out.len();
        let mut message = Message {
            http10,
            fields,
            body: if plan.response == Framing::None {
                Vec::new()
            } else {
                announced
            },
            trailers: Vec::new(),
            bytes: start..end,
            coded: end..end,
            framing: plan.response,
        };
        self.body(SERVER, &mut message, rng);
        message
    }

    fn body(&mut self, side: usize, message: &mut Message, rng: &mut Rng) {
        let out = &mut self.halves[side].bytes;
        let start = out.len();
        match message.framing {
            Framing::None => {}
            Framing::Length | Framing::Close => out.extend_from_slice(&message.body),
            Framing::Chunked => {
                let coded = chunks::encode(&message.body, rng);
                out.extend_from_slice(&coded.bytes);
                message.trailers = coded.trailers;
            }
        }
        message.coded = start..out.len();
        message.bytes.end = out.len();
    }
}

/// The parts of a specification that are allowed in its place.
struct Settled {
    request: Framing,
    /// Framing announced by the response head; for HEAD and 304 without a body after it.
    response_field: Framing,
    response: Framing,
    expects: bool,
    waits: bool,
    persists: Option<bool>,
    reason: &'static str,
}

impl Settled {
    fn new(spec: &Exchange, last: bool, end: &mut End, rng: &mut Rng) -> Self {
        let request = match spec.request {
            // A request without a length has no body (RFC 9112 section 6.3, rule 7).
            Framing::None | Framing::Close => Framing::None,
            Framing::Chunked if spec.http10 => Framing::Length,
            framing => framing,
        };
        let bodiless = spec.method == "HEAD" || matches!(spec.status, 204 | 304);
        let announced = match spec.response {
            _ if spec.status == 204 => Framing::None,
            framing if bodiless => framing,
            Framing::Close if !last => Framing::Length,
            Framing::Chunked if spec.http10 => Framing::Length,
            // A response that could have a body always says how long it is, or it lasts until the end.
            Framing::None => Framing::Length,
            framing => framing,
        };
        let response = if bodiless { Framing::None } else { announced };
        if response == Framing::Close && *end != End::HalfClose {
            *end = End::ServerFin;
        }
        let expects = spec.expect != Expect::No && request != Framing::None && !spec.http10;
        let persists = if !last {
            spec.http10.then_some(true)
        } else if *end == End::ServerFin && rng.chance(500) {
            Some(false)
        } else {
            None
        };
        Self {
            request,
            response_field: announced,
            response,
            expects,
            waits: expects && spec.expect == Expect::Waits,
            persists,
            reason: ["OK", "", "Not \"Quite\" (yet)", "r\u{e9}sum\u{e9}"][rng.below(4)],
        }
    }
}

fn target(spec: &Exchange, uid: u32) -> String {
    match spec.target % 6 {
        0 if spec.method == "OPTIONS" => "*".to_owned(),
        1 => format!("/items/{uid}?q=%20a+b&x=[1]"),
        2 => format!("http://origin.example/absolute/{uid}"),
        3 => format!("/{}", "long/".repeat(60)),
        4 => format!("/?uid={uid}&empty="),
        _ => format!("/items/{uid}"),
    }
}

fn content(spec: Content, uid: u32, who: &[u8], framing: Framing) -> Vec<u8> {
    if framing == Framing::None {
        return Vec::new();
    }
    let who = String::from_utf8_lossy(who);
    let pattern = match spec.kind {
        Kind::Text => format!("<{who} {uid}>"),
        Kind::Zeros => format!("{}{uid}", "\0".repeat(90)),
        Kind::Requests => {
            format!("GET /fake/{uid} HTTP/1.1\r\nHost: fake\r\nX-UID: fake {who} {uid}\r\n\r\n")
        }
        Kind::Responses => {
            format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-UID: fake {who} {uid}\r\n\r\n")
        }
        Kind::Chunks => format!("0\r\n\r\n5\r\nfake{uid}\r\n0\r\n\r\n{who}"),
    };
    let mut bytes: Vec<u8> = pattern.into_bytes().into_iter().cycle().take(spec.len).collect();
    // The end differs from the beginning, so that a shifted copy differs.
    if let [.., before, last] = bytes.as_mut_slice() {
        (*before, *last) = (b'$', b'0' + u8::try_from(uid % 10).expect("one digit"));
    }
    bytes
}
