//! The same promise over many exchanges: a table of loss, reordering and duplication against complete exchanges.
//! *Wrong* has no column: a wrong exchange ends the run.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::support::{
    capture::Losses,
    check::{self, Tally},
    drive::{drive, settings},
    scene::{self, Line},
    strategy,
    wire::Plan,
};

/// Loss per mille, reordering window, duplicates per mille.
pub(crate) const ROWS: &[(u16, usize, u16)] = &[
    (0, 0, 0),
    (0, 8, 50),
    (1, 0, 0),
    (10, 0, 0),
    (10, 8, 50),
    (100, 4, 0),
    (500, 0, 0),
];

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
    )
}

fn row(seed: u64, exchanges: usize, (lose, window, duplicate): (u16, usize, u16)) -> Tally {
    let connections = (
        strategy::connection(strategy::small_exchange(), 20),
        strategy::plan(),
        any::<u64>(),
    );
    let mut runner = runner(seed);
    let mut tally = Tally::default();
    while tally.said < exchanges {
        let lines: Vec<Line> = (0..8)
            .map(|n: u64| {
                let (connection, plan, seed) =
                    connections.new_tree(&mut runner).expect("no filter").current();
                let losses = Losses {
                    seed,
                    window,
                    duplicate,
                    directed: !n.is_multiple_of(3),
                    no_bare_acks: n.is_multiple_of(2),
                    lose,
                    ..Losses::none()
                };
                let garbage = lose == 0;
                Line {
                    connections: vec![(connection, Plan { garbage, ..plan })],
                    losses,
                    start: n * 700,
                }
            })
            .collect();
        let scene = scene::play(&lines);
        let settings = settings();
        let events = drive(&scene.segments, &settings);
        if lose == 0 {
            check::exactly(&scene, &events, &settings);
        }
        tally.add(check::truthfully(&scene, &events, &settings));
    }
    tally
}

fn table(exchanges: usize) -> Vec<Tally> {
    println!("  loss reorder   dup |    said complete incomplete orphans phantoms");
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED is a number"));
    let run = |(n, facts): (u64, &(u16, usize, u16))| {
        let tally = row(seed * 1_000 + n, exchanges, *facts);
        let Tally {
            said,
            complete,
            incomplete,
            orphans,
            phantoms,
        } = tally;
        let (lose, window, duplicate) = facts;
        println!(
            "{lose:5}‰ {window:7} {duplicate:4}‰ | {said:7} {complete:8} {incomplete:10} {orphans:7} {phantoms:8}"
        );
        tally
    };
    (0..).zip(ROWS).map(run).collect()
}

#[test]
fn nothing_is_wrong_in_any_row() {
    let tallies = table(2_000);
    // Without loss everything completes; losing one in a thousand must not cost half of the connections.
    assert_eq!(tallies[0].complete, tallies[0].said);
    assert_eq!(tallies[1].complete, tallies[1].said);
    assert!(tallies[2].complete * 10 > tallies[2].said * 8, "{:?}", tallies[2]);
    assert!(tallies[3].complete * 10 > tallies[3].said * 3, "{:?}", tallies[3]);
}

/// Loss per mille, times reordering window, times duplicates per mille.
const GRID: ([u16; 5], [usize; 3], [u16; 2]) = ([0, 1, 10, 100, 500], [0, 8, 64], [0, 50]);

/// `cargo xtask simulate`: every combination, `EXCHANGES` in total, on every core. A wrong exchange ends the run.
#[test]
#[ignore = "about a minute with optimisation; the build server runs it"]
fn a_long_run() {
    long_run(|seed, each, facts| {
        let tally = row(seed, each, facts);
        if facts.0 == 0 {
            assert_eq!(tally.complete, tally.said, "without loss: {facts:?}");
        }
        [tally.said, tally.complete, tally.incomplete, tally.orphans]
    });
}

/// Runs every combination on every core and prints a table of what was said, complete, incomplete, and responses alone.
pub(crate) fn long_run(row: impl Fn(u64, usize, (u16, usize, u16)) -> [usize; 4] + Sync) {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, exchanges) = (number("SEED", 1), number("EXCHANGES", 100_000));
    let (losses, windows, duplicates) = GRID;
    let mut rows = Vec::new();
    for lose in losses {
        for window in windows {
            rows.extend(duplicates.map(|duplicate| (lose, window, duplicate)));
        }
    }
    let each = usize::try_from(exchanges).expect("it fits").div_ceil(rows.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((place, facts)) =
            Some(next.fetch_add(1, Relaxed)).and_then(|at| Some((at, rows.get(at)?)))
        {
            let counts = row(seed * 1_000 + place as u64, each, *facts);
            done.lock()
                .expect("no row panics with the lock")
                .push((place, *facts, counts));
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            handle.join().expect("no wrong exchange");
        }
    });
    let mut done = done.into_inner().expect("no row panics with the lock");
    done.sort_by_key(|(place, ..)| *place);
    println!(
        "| lost | reordered by up to | doubled | said | complete | incomplete | responses alone | wrong |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (_, (lose, window, duplicate), [said, complete, incomplete, orphans]) in done {
        let percent = |per_mille: u16| format!("{}.{} %", per_mille / 10, per_mille % 10);
        println!(
            "| {} | {window} | {} | {said} | {complete} | {incomplete} | {orphans} | 0 |",
            percent(lose),
            percent(duplicate),
        );
    }
}
