//! Conversations: streams that begin, continue and end in any order that both sides may choose.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};

use super::{
    frames,
    hpack::{Encoder, Field},
};
use crate::support::{
    encode::{CLIENT, Conversation, Gate, Half, SERVER},
    rng::Rng,
    spec::End,
};

/// One message as its sender meant it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Without pseudo-header fields, as the version-neutral message has them.
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
}

/// One exchange.
#[derive(Clone, Debug)]
pub(crate) struct PlannedExchange {
    pub(crate) uid: u32,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) request: Message,
    pub(crate) response: Message,
    /// Whether neither side resets the stream.
    pub(crate) whole: bool,
}

/// Choices for a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) exchanges: usize,
    /// Streams open at once.
    pub(crate) concurrent: usize,
    /// Per mille of streams that are reset.
    pub(crate) reset: u16,
    /// Neither side refers to its dynamic table.
    pub(crate) literal_only: bool,
    /// Largest body.
    pub(crate) body: usize,
    /// The client waits for everything before each request.
    pub(crate) patient: bool,
}

impl Shape {
    pub(crate) fn small(exchanges: usize) -> Self {
        Self {
            exchanges,
            concurrent: 4,
            reset: 0,
            literal_only: false,
            body: 600,
            patient: false,
        }
    }
}

/// A frame that one side has left to send on one stream.
#[derive(Debug)]
enum Step {
    Head { fields: Vec<Field>, ends: bool },
    Data { content: Vec<u8>, ends: bool },
    Reset(u32),
}

#[derive(Debug)]
struct Open {
    id: u32,
    steps: [std::collections::VecDeque<Step>; 2],
    /// Client bytes that the server must have before it answers.
    asked: usize,
}

struct Talk {
    rng: Rng,
    halves: [Half; 2],
    encoders: [Encoder; 2],
    open: Vec<Open>,
    said: Vec<PlannedExchange>,
    /// SETTINGS that each side has not acknowledged: where they end, and the table size in them.
    announced: [std::collections::VecDeque<(usize, Option<usize>)>; 2],
    next: u32,
}

/// A conversation of which the first exchange has this number.
pub(crate) fn talk(seed: u64, uid: u32, shape: Shape) -> (Conversation, Vec<PlannedExchange>) {
    let mut talk = Talk {
        rng: Rng::new(seed),
        halves: [Half::default(), Half::default()],
        encoders: [CLIENT, SERVER].map(|_| Encoder::new(shape.literal_only)),
        open: Vec::new(),
        said: Vec::new(),
        announced: [CLIENT, SERVER].map(|_| std::collections::VecDeque::new()),
        next: 1,
    };
    talk.halves[CLIENT].bytes.extend_from_slice(frames::PREFACE);
    talk.settings(CLIENT);
    if talk.rng.chance(500) {
        // Otherwise this server speaks first.
        let preface = talk.halves[CLIENT].bytes.len();
        talk.gate(SERVER, preface);
    }
    talk.settings(SERVER);
    let mut left = shape.exchanges;
    while left > 0 || !talk.open.is_empty() {
        let room = left > 0 && talk.open.len() < shape.concurrent;
        if room && (talk.open.is_empty() || talk.rng.chance(300)) {
            if shape.patient && !talk.open.is_empty() {
                talk.go_on();
                continue;
            }
            let number = u32::try_from(shape.exchanges - left).expect("few");
            talk.begin(uid + number, shape);
            left -= 1;
        } else {
            talk.go_on();
        }
        talk.aside();
    }
    let Talk { halves, said, .. } = talk;
    let conversation = Conversation {
        halves,
        said: Vec::new(),
        end: End::ClientFin,
    };
    (conversation, said)
}

impl Talk {
    fn gate(&mut self, side: usize, peer: usize) {
        let at = self.halves[side].bytes.len();
        self.halves[side].gates.push(Gate { at, peer });
    }

    fn put(&mut self, side: usize, bytes: &[u8]) {
        self.halves[side].bytes.extend_from_slice(bytes);
    }

    fn settings(&mut self, side: usize) {
        let table = [None, None, Some(0), Some(100), Some(4_096), Some(65_536)][self.rng.below(6)];
        let mut pairs = vec![(3, 100), (4, 1 << 20)];
        pairs.extend(table.map(|size| (1, u32::try_from(size).expect("small"))));
        self.put(side, &frames::settings(&pairs));
        let end = self.halves[side].bytes.len();
        self.announced[1 - side].push_back((end, table));
    }

    fn acknowledge(&mut self, side: usize) {
        if let Some((end, size)) = self.announced[side].pop_front() {
            self.gate(side, end);
            self.put(side, &frames::settings_ack());
            if let Some(size) = size {
                self.encoders[side].allow(size);
            }
        }
    }

    fn aside(&mut self) {
        let side = self.rng.below(2);
        if self.rng.chance(200) {
            self.acknowledge(side);
        }
        if self.rng.chance(20) {
            self.settings(side);
        }
        if self.rng.chance(100) {
            let open = self.open.first().map_or(1, |open| open.id);
            let bytes = frames::aside(side, open, &mut self.rng);
            self.put(side, &bytes);
        }
    }

    fn begin(&mut self, uid: u32, shape: Shape) {
        let id = self.next;
        self.next += if self.rng.chance(100) { 4 } else { 2 };
        let said = said(uid, shape, &mut self.rng);
        let request = request_head(&said, &mut self.rng);
        let response = vec![(b":status".to_vec(), said.status.to_string().into_bytes())];
        let mut steps = [
            steps(request, &said.request, &mut self.rng),
            steps(response, &said.response, &mut self.rng),
        ];
        if self.rng.chance(150) {
            let interim = vec![
                (b":status".to_vec(), b"103".to_vec()),
                (b"link".to_vec(), b"</a>".to_vec()),
            ];
            steps[SERVER].push_front(Step::Head {
                fields: interim,
                ends: false,
            });
        }
        if !said.whole {
            let side = self.rng.below(2);
            let keep = self.rng.below(steps[side].len());
            // A client resets only what it has begun, and neither resets what has ended.
            steps[side].truncate(keep.max(usize::from(side == CLIENT)));
            if let Some(Step::Head { ends, .. } | Step::Data { ends, .. }) = steps[side].back_mut() {
                *ends = false;
            }
            let code = if side == SERVER && keep == 0 { 7 } else { 8 };
            steps[side].push_back(Step::Reset(code));
        }
        self.said.push(said);
        self.open.push(Open { id, steps, asked: 0 });
        if shape.patient {
            let all = self.halves[SERVER].bytes.len();
            self.gate(CLIENT, all);
        }
        let place = self.open.len() - 1;
        self.step(place, CLIENT);
        self.open[place].asked = self.halves[CLIENT].bytes.len();
    }

    fn go_on(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let place = self.rng.below(self.open.len());
        let side = self.rng.below(2);
        let side = if self.open[place].steps[side].is_empty() {
            1 - side
        } else {
            side
        };
        self.step(place, side);
        if self.open[place]
            .steps
            .iter()
            .all(std::collections::VecDeque::is_empty)
        {
            self.open.remove(place);
        }
    }

    fn step(&mut self, place: usize, side: usize) {
        let Open { id, asked, .. } = self.open[place];
        if side == SERVER {
            self.gate(SERVER, asked);
        }
        let Some(step) = self.open[place].steps[side].pop_front() else {
            return;
        };
        let bytes = match step {
            Step::Head { fields, ends } => {
                let block = self.encoders[side].block(&fields, &mut self.rng);
                frames::headers(id, ends, &block, &mut self.rng)
            }
            Step::Data { content, ends } => frames::data(id, ends, &content, &mut self.rng),
            Step::Reset(code) => {
                for steps in &mut self.open[place].steps {
                    steps.clear();
                }
                frames::frame(3, 0, id, &code.to_be_bytes())
            }
        };
        self.put(side, &bytes);
    }
}

fn said(uid: u32, shape: Shape, rng: &mut Rng) -> PlannedExchange {
    let method = ["GET", "POST", "PUT", "HEAD"][rng.below(4)];
    let target = match rng.below(4) {
        0 => "/".to_owned(),
        1 => format!("/things/{}?q={}", uid % 10, rng.below(5)),
        2 => "/pkg.Service/Method".to_owned(),
        _ => format!("/{uid}"),
    };
    let status = [200, 200, 200, 201, 404, 500][rng.below(6)];
    let request = message(uid, !matches!(method, "GET" | "HEAD"), shape, rng);
    let mut response = message(uid, method != "HEAD", shape, rng);
    if method == "HEAD" {
        response.trailers.clear();
    }
    PlannedExchange {
        uid,
        method,
        target,
        status,
        request,
        response,
        whole: !rng.chance(shape.reset),
    }
}

fn message(uid: u32, content: bool, shape: Shape, rng: &mut Rng) -> Message {
    const COMMON: [(&str, &str); 12] = [
        ("user-agent", "test/1"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate"),
        ("content-type", "application/grpc"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-empty", ""),
        ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
        ("x-bytes", "\u{e9}\u{1f600}~"),
        ("date", "Mon, 30 Nov 2026 00:00:00 GMT"),
        ("cache-control", "no-store"),
        ("te", "trailers"),
    ];
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let mut fields = vec![field("x-uid", &uid.to_string())];
    for _ in 0..rng.below(6) {
        let (name, value) = COMMON[rng.below(COMMON.len())];
        fields.push(field(name, value));
    }
    if rng.chance(50) {
        fields.push(field("x-long", &"v".repeat(rng.below(5_000))));
    }
    if rng.chance(200) {
        let bytes: Vec<u8> = (0..rng.below(9))
            .map(|_| [0, 10, 32, 255][rng.below(4)])
            .collect();
        let text = BASE64_STANDARD_NO_PAD.encode(bytes);
        fields.push(field("trace-bin", &text));
    }
    let mut body = Vec::new();
    if content && rng.chance(700) {
        body = content_of(shape, rng);
    }
    if content && rng.chance(300) {
        fields.push(field("content-length", &body.len().to_string()));
    }
    let trailers = if content && rng.chance(300) {
        vec![
            field("grpc-status", "0"),
            field("grpc-message", ""),
            field("grpc-status-details-bin", "CAUSAA"),
            field("x-uid-end", &uid.to_string()),
        ]
    } else {
        Vec::new()
    };
    Message {
        fields,
        body,
        trailers,
    }
}

/// Bytes that look like nothing, like zeros, or like frames of another connection.
fn content_of(shape: Shape, rng: &mut Rng) -> Vec<u8> {
    let len = rng.below(shape.body + 1);
    match rng.below(4) {
        0 => vec![0; len],
        1 => b"[\"text\"]".iter().copied().cycle().take(len).collect(),
        2 => (0..len)
            .map(|_| u8::try_from(rng.next() & 255).expect("a byte"))
            .collect(),
        _ => {
            // Frames, ending where the content ends, with requests on streams that may exist.
            let mut out = Vec::new();
            while out.len() < len.max(1) {
                let mut encoder = Encoder::new(false);
                let id = u32::try_from(rng.below(40)).expect("small") * 2 + 1;
                let forged = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
                let fields = [
                    forged(":method", "GET"),
                    forged(":scheme", "http"),
                    forged(":path", "/forged"),
                    forged(":authority", "forged"),
                    forged("x-uid", "999999999"),
                ];
                let answer = [forged(":status", "200"), forged("x-uid", "999999999")];
                let fields: &[Field] = if rng.chance(500) { &fields } else { &answer };
                let block = encoder.block(fields, rng);
                out.extend(frames::headers(id, rng.chance(700), &block, rng));
                if rng.chance(300) {
                    out.extend(frames::data(id, true, b"forged", rng));
                }
            }
            out
        }
    }
}

fn request_head(said: &PlannedExchange, rng: &mut Rng) -> Vec<Field> {
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let mut pseudo = vec![
        field(":method", said.method),
        field(":scheme", "http"),
        field(":path", &said.target),
        field(":authority", "shop.example"),
    ];
    let first = rng.below(4);
    pseudo.rotate_left(first);
    pseudo
}

/// Fields as they are sent: the first binary value of gRPC without base64, after a zero byte.
fn sent(fields: &[Field]) -> Vec<Field> {
    let mut first = true;
    let sent = |(name, value): &Field| {
        let mut value = value.clone();
        if name.ends_with(b"-bin") && core::mem::take(&mut first) {
            let bytes = BASE64_STANDARD_NO_PAD.decode(&value).expect("base64");
            value = [&[0], bytes.as_slice()].concat();
        }
        (name.clone(), value)
    };
    fields.iter().map(sent).collect()
}

/// The frames of one message: pseudo-header fields first.
fn steps(mut head: Vec<Field>, message: &Message, rng: &mut Rng) -> std::collections::VecDeque<Step> {
    head.extend(sent(&message.fields));
    let mut steps = std::collections::VecDeque::new();
    let bare = message.body.is_empty() && message.trailers.is_empty();
    let empty_end = rng.chance(150);
    steps.push_back(Step::Head {
        fields: head,
        ends: bare && !empty_end,
    });
    let mut rest = message.body.as_slice();
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(rng.between(1, rest.len().min(16_000)));
        rest = behind;
        let ends = rest.is_empty() && message.trailers.is_empty() && !empty_end;
        steps.push_back(Step::Data {
            content: part.to_vec(),
            ends,
        });
    }
    if !message.trailers.is_empty() {
        steps.push_back(Step::Head {
            fields: sent(&message.trailers),
            ends: true,
        });
    } else if empty_end {
        steps.push_back(Step::Data {
            content: Vec::new(),
            ends: true,
        });
    }
    steps
}
