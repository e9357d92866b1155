//! tshark as oracle: an independent dissector reads the same captures.
//!
//! Each direction of each flow is compared in order: requests by method, target and body, responses by status and body
//! (length, and content where tshark shows it). Pairing is not compared: tshark's own is unreliable with pipelining.

mod dissect;
mod permitted;

use std::collections::{BTreeMap, BTreeSet};

use shadow_tests::need;

use crate::{
    captures::{self, name},
    row::{Flow, Row, Summary, rows},
};
use dissect::{Kind, Message};
use permitted::permit;

/// One flow as read by both.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) ours: Vec<Row>,
    pub(crate) requests: Vec<Message>,
    pub(crate) responses: Vec<Message>,
}

/// Differences in one flow: our rows without an equal, and tshark's messages without an equal.
pub(crate) struct Difference<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) reading: &'a Reading,
    pub(crate) summary: &'a Summary,
    pub(crate) ours: Vec<&'a Row>,
    pub(crate) requests: Vec<&'a Message>,
    pub(crate) responses: Vec<&'a Message>,
}

#[test]
fn tshark_sees_the_same_messages() {
    need!(Program("tshark"));
    let mut same = 0;
    let mut permissions: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for path in captures::all() {
        let reader = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (rows, summary) = rows(Box::new(reader)).expect("a capture");
        let ports = rows.iter().filter_map(|row| row.flow.server.rsplit(':').next());
        let messages = dissect::messages(&path, ports);
        let mut flows = by_flow(rows, messages);
        // HTTP/2 has a comparison of its own.
        flows.retain(|_, reading| reading.ours.iter().all(|row| row.version != "HTTP/2"));
        for (flow, reading) in &flows {
            let difference = compare(flow, reading, &summary);
            same += reading.ours.len() - difference.ours.len();
            if difference.is_empty() {
                continue;
            }
            match permit(&difference) {
                Some(reason) => *permissions.entry(difference.named(reason)).or_default() += 1,
                None => faults.push(format!("{}: {difference}", name(&path))),
            }
        }
    }
    println!("{same} exchanges are the same");
    for (reason, count) in &permissions {
        println!("{count} flows differ because {reason}");
    }
    assert!(
        faults.is_empty(),
        "{} flows differ without a reason:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(
        same > 300,
        "only {same} exchanges were compared: the test proves nothing"
    );
}

/// In every capture with HTTP/2: the same paths, each as often.
#[test]
fn tshark_sees_the_same_http2() {
    need!(Program("tshark"));
    let mut compared = 0;
    for path in captures::all() {
        let reader = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (rows, summary) = rows(Box::new(reader)).expect("a capture");
        if summary
            .engine
            .get("h2_connections")
            .is_none_or(|count| *count == 0)
        {
            continue;
        }
        let of = |row: &&Row| row.version == "HTTP/2";
        let mut targets: Vec<String> = rows
            .iter()
            .filter(of)
            .filter_map(|row| row.target.clone())
            .collect();
        let ports = rows.iter().filter_map(|row| row.flow.server.rsplit(':').next());
        let mut asked = dissect::http2_paths(&path, ports);
        targets.sort();
        asked.sort();
        assert_eq!(targets, asked, "{}", name(&path));
        compared += targets.len();
    }
    assert!(compared >= 200, "only {compared} requests were compared");
}

fn by_flow(rows: Vec<Row>, messages: Vec<Message>) -> BTreeMap<Flow, Reading> {
    let mut flows: BTreeMap<Flow, Reading> = BTreeMap::new();
    for row in rows {
        flows.entry(row.flow.clone()).or_default().ours.push(row);
    }
    for message in messages {
        let reading = flows.entry(message.flow.clone()).or_default();
        match message.kind {
            Kind::Request { .. } => reading.requests.push(message),
            // Interim responses belong to the final one; 101 ends HTTP and counts as final.
            Kind::Response(100 | 102..200) => {}
            Kind::Response(_) => reading.responses.push(message),
        }
    }
    flows
}

/// A row of ours agrees when both of its messages have an equal, in order.
fn compare<'a>(flow: &'a Flow, reading: &'a Reading, summary: &'a Summary) -> Difference<'a> {
    let Reading {
        ours,
        requests,
        responses,
    } = reading;
    let mut difference = Difference {
        flow,
        reading,
        summary,
        ours: Vec::new(),
        requests: Vec::new(),
        responses: Vec::new(),
    };
    let (mut requests, mut responses) = (&requests[..], &responses[..]);
    for row in ours {
        let asked = take(
            &mut requests,
            |message| message.is_request_of(row),
            &mut difference.requests,
        );
        let answered = take(
            &mut responses,
            |message| message.is_response_of(row),
            &mut difference.responses,
        );
        if let (Some(_), Some(_), true) = (asked, answered, row.complete) {
            continue;
        }
        difference.ours.push(row);
        difference.requests.extend(asked);
        difference.responses.extend(answered);
    }
    difference.requests.extend(requests);
    difference.responses.extend(responses);
    difference
}

/// The next message that is equal; those before it have no equal.
fn take<'a>(
    messages: &mut &'a [Message],
    is_equal: impl Fn(&Message) -> bool,
    without: &mut Vec<&'a Message>,
) -> Option<&'a Message> {
    let place = messages.iter().position(is_equal)?;
    let (before, rest) = messages.split_at(place);
    without.extend(before);
    let (found, rest) = rest.split_first()?;
    *messages = rest;
    Some(found)
}

impl Difference<'_> {
    /// With the names that the command itself prints.
    fn named(&self, reason: &str) -> String {
        let names: BTreeSet<&str> = self
            .ours
            .iter()
            .filter_map(|row| row.incomplete_reason.as_deref())
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        format!("{reason} [{}]", names.join(", "))
    }

    fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.requests.is_empty() && self.responses.is_empty()
    }
}

impl std::fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} -> {}", self.flow.client, self.flow.server)?;
        for row in &self.ours {
            writeln!(
                f,
                "    ours    {} {} {:?}, bodies {:?} and {:?}, {}",
                row.method.as_deref().unwrap_or("-"),
                row.target.as_deref().unwrap_or("-"),
                row.status,
                row.request_body_len,
                row.response_body_len,
                row.incomplete_reason.as_deref().unwrap_or("complete"),
            )?;
        }
        for message in self.requests.iter().chain(&self.responses) {
            writeln!(f, "    tshark  {message:?}")?;
        }
        writeln!(f, "    {:?}", self.summary)
    }
}
