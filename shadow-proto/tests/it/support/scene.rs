//! Complete scenes: several endpoint pairs, each with one connection after the other, interleaved in time.

use proptest::{collection::vec, prelude::*};

use shadow_common::flow::Endpoint;
use shadow_proto::exchange::Flow;

use super::{
    capture::{self, Losses},
    encode::{self, Conversation},
    rng::Rng,
    spec::Connection,
    wire::{self, Captured, Plan},
};

/// Connections that follow each other on the same four-tuple.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) connections: Vec<(Connection, Plan)>,
    pub(crate) losses: Losses,
    /// When the first one starts, in microseconds.
    pub(crate) start: u64,
}

/// The traffic on the wire, the captured part, and its meaning.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) lines: Vec<FlowScript>,
    /// Every captured segment in the order of capture.
    pub(crate) segments: Vec<Captured>,
}

/// The traffic on one four-tuple.
#[derive(Debug)]
pub(crate) struct FlowScript {
    pub(crate) flow: Flow,
    pub(crate) conversations: Vec<Conversation>,
    /// Where each conversation's streams begin: sequence number of byte 0 of client and server.
    pub(crate) origins: Vec<[u32; 2]>,
}

/// The two ends of the line with this number: IPv4 and IPv6 alternate.
pub(crate) fn ends(number: usize) -> [Endpoint; 2] {
    let low = u8::try_from(number % 250).expect("below 250");
    let port = 20_000 + u16::try_from(number % 40_000).expect("below 40,000");
    if number.is_multiple_of(2) {
        [
            Endpoint::v4([10, 0, 0, low], port),
            Endpoint::v4([10, 9, 9, 9], 8_080),
        ]
    } else {
        let mut client = [0xfd; 16];
        client[15] = low;
        [Endpoint::v6(client, port), Endpoint::v6([0xfc; 16], 80)]
    }
}

/// Plays every line and merges what was captured by its time.
pub(crate) fn play(lines: &[Line]) -> Scene {
    let mut uid = 1_000;
    let mut said = Vec::new();
    let mut queues = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let ends = ends(number);
        let (mut segments, mut conversations, mut origins) = (Vec::new(), Vec::new(), Vec::new());
        let mut now = line.start;
        let mut previous: Option<[u32; 2]> = None;
        for (connection, plan) in &line.connections {
            let conversation = encode::encode(connection, uid);
            uid += u32::try_from(connection.exchanges.len()).expect("few exchanges");
            let plan = Plan {
                isn: successors(previous, plan),
                ..plan.clone()
            };
            let recording = wire::send(&conversation, &plan, ends, now);
            now = recording.until + 1_000_000;
            previous = Some(recording.next);
            origins.push(plan.isn.map(|isn| isn.wrapping_add(1)));
            segments.push(capture::capture(recording.segments, &line.losses));
            conversations.push(conversation);
        }
        queues.push(segments.concat().into_iter().peekable());
        said.push(FlowScript {
            flow: Flow {
                client: ends[0],
                server: ends[1],
            },
            conversations,
            origins,
        });
    }
    let mut segments = Vec::new();
    while let Some(next) = (0..queues.len())
        .filter_map(|n| queues[n].peek().map(|segment| (segment.at, n)))
        .min()
        .map(|(_, n)| n)
    {
        segments.extend(queues[next].next());
    }
    Scene {
        lines: said,
        segments,
    }
}

/// Initial sequence numbers of a connection that reuses a four-tuple: ahead of the old ones (RFC 9293 section 3.4.1),
/// beyond the reach of any buffer.
fn successors(previous: Option<[u32; 2]>, plan: &Plan) -> [u32; 2] {
    let Some(previous) = previous else {
        return plan.isn;
    };
    let mut rng = Rng::new(plan.seed);
    previous.map(|seq| {
        let ahead = rng.between(1 << 24, (1 << 31) - (1 << 24));
        seq.wrapping_add(u32::try_from(ahead).expect("below 2^31"))
    })
}

/// A few lines with arbitrary connections.
pub(crate) fn lines(
    connection: impl Strategy<Value = Connection> + Clone + 'static,
    plan: impl Strategy<Value = Plan> + Clone + 'static,
    losses: impl Strategy<Value = Losses> + Clone + 'static,
    most: usize,
) -> impl Strategy<Value = Vec<Line>> {
    let reuse = prop_oneof![4 => 1_usize..=1, 1 => 2_usize..=3];
    let line = (reuse, losses, 0_u64..50_000).prop_flat_map(move |(connections, losses, start)| {
        vec((connection.clone(), plan.clone()), connections).prop_map(move |connections| Line {
            connections,
            losses: losses.clone(),
            start,
        })
    });
    vec(line, 1..=most)
}
