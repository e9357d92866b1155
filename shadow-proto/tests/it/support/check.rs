//! Checks of what an engine may and must report for a scene.

use std::collections::HashMap;

use shadow_proto::{
    engine::{Event, Settings},
    exchange::{Body, Exchange, Flow, Headers, Request, Response, Version},
};

use super::{
    encode::{Message, PlannedExchange},
    scene::Scene,
};

/// Totals over everything that was sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) said: usize,
    pub(crate) complete: usize,
    pub(crate) incomplete: usize,
    pub(crate) orphans: usize,
    /// Incomplete entries that match nothing that was sent: text of a body, read as a message after a gap.
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

/// Without loss: exactly what was sent, in order, complete, on every flow, and nothing else.
pub(crate) fn exactly(scene: &Scene, events: &[Event], settings: &Settings) {
    let tally = truthfully(scene, events, settings);
    let _dump = Dump(scene, events);
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

/// With any loss: what is reported as complete was sent, at this position, in these bytes, and is reported once.
pub(crate) fn truthfully(scene: &Scene, events: &[Event], settings: &Settings) -> Tally {
    let _dump = Dump(scene, events);
    let mut tally = Tally::default();
    for line in &scene.lines {
        let all = line
            .conversations
            .iter()
            .flat_map(|conversation| &conversation.said);
        let said: HashMap<u32, &PlannedExchange> = all.map(|said| (said.uid, said)).collect();
        tally.said += said.len();
        let mut judge = Judge {
            said,
            settings,
            requests: Vec::new(),
            responses: Vec::new(),
            completed: Vec::new(),
        };
        for exchange in on(line.flow, events) {
            judge.exchange(exchange, &mut tally);
        }
        numbered(line.flow, events);
        judge.completed.windows(2).for_each(|pair| {
            assert!(pair[0] < pair[1], "completed out of order: {:?}", judge.completed);
        });
        for event in events {
            if let Event::Orphan(orphan) = event
                && orphan.flow == line.flow
            {
                tally.orphans += 1;
                judge.response(&orphan.response, false);
            }
        }
    }
    let foreign = |flow: Flow| scene.lines.iter().all(|line| line.flow != flow);
    for event in events {
        match event {
            // A capture that does not know which end is the server may guess wrong, as long as nothing completes.
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

/// With `DUMP=1` a failed check shows what was captured and what was reported. The last dump is the smallest case.
pub(crate) struct Dump<'a>(pub(crate) &'a Scene, pub(crate) &'a [Event]);

impl Drop for Dump<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() || std::env::var_os("DUMP").is_none() {
            return;
        }
        let Self(scene, events) = self;
        println!("---- captured");
        scene.segments.iter().for_each(|segment| println!("{segment}"));
        println!("---- reported");
        for event in *events {
            match event {
                Event::Exchange(exchange) => {
                    let answer = exchange.response.as_ref();
                    let uid = answer.and_then(|response| uid(&response.headers));
                    println!("#{} {} (response {uid:?})", exchange.index, summary(exchange));
                }
                Event::Orphan(orphan) => {
                    let uid = uid(&orphan.response.headers);
                    println!("orphan {uid:?} {} {}", orphan.response.status, orphan.incomplete);
                }
                Event::Abandoned(_, reason) => println!("abandoned {reason}"),
            }
        }
    }
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

/// Requests are numbered from 0 on every connection, and each number is reported. Connections that follow each other
/// on one endpoint pair all have a 0, those with more requests also a 1, and so on.
fn numbered(flow: Flow, events: &[Event]) {
    let mut counts: Vec<usize> = Vec::new();
    for exchange in on(flow, events) {
        let index = usize::try_from(exchange.index).expect("few requests");
        counts.resize(counts.len().max(index + 1), 0);
        counts[index] += 1;
    }
    let falls = counts.windows(2).all(|pair| pair[0] >= pair[1]);
    assert!(
        falls,
        "a request was not reported; reports for each number: {counts:?}"
    );
}

/// Judges the reports on one endpoint pair, one after the other.
struct Judge<'a> {
    said: HashMap<u32, &'a PlannedExchange>,
    settings: &'a Settings,
    requests: Vec<u32>,
    responses: Vec<u32>,
    completed: Vec<u32>,
}

impl Judge<'_> {
    fn exchange(&mut self, exchange: &Exchange, tally: &mut Tally) {
        let whole = exchange.is_complete();
        let request = self.request(&exchange.request, whole);
        let response = exchange
            .response
            .as_ref()
            .map(|response| self.response(response, whole));
        // Orphans may repeat: a reader that guessed the wrong direction starts again, and bytes are sent again.
        self.responses.extend(response.flatten());
        if exchange.is_complete() {
            tally.complete += 1;
            self.complete(exchange, request, response.flatten());
        } else {
            tally.incomplete += 1;
            tally.phantoms += usize::from(request.is_none() && !exchange.request.method.is_empty());
        }
    }

    /// A request is reported once. A complete one matches what was sent; an incomplete one may be text of a body that
    /// a reader parsed when it started again after a gap.
    fn request(&mut self, request: &Request, whole: bool) -> Option<u32> {
        let uid = uid(&request.headers).filter(|uid| whole || self.said.contains_key(uid))?;
        assert!(!self.requests.contains(&uid), "request {uid} is reported twice");
        self.requests.push(uid);
        if whole {
            let facts = format!("request {uid}");
            let said = self
                .said
                .get(&uid)
                .unwrap_or_else(|| panic!("{facts} was not said here"));
            assert_eq!(request.method, said.method.as_bytes(), "{facts}");
            assert_eq!(request.target, said.target.as_bytes(), "{facts}");
            head(&facts, request.version, &request.headers, &said.request);
        }
        Some(uid)
    }

    fn response(&mut self, response: &Response, whole: bool) -> Option<u32> {
        let uid = uid(&response.headers).filter(|uid| whole || self.said.contains_key(uid))?;
        assert!(!self.responses.contains(&uid), "response {uid} is reported twice");
        if whole {
            let facts = format!("response {uid}");
            let said = self
                .said
                .get(&uid)
                .unwrap_or_else(|| panic!("{facts} was not said here"));
            assert_eq!(response.status, said.status, "{facts}");
            assert_eq!(response.reason, said.reason.as_bytes(), "{facts}");
            head(&facts, response.version, &response.headers, &said.response);
        }
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
