//! Every transcript in `tests/transcripts`: as written, cut at every byte, and byte by byte.

use std::{fmt::Write as _, fs, path::Path};

use shadow_proto::{
    engine::{Event, Settings},
    exchange::{Body, Headers, Request, Response},
};

use crate::support::{
    drive::drive_until,
    transcript::{Transcript, parse, unescape},
    wire::Captured,
};

#[test]
fn every_transcript_has_its_outcome_however_it_is_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut faults = Vec::new();
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("the folder of transcripts") {
        let path = entry.expect("a readable folder").path();
        let name = path
            .file_stem()
            .expect("a file name")
            .to_string_lossy()
            .into_owned();
        if path.extension().is_none_or(|end| end != "t") || !name.contains(&only) {
            continue;
        }
        files += 1;
        let transcript = parse(&fs::read_to_string(&path).expect("readable text"));
        if let Err(fault) = judge(&transcript) {
            faults.push(format!("{name}: {fault}"));
        }
    }
    faults.sort();
    assert!(files >= 1, "no transcript in {}", folder.display());
    assert!(
        faults.is_empty(),
        "{} of {files} failed\n\n{}",
        faults.len(),
        faults.join("\n\n")
    );
}

fn judge(transcript: &Transcript) -> Result<(), String> {
    let settings = Settings {
        limits: transcript.limits.clone(),
        digest: true,
        fields: true,
    };
    let run = |segments: &[Captured]| drive_until(segments, transcript.until(), &settings);
    let as_written = run(&transcript.cut_at(0, true));
    expect(transcript, &as_written)?;
    let whole = render(&as_written);
    let same = |how: String, segments: &[Captured]| {
        let events = run(segments);
        let other = render(&events);
        if transcript.borders {
            expect(transcript, &events).map_err(|fault| format!("{how}: {fault}"))
        } else if other == whole {
            Ok(())
        } else {
            Err(format!(
                "{how} differs\n--- as written\n{whole}--- {how}\n{other}"
            ))
        }
    };
    for cut in 1..transcript.len() {
        same(format!("cut at byte {cut}"), &transcript.cut_at(cut, true))?;
    }
    same("byte by byte".to_owned(), &transcript.pieces(1, true))?;
    if !transcript.directed {
        same("undirected".to_owned(), &transcript.cut_at(0, false))?;
        same(
            "undirected, byte by byte".to_owned(),
            &transcript.pieces(1, false),
        )?;
    }
    Ok(())
}

fn expect(transcript: &Transcript, events: &[Event]) -> Result<(), String> {
    let facts = || {
        format!(
            "expected\n  {}\nreported\n{}",
            transcript.expected.join("\n  "),
            render(events)
        )
    };
    let expected = |prefix: &str| -> Vec<&str> {
        transcript
            .expected
            .iter()
            .filter_map(|line| line.strip_prefix(prefix))
            .collect()
    };
    let reported: Vec<&Event> = events
        .iter()
        .filter(|event| !matches!(event, Event::Abandoned(..)))
        .collect();
    if expected("nothing complete").len() == 1 {
        let first = expected("first ")
            .iter()
            .all(|line| reported.first().is_some_and(|event| matches(event, line)));
        return if first && reported.iter().copied().all(is_incomplete) {
            Ok(())
        } else {
            Err(facts())
        };
    }
    let list: Vec<&str> = expected("")
        .into_iter()
        .filter(|line| !line.starts_with("abandoned "))
        .collect();
    let given_up = expected("abandoned ").iter().all(|line| {
        events
            .iter()
            .any(|event| matches!(event, Event::Abandoned(_, reason) if either(line, reason.as_str())))
    });
    if fits(&reported, &list) && given_up {
        Ok(())
    } else {
        Err(facts())
    }
}

/// The list in order; `anything incomplete` matches any number of entries.
fn fits(reported: &[&Event], list: &[&str]) -> bool {
    match list {
        [] => reported.is_empty(),
        ["anything incomplete", behind @ ..] => (0..=reported.len())
            .take_while(|skipped| reported[..*skipped].iter().copied().all(is_incomplete))
            .any(|skipped| fits(&reported[skipped..], behind)),
        [line, behind @ ..] => reported
            .split_first()
            .is_some_and(|(event, rest)| matches(event, line) && fits(rest, behind)),
    }
}

fn is_incomplete(event: &Event) -> bool {
    !matches!(event, Event::Exchange(exchange) if exchange.is_complete())
}

fn matches(event: &Event, line: &str) -> bool {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("an expectation has four words");
    match event {
        Event::Exchange(exchange) => {
            let status = exchange
                .response
                .as_ref()
                .map_or("-".to_owned(), |response| response.status.to_string());
            let head = either(word(), &exchange.request.method.escape_ascii().to_string())
                && either(word(), &exchange.request.target.escape_ascii().to_string())
                && either(word(), &status)
                && either(
                    word(),
                    exchange.incomplete.map_or("complete", |reason| reason.as_str()),
                );
            head && words.all(|detail| {
                let (what, value) = detail.split_once('=').expect("details are name=value");
                match (what, &exchange.response) {
                    ("request", _) => body(&exchange.request.body, value),
                    ("response", Some(response)) => body(&response.body, value),
                    ("trailers", Some(response)) => value == response.trailers.len().to_string(),
                    ("request_trailers", _) => value == exchange.request.trailers.len().to_string(),
                    (_, None) => false,
                    _ => panic!("no detail is called {what}"),
                }
            })
        }
        Event::Orphan(orphan) => {
            word() == "orphan"
                && either(word(), &orphan.response.status.to_string())
                && either(word(), orphan.incomplete.as_str())
        }
        Event::Abandoned(..) => false,
    }
}

/// A body is expected as its length or as its text without blanks.
fn body(body: &Body, value: &str) -> bool {
    match value.strip_prefix('"') {
        Some(text) => {
            body.is_whole() && *body.kept == *unescape(text.strip_suffix('"').expect("a closing quote"))
        }
        None => value == body.len.to_string(),
    }
}

fn either(pattern: &str, word: &str) -> bool {
    pattern == "*" || pattern.split('|').any(|choice| choice == word)
}

/// Everything except the time.
fn render(events: &[Event]) -> String {
    let mut out = String::new();
    for event in events {
        match event {
            Event::Exchange(exchange) => {
                let reason = exchange.incomplete.map_or("complete", |reason| reason.as_str());
                writeln!(out, "  #{} {reason}", exchange.index).expect("a string takes everything");
                request(&mut out, &exchange.request);
                if let Some(answer) = &exchange.response {
                    response(&mut out, answer);
                }
            }
            Event::Orphan(orphan) => {
                writeln!(out, "  orphan {}", orphan.incomplete).expect("a string takes everything");
                response(&mut out, &orphan.response);
            }
            Event::Abandoned(_, reason) => {
                writeln!(out, "  abandoned {reason}").expect("a string takes everything");
            }
        }
    }
    out
}

fn request(out: &mut String, request: &Request) {
    let Request {
        method,
        target,
        version,
        headers,
        body,
        trailers,
    } = request;
    let (method, target) = (method.escape_ascii(), target.escape_ascii());
    writeln!(out, "    {method} {target} {}", version.as_str()).expect("a string takes everything");
    rest(out, headers, body, trailers);
}

fn response(out: &mut String, response: &Response) {
    let Response {
        status,
        version,
        reason,
        headers,
        body,
        trailers,
    } = response;
    let reason = reason.escape_ascii();
    writeln!(out, "    {} {status} {reason}", version.as_str()).expect("a string takes everything");
    rest(out, headers, body, trailers);
}

fn rest(out: &mut String, headers: &Headers, body: &Body, trailers: &Headers) {
    for (name, value) in headers.iter().chain(trailers.iter()) {
        writeln!(out, "      {}: {}", name.escape_ascii(), value.escape_ascii()).expect("a string takes it");
    }
    let digest = body.blake3().map(|digest| digest[0]);
    let kept = body.kept.escape_ascii();
    writeln!(
        out,
        "      {} bytes, {} missing, {digest:?}: {kept}",
        body.len, body.missing
    )
    .expect("a string takes everything");
}
