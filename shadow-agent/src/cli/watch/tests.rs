use ratatui::{Terminal, backend::TestBackend};
use shadow_common::stat::Stat;
use shadow_core::{
    evidence::{
        Proportion, Reason, Ruling,
        report::{Cause, CauseRoute, Separates},
    },
    rollout::{self, Stage},
};

use super::*;
use crate::{control::status::Lane, replay::BreakerState, state::Killed};

/// The page on a terminal of that size, line by line.
fn page(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal.draw(|frame| view.draw(frame)).expect("drawn");
    let buffer = terminal.backend().buffer().clone();
    let rows = buffer.content().chunks(usize::from(width.max(1)));
    rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n")
        .collect()
}

fn status() -> Box<Status> {
    let mut status = Status {
        armed: true,
        sample: 0.05,
        shadow: Some("http://10.0.0.9:8080".to_owned()),
        targets: vec!["8080".to_owned()],
        lanes: vec![Lane {
            name: "shadow".to_owned(),
            breaker: BreakerState::Open,
            match_rate: Proportion::new(990, 1_000),
            ..Lane::default()
        }],
        rollout: rollout::PhasePosition {
            stage: Stage::Running,
            phase: "canary-5".to_owned(),
            sample: Some(0.05),
        },
        ..Status::default()
    };
    status.lanes[0].latency.production.first_byte.p50_us = 850;
    status.lanes[0].latency.shadow.first_byte.p50_us = 12_300;
    let kernel = &mut status.funnel.kernel;
    for (stat, count) in [
        (Stat::Seen, 4_000_000),
        (Stat::Emitted, 200_000),
        (Stat::RingFull, 7),
    ] {
        kernel.set(stat, count);
    }
    status.funnel.engine.exchanges_complete = 2_000;
    status.funnel.skipped.insert("write".to_owned(), 900);
    status.funnel.failures.insert("timeout".to_owned(), 40);
    (
        status.funnel.replayed,
        status.funnel.matched,
        status.funnel.mismatched,
    ) = (1_040, 990, 10);
    status.funnel.in_flight = 60;
    status.rates.exchanges = 1_234.0;
    Box::new(status)
}

#[test]
fn the_whole_way_of_the_data_is_on_one_page() {
    let mut view = View::default();
    view.take(Ok(status()));
    let page = page(&view, 120, 32);
    for (label, number) in [
        ("seen, packets", "4,000,000"),
        ("sampled, packets", "200,000"),
        ("complete", "2,000"),
        ("selected", "1,100"),
        ("replayed", "1,040"),
        ("compared", "1,000"),
        ("match", "990"),
        ("write", "900"),
        ("shadow: timeout", "40"),
        ("ring_full (packets)", "7"),
    ] {
        let found = page.lines().any(|line| {
            let at = line.find(label);
            at.is_some_and(|at| line[at + label.len()..].trim_start().starts_with(number))
        });
        assert!(found, "{label} {number} is not on\n{page}");
    }
    for part in [
        "mirroring  5% of connections  rollout running canary-5",
        "8080 -> http://10.0.0.9:8080",
        "99 % match",
        "breaker open",
        "p50 850 us / 12.3 ms",
        "exchanges 1,234/s",
        "q quits",
    ] {
        assert!(page.contains(part), "{part:?} is not on\n{page}");
    }
    // The losses are in the order of their size.
    assert!(page.find("write").expect("there") < page.find("shadow: timeout").expect("there"));
}

#[test]
fn an_agent_that_goes_is_said_to_be_gone_and_comes_back() {
    let mut view = View::default();
    assert!(page(&view, 80, 24).contains("asking the agent"));
    view.take(Err("no agent answers on /run/s".to_owned()));
    assert!(page(&view, 80, 24).contains("no agent answers on /run/s"));
    view.take(Ok(status()));
    view.take(Err("no agent answers on /run/s".to_owned()));
    let gone = page(&view, 120, 32);
    assert!(gone.contains("AGENT GONE: no agent answers on /run/s"), "{gone}");
    assert!(gone.contains("1,040"), "what was known stays:\n{gone}");
    view.take(Ok(status()));
    assert!(!page(&view, 120, 32).contains("AGENT GONE"));
}

#[test]
fn a_kill_is_not_to_be_overlooked() {
    let mut killed = status();
    killed.armed = false;
    killed.killed = Some(Killed::now("root (uid 0), pid 7", "drill\u{1b}[2J"));
    let mut view = View::default();
    view.take(Ok(killed));
    let page = page(&view, 120, 32);
    assert!(
        page.contains("KILLED") && page.contains("killed by root (uid 0), pid 7: drill"),
        "{page}"
    );
    assert!(
        !page.contains('\u{1b}'),
        "what people wrote must not steer the terminal"
    );
}

fn with_causes() -> Box<Status> {
    let mut status = status();
    status.ruling = Ruling::NoGo;
    status.reasons = vec![Reason {
        gate: "match_rate".to_owned(),
        ruling: Ruling::NoGo,
        text: "1,990 of 2,830 answers are as they should be".to_owned(),
    }];
    status.causes = (0..5)
        .map(|number| Cause {
            id: format!("cause-00000{number}"),
            change: format!("status 200 -> 50{number}"),
            exchanges: 739 - number,
            features: vec![Separates {
                says: "carry Authorization".to_owned(),
                with: Proportion::new(739 - number, 739 - number),
                others: Proportion::new(0, 8_114),
                ..Separates::default()
            }],
            ..Cause::default()
        })
        .collect();
    status.causes_more = 12;
    status
}

#[test]
fn one_screen_has_the_verdict_the_reason_five_causes_and_the_next_step() {
    let mut view = View::default();
    view.take(Ok(with_causes()));
    for (width, rows) in [(80, 24), (80, 40), (200, 50)] {
        let page = page(&view, width, rows);
        println!("{page}");
        for part in [
            "NO-GO  match_rate: 1,990 of 2,830 answers are as they should be",
            "739  status 200 -> 500",
            "735  status 200 -> 504",
            "12 more: shadow report",
            "shadow diffs show cause-000000",
            "shadow: timeout",
            "40",
            "p99 0 us / 0 us",
            "1,234/s exchanges",
        ] {
            assert!(page.contains(part), "{part:?} is not on {width}x{rows}\n{page}");
        }
        for number in 735..740 {
            let separates = format!("all {number} carry Authorization; none of 8,114 others do");
            assert!(page.contains(&separates), "{separates} is not on\n{page}");
        }
    }
}

#[test]
fn long_lines_are_folded_where_there_is_room() {
    let mut status = with_causes();
    "1,990 of 2,830 answers are as they should be: 70.318 % (95 % interval 68.6 % to 71.97 %), needed is above 99.9 %"
        .clone_into(&mut status.reasons[0].text);
    let place = "value at /html/body/input[@name='csrf']/@value and 1 more place";
    place.clone_into(&mut status.causes[4].change);
    status.causes[4].routes = vec![CauseRoute {
        route: "GET /page/{id}".to_owned(),
        ..CauseRoute::default()
    }];
    let mut view = View::default();
    view.take(Ok(status));
    let wide = page(&view, 200, 50);
    let narrow = page(&view, 80, 44);
    for part in [
        "needed is above 99.9 %",
        place,
        "of GET /page/{id}",
        "shadow diffs show cause-000000",
    ] {
        assert!(wide.contains(part), "{part:?}\n{wide}");
        assert!(narrow.contains(part), "{part:?}\n{narrow}");
    }
    let small = page(&view, 80, 24);
    for part in [
        "needed is above 99.9 %",
        "735  value at /html/body/input[@name='csrf']/@value and 1 more place",
        "of GET /page/{id}: all 735 carry Authorization; none of 8,114 others do",
        "735 carry",
        "p99 0 us / 0 us",
        "shadow diffs show cause-000000",
    ] {
        assert!(small.contains(part), "{part:?}\n{small}");
    }
}

#[test]
fn every_size_is_drawn() {
    let mut view = View::default();
    for _ in 0..400 {
        view.take(Ok(status()));
    }
    view.take(Ok(with_causes()));
    for (width, height) in [(1, 1), (5, 3), (20, 10), (80, 24), (300, 100)] {
        page(&view, width, height);
    }
}

#[test]
fn keys_that_quit() {
    let key = |code, modifiers| KeyEvent::new(code, modifiers);
    assert!(quits(key(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(quits(key(KeyCode::Esc, KeyModifiers::NONE)));
    assert!(quits(key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(!quits(key(KeyCode::Char('c'), KeyModifiers::NONE)));
    assert!(!quits(key(KeyCode::Char('x'), KeyModifiers::NONE)));
}

/// Run by the test below, on a terminal that `script` creates.
#[test]
#[ignore = "panics on purpose; run by a_panic_gives_the_terminal_back"]
fn panics_while_it_draws() {
    on_terminal(|terminal| {
        let view = View::default();
        terminal.draw(|frame| view.draw(frame))?;
        panic!("on purpose");
    })
    .expect("never comes so far");
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let itself = std::env::current_exe().expect("this test");
    let text = format!(
        "stty rows 24 cols 80; stty -a; {} --exact cli::watch::tests::panics_while_it_draws --ignored --nocapture; echo left=$?; \
         stty -a; echo after",
        itself.display()
    );
    let output = std::process::Command::new("script")
        .args(["-qfec", &text, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("RUST_BACKTRACE", "0")
        .stdin(std::process::Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("SKIPPED: script (util-linux) is not installed");
            return;
        }
        output => output.expect("script runs"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let last = |code: &str| text.rfind(code);
    assert!(
        text.contains("on purpose") && text.contains("left=101"),
        "{text:?}"
    );
    assert!(
        last("\u{1b}[?1049h").is_some() && last("\u{1b}[?1049l") > last("\u{1b}[?1049h"),
        "{text:?}"
    );
    assert!(last("\u{1b}[?25h") > last("\u{1b}[?25l"), "{text:?}");
    // The message must be visible: after the page, on the normal screen.
    assert!(last("on purpose") > last("\u{1b}[?1049l"), "{text:?}");
    let flags = |text: &str| -> Vec<String> {
        let words = text.split_whitespace();
        words
            .filter(|word| {
                [
                    "icanon", "echo", "isig", "opost", "-icanon", "-echo", "-isig", "-opost",
                ]
                .contains(word)
            })
            .map(str::to_owned)
            .collect()
    };
    let settings: Vec<_> = text.split("speed ").skip(1).map(flags).collect();
    assert_eq!(settings.len(), 2, "{text:?}");
    assert_eq!((settings[0].len(), &settings[0]), (4, &settings[1]), "{text:?}");
}
