//! The lines of an explanation, for people and as JSON.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    net::SocketAddr,
};

use serde::Serialize;

use crate::figures::{count, percent};

/// One line. As JSON each is one object with its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The flow, and how it is explained.
    Start(Start),
    /// The fate of a packet.
    Packet(PacketLine),
    /// A request with its answer, if one was seen.
    Exchange(ExchangeLine),
    /// An answer without a request.
    Response(ResponseLine),
    /// A connection that is not read any further.
    Connection(ConnectionLine),
    /// The end.
    Summary(Summary),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Start {
    pub(crate) flow: String,
    pub(crate) interfaces: Vec<String>,
    pub(crate) targets: Vec<String>,
    /// Share of connections that is copied.
    pub(crate) sample: f64,
    /// The agent on one of these interfaces.
    pub(crate) agent: Option<Beside>,
}

/// A running agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Beside {
    pub(crate) pid: u32,
    pub(crate) sample: f64,
    /// Its kill switch is not on.
    pub(crate) armed: bool,
    /// It renews its heartbeat.
    pub(crate) alive: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PacketLine {
    pub(crate) time: String,
    pub(crate) interface: String,
    pub(crate) direction: &'static str,
    pub(crate) src: SocketAddr,
    pub(crate) dst: SocketAddr,
    pub(crate) flags: String,
    pub(crate) seq: u32,
    /// Relative to the first sequence number that was seen in this direction; for people.
    #[serde(skip)]
    pub(crate) relative: u32,
    pub(crate) bytes: u32,
    pub(crate) fate: &'static str,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ExchangeLine {
    pub(crate) time: String,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: Option<u16>,
    pub(crate) complete: bool,
    pub(crate) incomplete_reason: Option<&'static str>,
    pub(crate) text: Option<String>,
    pub(crate) decisions: Vec<Decided>,
}

/// The decision for one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Decided {
    /// Its name in the configuration.
    pub(crate) target: String,
    pub(crate) url: Option<String>,
    pub(crate) replay: bool,
    /// The reason why it would be skipped.
    pub(crate) reason: Option<&'static str>,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ResponseLine {
    pub(crate) time: String,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) status: u16,
    pub(crate) incomplete_reason: &'static str,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ConnectionLine {
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

/// Everything together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Logged packets by fate.
    pub(crate) packets: BTreeMap<&'static str, u64>,
    /// Packets of the flow that were not logged, because there were too many in a second.
    pub(crate) not_logged: u64,
    pub(crate) complete: u64,
    pub(crate) incomplete: BTreeMap<&'static str, u64>,
    pub(crate) responses_without_request: u64,
    /// Connections that were left, by reason.
    pub(crate) connections_left: BTreeMap<&'static str, u64>,
    /// By target: exchanges that would be sent, and the others by reason.
    pub(crate) would_be_sent: BTreeMap<String, u64>,
    pub(crate) would_be_skipped: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// A likely cause, where nothing was seen.
    pub(crate) hint: Option<String>,
}

/// Columns of the time, and of lines without one.
const TIME: usize = 15;

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(start) => start.fmt(f),
            Self::Packet(packet) => packet.fmt(f),
            Self::Exchange(exchange) => exchange.fmt(f),
            Self::Response(response) => {
                let ResponseLine {
                    time,
                    client,
                    server,
                    status,
                    incomplete_reason,
                    text,
                } = response;
                write!(
                    f,
                    "{}  response  {client} <- {server}  {status} without a request: {incomplete_reason}: {text}",
                    clock(time)
                )
            }
            Self::Connection(ConnectionLine { ends, reason, text }) => {
                let [one, other] = ends;
                write!(
                    f,
                    "{:TIME$}  connection  {one} - {other}  not read any further: {reason}: {text}",
                    ""
                )
            }
            Self::Summary(summary) => summary.fmt(f),
        }
    }
}

/// The time of day, of a time in RFC 3339.
fn clock(time: &str) -> &str {
    time.get(11..11 + TIME).unwrap_or(time)
}

impl Display for Start {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            flow,
            interfaces,
            targets,
            sample,
            agent,
        } = self;
        write!(
            f,
            "following {flow} on {}; targets {}; sample {}; nothing is sent to any shadow system",
            interfaces.join(", "),
            targets.join(", "),
            percent(*sample),
        )?;
        let Some(Beside {
            pid,
            sample,
            armed,
            alive,
        }) = agent
        else {
            return write!(
                f,
                "\nno agent is attached there: explained by the configuration alone"
            );
        };
        write!(
            f,
            "\nthe agent with pid {pid} is attached there, with the sample {}",
            percent(*sample)
        )?;
        if !armed {
            write!(
                f,
                "\nit is switched off (shadow kill) and copies nothing: explained as if it were on"
            )?;
        }
        if !alive {
            write!(
                f,
                "\nits heartbeat is late, and until it comes it copies nothing: explained as if it were in time"
            )?;
        }
        Ok(())
    }
}

impl Display for PacketLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            time,
            interface,
            direction,
            src,
            dst,
            flags,
            seq: _,
            relative,
            bytes,
            fate: _,
            text,
        } = self;
        let seq = match bytes {
            0 => relative.to_string(),
            _ => format!("{relative}..{}", relative.wrapping_add(*bytes)),
        };
        write!(
            f,
            "{}  {interface} {direction:<3}  {src} -> {dst}  {flags:<7}  seq {seq:<12}  {text}",
            clock(time)
        )
    }
}

impl Display for ExchangeLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            time,
            client,
            server,
            method,
            target,
            status,
            complete: _,
            incomplete_reason,
            text,
            decisions,
        } = self;
        let status = status.map_or_else(|| "no response".to_owned(), |status| status.to_string());
        write!(
            f,
            "{}  exchange  {client} -> {server}  {method} {target} -> {status}: {}",
            clock(time),
            incomplete_reason.unwrap_or("complete")
        )?;
        if let Some(text) = text {
            write!(f, "\n{:TIME$}    {text}", "")?;
        }
        for Decided { target, text, .. } in decisions {
            write!(f, "\n{:TIME$}    {target}: {text}", "")?;
        }
        Ok(())
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            packets,
            not_logged,
            complete,
            incomplete,
            responses_without_request,
            connections_left,
            would_be_sent,
            would_be_skipped,
            hint,
        } = self;
        let sum = |counts: &BTreeMap<&'static str, u64>| counts.values().sum::<u64>();
        write!(f, "\npackets     {}{}", count(sum(packets)), Reasons(packets))?;
        if *not_logged > 0 {
            write!(
                f,
                "\n            {} more not logged: too many in a second",
                count(*not_logged)
            )?;
        }
        write!(
            f,
            "\nexchanges   {} complete, {} incomplete{}",
            count(*complete),
            count(sum(incomplete)),
            Reasons(incomplete)
        )?;
        if *responses_without_request > 0 {
            write!(
                f,
                "\nresponses   {} without a request",
                count(*responses_without_request)
            )?;
        }
        if !connections_left.is_empty() {
            write!(
                f,
                "\nleft        {} connections{}",
                count(sum(connections_left)),
                Reasons(connections_left)
            )?;
        }
        let nothing = BTreeMap::new();
        for (target, sent) in would_be_sent {
            let skipped = would_be_skipped.get(target).unwrap_or(&nothing);
            write!(
                f,
                "\n{target:<11} {} would be sent, {} skipped{}",
                count(*sent),
                count(sum(skipped)),
                Reasons(skipped)
            )?;
        }
        if let Some(hint) = hint {
            write!(f, "\n{hint}")?;
        }
        Ok(())
    }
}

/// Counts by reason, in parentheses.
struct Reasons<'c>(&'c BTreeMap<&'static str, u64>);

impl Display for Reasons<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(counts) = self;
        if counts.is_empty() {
            return Ok(());
        }
        let all: Vec<String> = counts
            .iter()
            .map(|(name, number)| format!("{name} {}", count(*number)))
            .collect();
        write!(f, " ({})", all.join(", "))
    }
}
