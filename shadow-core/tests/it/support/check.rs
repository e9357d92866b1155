//! What an engine may and must report of a scene.

use std::collections::HashMap;

use shadow_core::{
    engine::{Event, Settings},
    exchange::{Body, Exchange, Flow, Headers, Request, Response, Version},
};

use super::{
    encode::{Message, Said},
    scene::Scene,
};

/// What came of everything that was said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) said: usize,
    pub(crate) complete: usize,
    pub(crate) incomplete: usize,
    pub(crate) orphans: usize,
    /// Incomplete entries that stand for nothing that was said: text of a body, taken for a message after a gap.
    pub(crate) phantoms: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            said,
            complete,
            incomplete,
            orphans,
            phantoms,
        } = other;
        self.said += said;
        self.complete += complete;
        self.incomplete += incomplete;
        self.orphans += orphans;
        self.phantoms += phantoms;
    }
}

/// Without loss: exactly what was said, in order, whole, on every flow, and nothing else.
pub(crate) fn exactly(scene: &Scene, events: &[Event], settings: &Settings) {
    let tally = truthfully(scene, events, settings);
    for line in &scene.lines {
        let seen: Vec<String> = on(line.flow, events).map(summary).collect();
        let said: Vec<String> = line
            .conversations
            .iter()
            .flat_map(|conversation| &conversation.said)
            .map(|said| format!("{} {} -> {} whole", said.uid, said.method, said.status))
            .collect();
        assert_eq!(seen, said, "reported (left) and said (right) on {:?}", line.flow);
    }
    let others: Vec<String> = events
        .iter()
        .filter(|event| !matches!(event, Event::Exchange(_)))
        .map(|event| format!("{event:?}"))
        .collect();
    assert!(others.is_empty(), "unexpected events: {others:#?}");
    assert_eq!(tally.complete, tally.said, "{tally:?}");
}

/// Whatever was lost: what is reported as complete was said, at this place, in these bytes, and is reported once.
pub(crate) fn truthfully(scene: &Scene, events: &[Event], settings: &Settings) -> Tally {
    let mut tally = Tally::default();
    for line in &scene.lines {
        let all = line
            .conversations
            .iter()
            .flat_map(|conversation| &conversation.said);
        let said: HashMap<u32, &Said> = all.map(|said| (said.uid, said)).collect();
        tally.said += said.len();
        let mut judge = Judge {
            said,
            settings,
            requests: Vec::new(),
            responses: Vec::new(),
            completed: Vec::new(),
            next_index: 0,
        };
        for exchange in on(line.flow, events) {
            judge.exchange(exchange, &mut tally);
        }
        judge.completed.windows(2).for_each(|pair| {
            assert!(pair[0] < pair[1], "completed out of order: {:?}", judge.completed);
        });
        for event in events {
            if let Event::Orphan(orphan) = event
                && orphan.flow == line.flow
            {
                tally.orphans += 1;
                judge.response(&orphan.response);
            }
        }
    }
    let foreign = |flow: Flow| scene.lines.iter().all(|line| line.flow != flow);
    for event in events {
        match event {
            // A capture that does not know which end serves may take the wrong one, as long as nothing completes.
            Event::Exchange(exchange) => {
                assert!(
                    !(foreign(exchange.flow) && exchange.is_complete()),
                    "{exchange:?}"
                );
            }
            Event::Orphan(_) | Event::Abandoned(..) => {}
        }
    }
    tally
}

fn on(flow: Flow, events: &[Event]) -> impl Iterator<Item = &Exchange> {
    events.iter().filter_map(move |event| match event {
        Event::Exchange(exchange) if exchange.flow == flow => Some(&**exchange),
        _ => None,
    })
}

fn summary(exchange: &Exchange) -> String {
    format!(
        "{} {} -> {} {}",
        uid(&exchange.request.headers).map_or("?".to_owned(), |uid| uid.to_string()),
        exchange.request.method.escape_ascii(),
        exchange.response.as_ref().map_or(0, |response| response.status),
        exchange.incomplete.map_or("whole", |reason| reason.as_str()),
    )
}

/// Judges the reports on one endpoint pair, one after the other.
struct Judge<'a> {
    said: HashMap<u32, &'a Said>,
    settings: &'a Settings,
    requests: Vec<u32>,
    responses: Vec<u32>,
    completed: Vec<u32>,
    next_index: u64,
}

impl Judge<'_> {
    fn exchange(&mut self, exchange: &Exchange, tally: &mut Tally) {
        let index = exchange.index;
        assert!(
            index == self.next_index || index == 0,
            "request {index} follows {} on its connection: one was not reported",
            self.next_index
        );
        self.next_index = index + 1;
        let request = self.request(&exchange.request);
        let response = exchange.response.as_ref().map(|response| self.response(response));
        if exchange.is_complete() {
            tally.complete += 1;
            self.complete(exchange, request, response.flatten());
        } else {
            tally.incomplete += 1;
            tally.phantoms += usize::from(request.is_none() && !exchange.request.method.is_empty());
        }
    }

    /// Whatever has the name of a request that was said is that request, reported for the first time.
    fn request(&mut self, request: &Request) -> Option<u32> {
        let uid = uid(&request.headers)?;
        let said = self
            .said
            .get(&uid)
            .unwrap_or_else(|| panic!("request {uid} was not said here"));
        assert!(!self.requests.contains(&uid), "request {uid} is reported twice");
        self.requests.push(uid);
        let facts = format!("request {uid}");
        assert_eq!(request.method, said.method.as_bytes(), "{facts}");
        assert_eq!(request.target, said.target.as_bytes(), "{facts}");
        head(&facts, request.version, &request.headers, &said.request);
        beginning(&facts, &request.body, &said.request);
        Some(uid)
    }

    fn response(&mut self, response: &Response) -> Option<u32> {
        let uid = uid(&response.headers)?;
        let said = self
            .said
            .get(&uid)
            .unwrap_or_else(|| panic!("response {uid} was not said here"));
        assert!(!self.responses.contains(&uid), "response {uid} is reported twice");
        self.responses.push(uid);
        let facts = format!("response {uid}");
        assert_eq!(response.status, said.status, "{facts}");
        assert_eq!(response.reason, said.reason.as_bytes(), "{facts}");
        head(&facts, response.version, &response.headers, &said.response);
        beginning(&facts, &response.body, &said.response);
        Some(uid)
    }

    fn complete(&mut self, exchange: &Exchange, request: Option<u32>, response: Option<u32>) {
        let uid = request.unwrap_or_else(|| panic!("a request that nobody sent is complete: {exchange:?}"));
        assert_eq!(
            response,
            Some(uid),
            "the response to request {uid} belongs to another one"
        );
        self.completed.push(uid);
        let said = self.said[&uid];
        let answer = exchange
            .response
            .as_ref()
            .expect("a complete exchange has a response");
        whole(
            &format!("request {uid}"),
            &exchange.request.body,
            &exchange.request.trailers,
            &said.request,
            self.settings,
        );
        whole(
            &format!("response {uid}"),
            &answer.body,
            &answer.trailers,
            &said.response,
            self.settings,
        );
        let timing = exchange.timing;
        let stamps = [
            timing.request_first,
            timing.request_last,
            timing.response_first,
            timing.response_last,
        ];
        assert!(
            stamps.iter().all(Option::is_some),
            "exchange {uid} lacks a timestamp: {timing:?}"
        );
    }
}

fn uid(headers: &Headers) -> Option<u32> {
    core::str::from_utf8(headers.get("x-uid")?).ok()?.parse().ok()
}

fn pairs(headers: &Headers) -> Vec<(String, String)> {
    let text = |part: &[u8]| part.escape_ascii().to_string();
    headers
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn said_pairs(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<(String, String)> {
    pairs(&Headers::from_pairs(
        fields.iter().map(|(name, value)| (name, value)),
    ))
}

fn head(facts: &str, version: Version, headers: &Headers, said: &Message) {
    let expected = if said.http10 {
        Version::Http10
    } else {
        Version::Http11
    };
    assert_eq!(version, expected, "{facts}");
    assert_eq!(pairs(headers), said_pairs(&said.fields), "fields of {facts}");
}

/// A body in which nothing is known to be missing starts as the one that was sent.
fn beginning(facts: &str, body: &Body, said: &Message) {
    let sent = said.body.len() as u64;
    assert!(
        body.len <= sent,
        "{facts} has {} body bytes of {sent} sent",
        body.len
    );
    assert!(body.missing <= body.len, "{facts}: {body:?}");
    if body.missing == 0 {
        assert!(
            said.body.starts_with(&body.kept),
            "foreign bytes in the body of {facts}: {body:?}"
        );
    }
}

fn whole(facts: &str, body: &Body, trailers: &Headers, said: &Message, settings: &Settings) {
    let sent = &said.body;
    let cap = settings.limits.body;
    assert_eq!(
        (body.len, body.missing),
        (sent.len() as u64, 0),
        "body of {facts}"
    );
    if sent.len() <= cap {
        assert!(body.kept == *sent, "body of {facts} differs");
        assert!(body.is_whole(), "{facts}");
    } else {
        assert!(
            body.kept.len() <= cap,
            "{facts} keeps {} bytes over the cap",
            body.kept.len()
        );
        assert!(
            sent.starts_with(&body.kept),
            "kept part of the body of {facts} differs"
        );
    }
    if settings.digest {
        assert_eq!(
            body.blake3(),
            Some(*blake3::hash(sent).as_bytes()),
            "digest of {facts}"
        );
    }
    assert_eq!(pairs(trailers), said_pairs(&said.trailers), "trailers of {facts}");
}
