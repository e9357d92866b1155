//! `kill -9` in the middle of writing, and files that are not a journal.

use std::{fs, time::Duration};

use rustix::process::Signal;
use shadow_agent::journal::Reader;
use shadow_tests::{agent::PATIENCE, attached, need, netns::Lab, process::wait_until};

use crate::stage::{Stage, response};

fn stage() -> Stage {
    let answer = |price: u32| {
        let text = format!("{{\"price\":{price},\"text\":\"{}\"}}", "words ".repeat(4_000));
        response("Content-Type: application/json\r\n", &text)
    };
    Stage::new(&answer(1), &answer(2))
}

/// Each on a route of its own, so that each is a new group that needs a case.
fn targets(from: usize, count: usize) -> Vec<String> {
    let letters = |number: usize| -> String {
        let digits = number.to_string();
        digits
            .bytes()
            .map(|digit| char::from(digit - b'0' + b'g'))
            .collect()
    };
    (from..from + count)
        .map(|number| format!("/route{}", letters(number)))
        .collect()
}

#[test]
fn a_killed_agent_leaves_a_whole_journal() {
    need!(Root);
    let stage = stage();
    let mut agent = stage.start(stage.plan());
    let journal = agent.state().join("journal.sqlite");
    let cases = || Reader::open(&journal).map(|reader| reader.counts().expect("counts")[0]);
    stage.get(&targets(0, 40));
    wait_until("something is written", PATIENCE, || {
        cases().is_ok_and(|cases| cases > 0)
    });
    // More data is being written when it is killed.
    stage.get(&targets(100, 60));
    agent.process.signal(Signal::KILL);
    agent.process.wait(PATIENCE);
    let kept = cases().expect("it is a journal, read without an agent");
    assert!(kept > 0, "what was committed stays");

    // The same state directory: the journal is checked page by page at the start.
    let mut again = stage.start(stage.plan());
    assert!(
        cases().expect("still a journal") >= kept,
        "nothing was lost by opening it"
    );
    stage.get(&targets(200, 10));
    wait_until("it is written again", PATIENCE, || {
        cases().is_ok_and(|cases| cases > kept)
    });
    again.settled(10);
    again.stop();
    let reader = Reader::open(&journal).expect("a journal");
    let kinds: Vec<String> = reader
        .events(0, 100)
        .expect("reads")
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds,
        ["start", "start", "ended", "end"],
        "the first one had no time to say goodbye, and the second says so"
    );
    let report = reader.report().expect("reads").expect("the last run's report");
    assert!(report.funnel.mismatched >= 10, "{:#?}", report.funnel);
    assert!(
        !reader.windows("shadow", 0).expect("reads").is_empty(),
        "counts over time are kept"
    );
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_left_as_it_is() {
    need!(Root);
    let stage = stage();
    let mut agent = stage.start(stage.plan());
    let journal = agent.state().join("journal.sqlite");
    stage.get(&targets(0, 20));
    agent.settled(20);
    agent.stop();
    let mut damaged = fs::read(&journal).expect("the journal");
    let half = damaged.len() / 2;
    damaged[4096..half].fill(0x5a);
    for (bytes, said) in [
        (damaged, "is damaged"),
        (b"my notes, not a journal\n".to_vec(), "is not a journal"),
    ] {
        fs::write(&journal, &bytes).expect("writes");
        let mut refused = stage.plan().launch(&stage.lab.server);
        let status = refused.process.wait(PATIENCE);
        let text = refused.process.stderr();
        assert_eq!(status.code(), Some(65), "{text}");
        assert!(text.contains(said) && text.contains("left as it is"), "{text}");
        assert!(text.contains("journal."), "it says what to do: {text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        assert!(
            fs::read(&journal).expect("still there") == bytes,
            "it was changed"
        );
        wait_until("nothing is attached", Duration::from_secs(5), || {
            attached::programs(&stage.lab.server, Lab::LINK).is_empty()
        });
    }
}
